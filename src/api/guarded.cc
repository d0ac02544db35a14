// SPDX-License-Identifier: Apache-2.0
#include "api/guarded.h"

#include <string>

#include "base/printable.h"
#include "base/thread_pool.h"

namespace bitfetch {
namespace {

thread_local std::string last_error;

}  // namespace

bitfetch_status Fails(bitfetch_status status, std::string_view message) noexcept {
  try {
    last_error = OneLine(message);
  } catch (...) {
    last_error.clear();
  }
  return status;
}

bitfetch_status CheckThreads(int threads) {
  if (threads >= 0 && threads <= ThreadPool::kMaxThreads) return BITFETCH_OK;
  return Fails(BITFETCH_INVALID_ARGUMENT,
               fmt::format("threads: {} is not from 0 to {}", threads, ThreadPool::kMaxThreads));
}

}  // namespace bitfetch

const char* bitfetch_last_error(void) { return bitfetch::last_error.c_str(); }
