// SPDX-License-Identifier: Apache-2.0
#include "bench/hit_rate_bench.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "bench/conversations.h"
#include "bench/random_floats.h"
#include "bench/scratch_folder.h"
#include "kv/kv_cache.h"
#include "tier/disk_store.h"

namespace bitfetch {
namespace {

// The least that there are tiles for: a block is a kilobyte.
constexpr int kHeadDim = 16;

// A server's memory and disk, without a model.
class KeptKv {
 public:
  static Result<KeptKv> Create(int64_t ram_tokens, int64_t disk_tokens, ScratchFolder* folder);

  // A prompt comes and is answered.
  Status Turn(std::span<const int> tokens, int64_t prompt_tokens, HitRateBenchRow& row);

 private:
  KeptKv(std::shared_ptr<BlockPool> pool, std::optional<DiskStore> store, ScratchFolder* folder)
      : pool_(std::move(pool)), store_(std::move(store)), folder_(folder) {}

  Status Write(const KvCache& cache, std::span<const int> tokens, int64_t from);

  std::shared_ptr<BlockPool> pool_;
  std::optional<DiskStore> store_;
  ScratchFolder* folder_;
  BlockKey root_ = RootKey({}, {}, "");
  std::vector<float> floats_ = RandomFloats(Conversations::kMaxTokens * kHeadDim);
};

Result<KeptKv> KeptKv::Create(int64_t ram_tokens, int64_t disk_tokens, ScratchFolder* folder) {
  BITFETCH_ASSIGN_OR_RETURN(auto pool, BlockPool::Create({.layers = 1,
                                                          .kv_heads = 1,
                                                          .head_dim = kHeadDim,
                                                          .types = {},
                                                          .limit = ram_tokens,
                                                          .pages = PageSize::k4K}));
  std::optional<DiskStore> store;
  if (disk_tokens > 0) {
    const int64_t record = DiskStore::BytesOnDisk(pool->stride_bytes());
    BITFETCH_ASSIGN_OR_RETURN(store,
                              DiskStore::Open(folder->path(), BlocksFor(disk_tokens) * record));
  }
  return KeptKv(std::move(pool), std::move(store), folder);
}

Status KeptKv::Turn(std::span<const int> tokens, int64_t prompt_tokens, HitRateBenchRow& row) {
  BITFETCH_ASSIGN_OR_RETURN(KvCache cache, KvCache::Open(pool_, std::ssize(tokens)));
  const std::span<const int> adoptable = tokens.first(prompt_tokens - 1);
  const int64_t from_ram = cache.Adopt(root_, adoptable);
  int64_t from_disk = 0;
  if (store_) from_disk = store_->Count(cache.NextKeys(root_, adoptable)) * kTileTokens;
  row.prompt_tokens += prompt_tokens;
  row.from_ram += from_ram;
  row.from_disk += from_disk;
  const int64_t more = std::ssize(tokens) - from_ram;
  BITFETCH_RETURN_IF_ERROR(cache.Append(0, more, floats_.data(), floats_.data()));
  cache.Publish(root_, tokens);
  return store_ ? Write(cache, tokens, (from_ram + from_disk) / kTileTokens) : Status();
}

// What was adopted is wanted, and what comes behind it is new, as KvTier has it; but at once, so
// that no two runs differ.
Status KeptKv::Write(const KvCache& cache, std::span<const int> tokens, int64_t from) {
  std::vector<BlockKey> keys;
  for (int64_t i = 0; i < cache.published(); ++i) keys.push_back(cache.PublishedKey(i));
  store_->Touch(std::span(keys).first(from));
  folder_->Announce(std::span(keys).subspan(from));
  for (int64_t i = from; i < cache.published(); ++i) {
    BlockName name{.key = keys[i], .parent = i == 0 ? root_ : keys[i - 1], .types = {}};
    std::ranges::copy(tokens.subspan(i * kTileTokens, kTileTokens), name.tokens.begin());
    BITFETCH_RETURN_IF_ERROR(store_->Write(name, cache.PublishedBytes(i)));
  }
  return {};
}

}  // namespace

Status BenchHitRate(
    const HitRateBenchOptions& options,
    const std::function<Status(const HitRateBenchRow&, int64_t done, int64_t total)>& on_row) {
  const Conversations all = MakeConversations(options.conversations);
  const int64_t total = std::ssize(options.ram_tokens) * std::ssize(options.disk_tokens);
  int64_t done = 0;
  for (const int64_t ram : options.ram_tokens) {
    for (const int64_t disk : options.disk_tokens) {
      BITFETCH_ASSIGN_OR_RETURN(ScratchFolder folder, ScratchFolder::Create(options.cache_dir));
      BITFETCH_ASSIGN_OR_RETURN(KeptKv kept, KeptKv::Create(ram, disk, &folder));
      HitRateBenchRow row{.ram_tokens = ram, .disk_tokens = disk, .turns = std::ssize(all.turns)};
      for (const ConversationTurn& turn : all.turns) {
        const std::span<const int> tokens = all.tokens[turn.conversation];
        BITFETCH_RETURN_IF_ERROR(kept.Turn(tokens.first(turn.tokens), turn.prompt_tokens, row));
      }
      BITFETCH_RETURN_IF_ERROR(on_row(row, ++done, total));
    }
  }
  return {};
}

}  // namespace bitfetch
