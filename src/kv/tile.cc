// SPDX-License-Identifier: Apache-2.0
#include "kv/tile.h"

#include <array>

namespace bitfetch {
namespace {

struct TypeRow {
  KvType type;
  std::string_view name;
  size_t element_bytes;
};
constexpr std::array kTypes = {TypeRow{KvType::kF32, "f32", 4}, TypeRow{KvType::kF16, "f16", 2}};

const TypeRow& Row(KvType type) { return kTypes[static_cast<size_t>(type)]; }

Result<KvType> ParseKvType(std::string_view text) {
  for (const TypeRow& row : kTypes) {
    if (row.name == text) return row.type;
  }
  return Fail("'{}' is no KV type: use f32 or f16, or one for K and one for V as in f32:f16", text);
}

}  // namespace

std::string_view KvTypeName(KvType type) { return Row(type).name; }

size_t KvElementBytes(KvType type) { return Row(type).element_bytes; }

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
