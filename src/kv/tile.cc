// SPDX-License-Identifier: Apache-2.0
#include "kv/tile.h"

#include <fmt/format.h>

namespace bitfetch {
namespace {

constexpr std::array<std::string_view, kKvTypes.size()> kNames = {"f32", "f16", "bf16", "q8_0",
                                                                  "q4_0"};

Result<KvType> ParseKvType(std::string_view text) {
  for (const KvType type : kKvTypes) {
    if (KvTypeName(type) == text) return type;
  }
  return Fail("'{}' is no KV type: use {}, or one for K and one for V as in q8_0:q4_0", text,
              fmt::join(kNames, ", "));
}

}  // namespace

std::string_view KvTypeName(KvType type) { return kNames[static_cast<size_t>(type)]; }

std::string KvTypesName(KvTypes types) {
  if (types.k == types.v) return std::string(KvTypeName(types.k));
  return fmt::format("{}:{}", KvTypeName(types.k), KvTypeName(types.v));
}

Result<KvTypes> ParseKvTypes(std::string_view text) {
  const size_t colon = text.find(':');
  BITFETCH_ASSIGN_OR_RETURN(const KvType k, ParseKvType(text.substr(0, colon)));
  if (colon == std::string_view::npos) return KvTypes{k, k};
  BITFETCH_ASSIGN_OR_RETURN(const KvType v, ParseKvType(text.substr(colon + 1)));
  return KvTypes{k, v};
}

}  // namespace bitfetch
