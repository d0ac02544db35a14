// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TIER_DISK_STORE_H_
#define BITFETCH_TIER_DISK_STORE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"
#include "tier/block_store.h"

namespace bitfetch {

// Blocks of KV in a folder, a file for each record, named by its key: the block, and its header
// behind it, so that the disk can write a block to where it belongs. Files are written aside and
// renamed, so a process that is ended leaves whole records; what a crash of the system cut shows in
// its checksum. Where room is needed the record that was wanted longest ago goes. Any number of
// processes share a folder: what is in it they count in one place, under a lock.
//
// KV tells its text: the folder is for its user alone.
class DiskStore final : public BlockStore {
 public:
  static constexpr int64_t kDefaultMaxBytes = 16'000'000'000;

  // Of a block's record, in the folder.
  static std::string FileName(const BlockKey& key);

  // What the record of a block of so many bytes takes of the disk.
  static int64_t BytesOnDisk(size_t block_bytes);

  // Makes the folder where it is not there. `max_bytes`: that all its records take of the disk; 0:
  // kDefaultMaxBytes, but at most half of what is free. Errors: it can't be made or read, it is no
  // folder, others may write to it, it is another user's.
  static Result<DiskStore> Open(const std::string& folder, int64_t max_bytes);

  // Costs some microseconds for each key that is there.
  int64_t Count(std::span<const BlockKey> keys) override;

  size_t Ahead(size_t) const override { return 1; }
  Status Read(std::span<const BlockKey> keys, std::span<std::byte* const> to, size_t block_bytes,
              FunctionRef<bool()> arrived) override;

  // Makes room first. A block that is larger than all the room is not kept; one whose record was
  // cut is written again. After an error nothing of it is left. Errors: another process keeps the
  // folder locked for seconds, too.
  Status Write(const BlockName& name, std::span<const std::byte> block) override;
  void Touch(std::span<const BlockKey> keys) override;

  struct Record {
    std::string file;
    int64_t bytes = 0;      // that it takes of the disk: whole pages
    int64_t used_ns = 0;    // when it was wanted last, since 1970
    bool is_whole = false;  // not what a writer that was ended left, or one writes just now
  };
  // All files in the folder that are ours, in no order.
  Result<std::vector<Record>> List() const;

  // Reads a whole record. Errors: what is wrong with it.
  Result<BlockName> Check(const Record& record) const;

  // Removes all of List(); what else is in the folder stays.
  Status Clear();

  const std::string& folder() const { return folder_; }
  int64_t max_bytes() const { return max_bytes_; }

 private:
  DiskStore(std::string folder, Descriptor at, Descriptor usage, int64_t max_bytes)
      : folder_(std::move(folder)),
        at_(std::move(at)),
        usage_(std::move(usage)),
        max_bytes_(max_bytes) {}

  class FolderLock;

  Result<FolderLock> Lock();
  Descriptor OpenRecord(const char* file) const;
  bool HasRecord(const BlockKey& key, const RecordHeader& header, size_t block_bytes) const;
  // False: it is not there.
  Result<bool> ReadOne(const BlockKey& key, std::span<std::byte> block) const;
  Status MakeRoom(int64_t bytes);
  Status WriteAside(const BlockKey& key, RecordHeader header,
                    std::span<const std::byte> block) const;
  Status Remove(const Record& record) const;

  std::string folder_;
  Descriptor at_;     // the folder
  Descriptor usage_;  // the file with the count of bytes, whose lock is the folder's; or none
  int64_t max_bytes_;
  bool is_locked_out_ = false;  // by another process, when it was last wanted
};

}  // namespace bitfetch

#endif  // BITFETCH_TIER_DISK_STORE_H_
