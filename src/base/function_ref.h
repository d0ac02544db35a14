// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_FUNCTION_REF_H_
#define BITFETCH_BASE_FUNCTION_REF_H_

#include <memory>
#include <type_traits>
#include <utility>

namespace bitfetch {

template <class Signature>
class FunctionRef;

// A callable that someone else owns: two pointers, never an allocation. It lasts no longer than
// what it was made from, so it is for parameters only.
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> &&
           std::is_invocable_r_v<R, F&, Args...>)
      FunctionRef(F&& f)  // NOLINT(google-explicit-constructor): a lambda is passed as it is
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_FUNCTION_REF_H_
