// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_value.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>

namespace bitfetch {
namespace {

static_assert(std::endian::native == std::endian::little, "values are read as they lie");

struct ValueTypeFacts {
  std::string_view name;
  size_t bytes;
};

// By number.
constexpr std::array<ValueTypeFacts, 13> kValueTypes = {{{"uint8", 1},
                                                         {"int8", 1},
                                                         {"uint16", 2},
                                                         {"int16", 2},
                                                         {"uint32", 4},
                                                         {"int32", 4},
                                                         {"float32", 4},
                                                         {"bool", 1},
                                                         {"string", 0},
                                                         {"array", 0},
                                                         {"uint64", 8},
                                                         {"int64", 8},
                                                         {"float64", 8}}};

template <class T>
T Load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// For each T: what an error calls it, which types hold it, and reading one element, which moves
// `at` past it and gives nothing where the stored value is none.
template <class T>
struct Kind;

template <>
struct Kind<int64_t> {
  static constexpr std::string_view kName = "an integer";
  static bool Holds(GgufType type) {
    return GgufTypeBytes(type) > 0 && type != GgufType::kBool && type != GgufType::kFloat32 &&
           type != GgufType::kFloat64;
  }
  static std::optional<int64_t> Read(GgufType type, const std::byte*& at) {
    const std::byte* from = at;
    at += GgufTypeBytes(type);
    switch (type) {
      case GgufType::kUint8:
        return Load<uint8_t>(from);
      case GgufType::kInt8:
        return Load<int8_t>(from);
      case GgufType::kUint16:
        return Load<uint16_t>(from);
      case GgufType::kInt16:
        return Load<int16_t>(from);
      case GgufType::kUint32:
        return Load<uint32_t>(from);
      case GgufType::kInt32:
        return Load<int32_t>(from);
      case GgufType::kInt64:
        return Load<int64_t>(from);
      default: {
        const uint64_t value = Load<uint64_t>(from);
        if (value > uint64_t{std::numeric_limits<int64_t>::max()}) return std::nullopt;
        return static_cast<int64_t>(value);
      }
    }
  }
};

template <>
struct Kind<double> {
  static constexpr std::string_view kName = "a float";
  static bool Holds(GgufType type) {
    return type == GgufType::kFloat32 || type == GgufType::kFloat64;
  }
  static std::optional<double> Read(GgufType type, const std::byte*& at) {
    const std::byte* from = at;
    at += GgufTypeBytes(type);
    return type == GgufType::kFloat32 ? Load<float>(from) : Load<double>(from);
  }
};

template <>
struct Kind<float> : Kind<double> {
  static std::optional<float> Read(GgufType type, const std::byte*& at) {
    return static_cast<float>(*Kind<double>::Read(type, at));
  }
};

template <>
struct Kind<bool> {
  static constexpr std::string_view kName = "a bool";
  static bool Holds(GgufType type) { return type == GgufType::kBool; }
  static std::optional<bool> Read(GgufType, const std::byte*& at) {
    const uint8_t value = Load<uint8_t>(at++);
    if (value > 1) return std::nullopt;
    return value == 1;
  }
};

template <>
struct Kind<std::string_view> {
  static constexpr std::string_view kName = "a string";
  static bool Holds(GgufType type) { return type == GgufType::kString; }
  static std::optional<std::string_view> Read(GgufType, const std::byte*& at) {
    const uint64_t length = Load<uint64_t>(at);
    const char* text = reinterpret_cast<const char*>(at + sizeof length);
    at += sizeof length + length;
    return std::string_view(text, length);
  }
};

}  // namespace

std::string_view GgufTypeName(GgufType type) { return kValueTypes[static_cast<size_t>(type)].name; }

size_t GgufTypeBytes(GgufType type) { return kValueTypes[static_cast<size_t>(type)].bytes; }

template <class T>
Result<T> ScalarAs(const GgufValue& value) {
  if (value.is_array || !Kind<T>::Holds(value.type)) {
    return Fail("is {} {}: wanted {}", value.is_array ? "an array of" : "of type",
                GgufTypeName(value.type), Kind<T>::kName);
  }
  const std::byte* at = value.data;
  const std::optional<T> element = Kind<T>::Read(value.type, at);
  if (!element) return Fail("holds what {} can't be", Kind<T>::kName);
  return *element;
}

template <class T>
Result<std::vector<T>> ArrayAs(const GgufValue& value) {
  if (!value.is_array || !Kind<T>::Holds(value.type)) {
    return Fail("is {} {}: wanted an array, each {}", value.is_array ? "an array of" : "of type",
                GgufTypeName(value.type), Kind<T>::kName);
  }
  std::vector<T> elements;
  elements.reserve(value.count);
  const std::byte* at = value.data;
  for (uint64_t i = 0; i < value.count; ++i) {
    const std::optional<T> element = Kind<T>::Read(value.type, at);
    if (!element) return Fail("holds at index {} what {} can't be", i, Kind<T>::kName);
    elements.push_back(*element);
  }
  return elements;
}

template Result<int64_t> ScalarAs(const GgufValue&);
template Result<double> ScalarAs(const GgufValue&);
template Result<float> ScalarAs(const GgufValue&);
template Result<bool> ScalarAs(const GgufValue&);
template Result<std::string_view> ScalarAs(const GgufValue&);
template Result<std::vector<int64_t>> ArrayAs(const GgufValue&);
template Result<std::vector<double>> ArrayAs(const GgufValue&);
template Result<std::vector<float>> ArrayAs(const GgufValue&);
template Result<std::vector<bool>> ArrayAs(const GgufValue&);
template Result<std::vector<std::string_view>> ArrayAs(const GgufValue&);

}  // namespace bitfetch
