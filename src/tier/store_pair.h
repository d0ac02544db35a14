// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_STORE_PAIR_H_
#define BITFETCH_TIER_STORE_PAIR_H_

#include <algorithm>
#include <memory>
#include <utility>

#include "tier/block_store.h"

namespace bitfetch {

// Two stores, of which the second is asked for what the first has not. Both keep what is written.
class StorePair final : public BlockStore {
 public:
  StorePair(std::unique_ptr<BlockStore> first, std::unique_ptr<BlockStore> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  int64_t Count(std::span<const BlockKey> keys) override {
    const int64_t near = first_->Count(keys);
    if (near == std::ssize(keys)) return near;
    return near + second_->Count(keys.subspan(near));
  }

  size_t Ahead(size_t block_bytes) const override {
    return std::max(first_->Ahead(block_bytes), second_->Ahead(block_bytes));
  }

  Status Read(std::span<const BlockKey> keys, std::span<std::byte* const> to, size_t block_bytes,
              FunctionRef<bool()> arrived) override {
    size_t near = 0;
    bool goes_on = true;
    Status read = first_->Read(keys, to, block_bytes, [&] {
      ++near;
      return goes_on = arrived();
    });
    if (near == keys.size() || !goes_on) return read;
    Status rest = second_->Read(keys.subspan(near), to.subspan(near), block_bytes, arrived);
    return read ? rest : read;
  }

  Status Write(const BlockName& name, std::span<const std::byte> block) override {
    const Status near = first_->Write(name, block);
    const Status far = second_->Write(name, block);
    return near ? far : near;
  }

  void Touch(std::span<const BlockKey> keys) override {
    first_->Touch(keys);
    second_->Touch(keys);
  }

  int64_t faults() const override { return first_->faults() + second_->faults(); }

 private:
  std::unique_ptr<BlockStore> first_;
  std::unique_ptr<BlockStore> second_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_STORE_PAIR_H_
