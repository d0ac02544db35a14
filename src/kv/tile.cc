// SPDX-License-Identifier: Apache-2.0
#include "kv/tile.h"

#include <fmt/format.h>

namespace bitfetch {
namespace {

constexpr std::array<std::string_view, kKvTypes.size()> kNames = {"f32", "f16", "bf16", "q8_0",
                                                                  "q4_0"};

}  // namespace

std::string_view KvTypeName(KvType type) { return kNames[static_cast<size_t>(type)]; }

Result<KvType> ParseKvType(std::string_view text) {
  for (const KvType type : kKvTypes) {
    if (KvTypeName(type) == text) return type;
  }
  return Fail("'{}' is no KV type: use {}", text, fmt::join(kNames, ", "));
}

std::string KvTypesName(KvTypes types) {
  if (types.k == types.v) return std::string(KvTypeName(types.k));
  return fmt::format("{}:{}", KvTypeName(types.k), KvTypeName(types.v));
}

Result<KvTypes> ParseKvTypes(std::string_view text) {
  const auto parse = [](std::string_view part) {
    return ParseKvType(part).map_error([](const Error& error) {
      return Error{error.message + ", or one for K and one for V as in q8_0:q4_0"};
    });
  };
  const size_t colon = text.find(':');
  BITFETCH_ASSIGN_OR_RETURN(const KvType k, parse(text.substr(0, colon)));
  if (colon == std::string_view::npos) return KvTypes{k, k};
  BITFETCH_ASSIGN_OR_RETURN(const KvType v, parse(text.substr(colon + 1)));
  return KvTypes{k, v};
}

}  // namespace bitfetch
