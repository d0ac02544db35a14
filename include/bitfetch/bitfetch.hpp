// SPDX-License-Identifier: Apache-2.0
// bitfetch for C++20: bitfetch.h with owners and exceptions, and nothing else. Header only, so that
// the library's interface stays plain C.
#ifndef BITFETCH_BITFETCH_HPP_
#define BITFETCH_BITFETCH_HPP_

#include <bitfetch/bitfetch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {

// What a call of bitfetch.h said. Rules of threads and of mapped files are those of that header.
class Exception : public std::runtime_error {
 public:
  Exception(bitfetch_status status, const char* message)
      : std::runtime_error(message), status_(status) {}
  bitfetch_status status() const { return status_; }

 private:
  bitfetch_status status_;
};

namespace detail {

inline void Check(bitfetch_status status) {
  if (status != BITFETCH_OK) throw Exception(status, bitfetch_last_error());
}

template <auto free>
struct Free {
  template <class T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};

}  // namespace detail

// A model, and one text with it.
class LanguageModel {
 public:
  explicit LanguageModel(const std::string& path, const bitfetch_session_options& options =
                                                      bitfetch_session_default_options()) {
    bitfetch_session* session = nullptr;
    detail::Check(bitfetch_session_open(path.c_str(), &options, &session));
    session_.reset(session);
  }

  int64_t vocab() const { return bitfetch_session_vocab(session_.get()); }
  int64_t context() const { return bitfetch_session_context(session_.get()); }
  int64_t length() const { return bitfetch_session_length(session_.get()); }

  std::vector<int32_t> Tokenize(std::string_view text) const {
    return Tokenize(bitfetch_tokenize, text);
  }
  std::vector<int32_t> TokenizeSpecial(std::string_view text) const {
    return Tokenize(bitfetch_tokenize_special, text);
  }

  // Valid as long as the model.
  std::string_view TokenBytes(int32_t token) const {
    const char* data = nullptr;
    size_t bytes = 0;
    detail::Check(bitfetch_token_bytes(session_.get(), token, &data, &bytes));
    return {data, bytes};
  }

  void Append(std::span<const int32_t> tokens) {
    detail::Check(bitfetch_append(session_.get(), tokens.data(), tokens.size()));
  }
  void Truncate(int64_t length) { detail::Check(bitfetch_truncate(session_.get(), length)); }

  std::vector<float> Logits() {  // [vocab]
    std::vector<float> logits(static_cast<size_t>(vocab()));
    detail::Check(bitfetch_logits(session_.get(), logits.data()));
    return logits;
  }

  // `on_text` returns whether to go on, and throws nothing. Returns whether it was not stopped.
  // A context that fills up is an Exception, after the text.
  bool Generate(std::string_view prompt, const bitfetch_sampling& sampling,
                const std::function<bool(std::string_view)>& on_text) {
    const auto call = [](const char* text, size_t bytes, void* user) {
      const auto& function = *static_cast<const std::function<bool(std::string_view)>*>(user);
      return function({text, bytes}) ? 1 : 0;
    };
    void* user = const_cast<std::function<bool(std::string_view)>*>(&on_text);
    const bitfetch_status status =
        bitfetch_generate(session_.get(), prompt.data(), prompt.size(), &sampling, call, user);
    if (status == BITFETCH_STOPPED) return false;
    detail::Check(status);
    return true;
  }

 private:
  std::vector<int32_t> Tokenize(decltype(bitfetch_tokenize)* tokenize,
                                std::string_view text) const {
    std::vector<int32_t> tokens(3 * text.size() + 1);  // three for a byte that is no UTF-8; and BOS
    size_t count = 0;
    detail::Check(
        tokenize(session_.get(), text.data(), text.size(), tokens.data(), tokens.size(), &count));
    tokens.resize(count);
    return tokens;
  }

  std::unique_ptr<bitfetch_session, detail::Free<bitfetch_session_close>> session_;
};

// The KV cache of one sequence.
class Cache {
 public:
  explicit Cache(const bitfetch_cache_shape& shape) {
    bitfetch_cache* cache = nullptr;
    detail::Check(bitfetch_cache_create(&shape, &cache));
    cache_.reset(cache);
  }

  Cache Fork() const {
    bitfetch_cache* fork = nullptr;
    detail::Check(bitfetch_cache_fork(cache_.get(), &fork));
    return Cache(fork);
  }
  void Append(int layer, int64_t count, const float* k, const float* v) {
    detail::Check(bitfetch_cache_append(cache_.get(), layer, count, k, v));
  }
  void Truncate(int64_t length) { detail::Check(bitfetch_cache_truncate(cache_.get(), length)); }
  int64_t length() const { return bitfetch_cache_length(cache_.get()); }
  size_t Prefetch(int layer, int64_t seq_len) {
    size_t requested = 0;
    detail::Check(bitfetch_cache_prefetch(cache_.get(), layer, seq_len, &requested));
    return requested;
  }

  const bitfetch_cache* get() const { return cache_.get(); }

 private:
  explicit Cache(bitfetch_cache* cache) : cache_(cache) {}

  std::unique_ptr<bitfetch_cache, detail::Free<bitfetch_cache_free>> cache_;
};

class Attention {
 public:
  explicit Attention(int threads = 0) {
    bitfetch_attention* attention = nullptr;
    detail::Check(bitfetch_attention_create(threads, &attention));
    attention_.reset(attention);
  }

  void Run(const Cache& cache, int layer, int group, const float* queries, int64_t tokens,
           float* out) {
    detail::Check(
        bitfetch_attention_run(attention_.get(), cache.get(), layer, group, queries, tokens, out));
  }

 private:
  std::unique_ptr<bitfetch_attention, detail::Free<bitfetch_attention_free>> attention_;
};

}  // namespace bitfetch

#endif  // BITFETCH_BITFETCH_HPP_
