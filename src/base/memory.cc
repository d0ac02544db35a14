// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "base/errno_text.h"

namespace bitfetch {
namespace {

constexpr size_t kSmallStepBytes = size_t{64} << 10;

size_t RoundUp(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// The address range of a mapping, from the first line of its entry in smaps; {0, 0} for any other
// line.
std::pair<uintptr_t, uintptr_t> MappingRange(std::string_view line) {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  const char* last = line.data() + line.size();
  const auto first = std::from_chars(line.data(), last, begin, 16);
  if (first.ec != std::errc() || first.ptr == last || *first.ptr != '-') return {0, 0};
  const auto second = std::from_chars(first.ptr + 1, last, end, 16);
  if (second.ec != std::errc() || second.ptr == last || *second.ptr != ' ') return {0, 0};
  return {begin, end};
}

}  // namespace

std::string_view PageSizeName(PageSize pages) { return pages == PageSize::kHuge ? "huge" : "4k"; }

Result<PageSize> ParsePageSize(std::string_view text) {
  if (text == "huge") return PageSize::kHuge;
  if (text == "4k") return PageSize::k4K;
  return Fail("'{}' is no page size: use huge or 4k", text);
}

PageBuffer::PageBuffer(PageBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      reserved_(std::exchange(other.reserved_, 0)),
      committed_(std::exchange(other.committed_, 0)),
      pages_(other.pages_) {}

PageBuffer& PageBuffer::operator=(PageBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(reserved_, other.reserved_);
  std::swap(committed_, other.committed_);
  std::swap(pages_, other.pages_);
  return *this;
}

PageBuffer::~PageBuffer() {
  if (data_ != nullptr) munmap(data_, reserved_);
}

Result<PageBuffer> PageBuffer::Reserve(size_t bytes, PageSize pages) {
  if (bytes > SIZE_MAX / 2) return Fail("cannot reserve {} bytes of memory", bytes);
  const size_t reserved = std::max(RoundUp(bytes, kHugePageBytes), kHugePageBytes);
  // mmap aligns to 4 KiB only: take 2 MiB more and give back what sticks out.
  const size_t taken = reserved + kHugePageBytes;
  void* memory =
      mmap(nullptr, taken, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return Fail("cannot reserve {} bytes of memory: {}", bytes, ErrnoText());
  }
  auto* begin = static_cast<std::byte*>(memory);
  const size_t before = -reinterpret_cast<uintptr_t>(begin) % kHugePageBytes;
  if (before > 0) munmap(begin, before);
  munmap(begin + before + reserved, taken - before - reserved);

  PageBuffer buffer;
  buffer.data_ = begin + before;
  buffer.reserved_ = reserved;
  buffer.pages_ = pages;
  madvise(buffer.data_, reserved, pages == PageSize::kHuge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  return buffer;
}

Result<PageBuffer> PageBuffer::Allocate(size_t bytes, PageSize pages) {
  BITFETCH_ASSIGN_OR_RETURN(PageBuffer buffer, Reserve(bytes, pages));
  BITFETCH_RETURN_IF_ERROR(buffer.Commit(bytes));
  return buffer;
}

Status PageBuffer::Commit(size_t bytes) {
  if (bytes <= committed_) return {};
  if (bytes > reserved_) return Fail("{} bytes are more than the {} reserved", bytes, reserved_);
  const size_t step = pages_ == PageSize::kHuge ? kHugePageBytes : kSmallStepBytes;
  const size_t wanted = RoundUp(bytes, step);
  if (mprotect(data_ + committed_, wanted - committed_, PROT_READ | PROT_WRITE) != 0) {
    return Fail("out of memory: cannot add {} bytes: {}", wanted - committed_, ErrnoText());
  }
  committed_ = wanted;
  return {};
}

size_t PageBuffer::HugeBytes() const {
  std::ifstream smaps("/proc/self/smaps");
  const auto begin = reinterpret_cast<uintptr_t>(data_);
  const auto end = begin + committed_;
  size_t huge_bytes = 0;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    if (const auto [from, to] = MappingRange(line); to != 0) inside = from < end && to > begin;
    constexpr std::string_view kField = "AnonHugePages:";
    if (inside && line.starts_with(kField)) {
      huge_bytes += std::strtoull(line.c_str() + kField.size(), nullptr, 10) * 1024;
    }
  }
  return std::min(huge_bytes, committed_);
}

}  // namespace bitfetch
