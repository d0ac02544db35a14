// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_MODEL_GGUF_VALUE_H_
#define BITFETCH_MODEL_GGUF_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// The types of GGUF metadata, under the numbers of the file.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

std::string_view GgufTypeName(GgufType type);  // "uint8"

// Of a value as stored; 0 for strings and arrays, whose size varies.
size_t GgufTypeBytes(GgufType type);

// A metadata value where it lies in the file, known to lie in it whole.
struct GgufValue {
  GgufType type;  // of each element, where it is an array; then never kArray
  bool is_array;
  uint64_t count;         // of elements; 1 where it is no array
  const std::byte* data;  // the first element as stored, at any alignment
};

// The value, or the elements of the array, as a T: int64_t (of any integer type), double or float
// (of either float type), bool or std::string_view (into the file). The error is what follows the
// key's name: "is of type uint32: wanted a string".
template <class T>
Result<T> ScalarAs(const GgufValue& value);
template <class T>
Result<std::vector<T>> ArrayAs(const GgufValue& value);

}  // namespace bitfetch

#endif  // BITFETCH_MODEL_GGUF_VALUE_H_
