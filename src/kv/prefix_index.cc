// SPDX-License-Identifier: Apache-2.0
#include "kv/prefix_index.h"

#include <algorithm>
#include <cstring>

namespace bitfetch {

size_t PrefixIndex::FirstBytes::operator()(const BlockKey& key) const {
  size_t hash;
  std::memcpy(&hash, key.digest.data(), sizeof(hash));
  return hash;
}

PrefixIndex::PrefixIndex(uint32_t limit) {
  entries_.reserve(size_t{limit} + 1);  // so that growing costs no copy
  entries_.resize(1);
}

std::optional<uint32_t> PrefixIndex::Find(const BlockKey& key) const {
  const auto found = blocks_.find(key);
  if (found == blocks_.end()) return std::nullopt;
  return found->second;
}

std::optional<uint32_t> PrefixIndex::ParentOf(uint32_t block) const {
  const uint32_t parent = entries_[size_t{block} + 1].parent;
  if (parent == 0) return std::nullopt;
  return parent - 1;
}

void PrefixIndex::Insert(const BlockKey& key, uint32_t block, std::optional<uint32_t> parent) {
  const auto place = blocks_.emplace(key, block).first;
  entries_.resize(std::max(entries_.size(), size_t{block} + 2));
  entries_[size_t{block} + 1] = {.key = &place->first, .parent = parent ? *parent + 1 : 0};
}

void PrefixIndex::Erase(uint32_t block) {
  const BlockKey*& key = entries_[size_t{block} + 1].key;
  blocks_.erase(blocks_.find(*key));
  key = nullptr;
}

void PrefixIndex::SetIdle(uint32_t block) {
  const uint32_t at = block + 1;
  entries_[at].older = entries_[0].older;
  entries_[at].newer = 0;
  entries_[entries_[0].older].newer = at;
  entries_[0].older = at;
  ++idle_;
}

void PrefixIndex::SetHeld(uint32_t block) {
  const Entry& entry = entries_[size_t{block} + 1];
  entries_[entry.older].newer = entry.newer;
  entries_[entry.newer].older = entry.older;
  --idle_;
}

uint32_t PrefixIndex::Evict() {
  const uint32_t block = entries_[0].newer - 1;
  SetHeld(block);
  Erase(block);
  return block;
}

}  // namespace bitfetch
