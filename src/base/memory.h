// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BASE_MEMORY_H_
#define BITFETCH_BASE_MEMORY_H_

#include <cstddef>
#include <string_view>

#include "base/error.h"

namespace bitfetch {

// Which OS pages memory should sit on. kHuge asks for 2 MiB ones (madvise); the system may give 4
// KiB ones all the same.
enum class PageSize { kHuge, k4K };

std::string_view PageSizeName(PageSize pages);  // "huge" or "4k"
Result<PageSize> ParsePageSize(std::string_view text);

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// Anonymous memory that grows in place: address space is reserved once, and made usable from the
// front as it is needed. Zeroed, aligned to 2 MiB, never moved. Not thread-safe.
class PageBuffer {
 public:
  PageBuffer() = default;
  PageBuffer(PageBuffer&& other) noexcept;
  PageBuffer& operator=(PageBuffer&& other) noexcept;
  ~PageBuffer();

  // Takes address space for `bytes`, none of it usable yet. Costs a system call, whatever the size.
  static Result<PageBuffer> Reserve(size_t bytes, PageSize pages);

  // Reserves `bytes` and makes all of them usable.
  static Result<PageBuffer> Allocate(size_t bytes, PageSize pages);

  // Makes the first `bytes` usable, rounded up to whole steps (2 MiB on huge pages, 64 KiB on 4 KiB
  // ones). What was usable stays as it is, also when this fails. Pages are zeroed by the system
  // when first touched.
  Status Commit(size_t bytes);

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return committed_; }  // usable bytes
  PageSize pages() const { return pages_; }

  // How many of the touched bytes really sit on huge pages, as the system says (/proc/self/smaps).
  // Costs milliseconds.
  size_t HugeBytes() const;

 private:
  std::byte* data_ = nullptr;
  size_t reserved_ = 0;
  size_t committed_ = 0;
  PageSize pages_ = PageSize::k4K;
};

}  // namespace bitfetch

#endif  // BITFETCH_BASE_MEMORY_H_
