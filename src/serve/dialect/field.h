// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_FIELD_H_
#define BITFETCH_SERVE_DIALECT_FIELD_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_value.h"
#include "serve/dialect/reply.h"

namespace bitfetch {

// A value of a request and where it stands there, as "messages[0].content". Reading one that is of
// another type or out of range is an error of status 400, of which the first stays; what was to be
// read is then as before, as where nothing was given. Null counts as not given.
class Field {
 public:
  bool given() const { return value_ != nullptr; }
  const JsonValue* value() const { return value_; }  // null: not given
  const std::string& path() const { return path_; }
  template <class T>
  bool Is() const {
    return given() && value_->As<T>() != nullptr;
  }

  Field operator[](std::string_view key) const;  // of an object
  std::vector<Field> Items() const;              // of a list

  void Get(bool* value) const;
  void Get(std::string* value) const;
  void Get(double* value, double min, double max) const;
  template <std::integral T>
  void Get(T* value, int64_t min, int64_t max) const {
    if (const std::optional<int64_t> whole = Whole(min, max)) *value = static_cast<T>(*whole);
  }
  void Get(std::vector<int>* ids, int vocabulary) const;  // a list of token ids
  void GetOneOf(std::string* value, std::initializer_list<std::string_view> names) const;

  void Require() const;
  // For what is known and can't be done: an error unless it is absent or says nothing (false, 0,
  // "", [] and {}).
  void RefuseUnsupported() const;
  // `message` goes on behind the field's name: "must be ...".
  void Refuse(std::string_view message, std::string_view code = "invalid_value") const;

 private:
  friend class RequestBody;

  Field(const JsonValue* value, std::string path, std::optional<ApiError>* error)
      : value_(value), path_(std::move(path)), error_(error) {}

  std::optional<int64_t> Whole(int64_t min, int64_t max) const;
  void RefuseType(std::string_view wanted) const;
  void RefuseNumber(std::string_view wanted) const;
  template <class T>
  const T* As(std::string_view wanted) const {
    if (!given()) return nullptr;
    const T* is = value_->As<T>();
    if (is == nullptr) RefuseType(wanted);
    return is;
  }

  const JsonValue* value_;
  std::string path_;  // empty: the request
  std::optional<ApiError>* error_;
};

// The body of a request, a JSON object: at most 64 deep and a million values, the last of repeated
// keys counts. Anything else is an error of status 400, before it costs more than it took to send.
class RequestBody {
 public:
  explicit RequestBody(std::string_view body);
  RequestBody(const RequestBody&) = delete;
  RequestBody& operator=(const RequestBody&) = delete;

  // What it says. Where it is wrong as a whole, nothing is given. It must outlive what is read.
  Field fields() { return {&json_, "", &error_}; }
  // The first that was wrong with what has been read so far.
  ApiResult<void> Check() const;

 private:
  JsonValue json_;
  std::optional<ApiError> error_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_FIELD_H_
