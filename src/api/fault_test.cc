// SPDX-License-Identifier: Apache-2.0
// Memory that runs out anywhere, from the opening of a model to the last token: an error that says
// so, nothing lost, and afterwards everything works. Not with the thread sanitizer, which links
// beside no other operator new than its own.
#include "base/sanitized.h"
#if !BITFETCH_THREAD_SANITIZER

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <bitfetch/bitfetch.hpp>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "convert/synth.h"
#include "engine/test_profile.h"

namespace {

// Of all requests for memory in this program, by any thread, the one that this counts down to
// fails.
std::atomic<int64_t> until_fault = INT64_MAX;

bool Fails() {
  return until_fault.load(std::memory_order_relaxed) != INT64_MAX && until_fault.fetch_sub(1) == 1;
}

void* Allocate(size_t bytes, size_t alignment) {
  void* memory = nullptr;
  if (Fails() || posix_memalign(&memory, alignment, bytes) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

// In place of the C++ and C libraries'.
void* operator new(size_t bytes) { return Allocate(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
// What std::stable_sort asks. ASan's own would not pair with the delete below.
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return Allocate(bytes, alignof(std::max_align_t));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
// Inlined, GCC would take free() after new for a mistake.
[[gnu::noinline]] void operator delete(void* memory) noexcept { free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  free(memory);
}

extern "C" int mprotect(void* at, size_t bytes, int protection) {
  if (!Fails()) return static_cast<int>(syscall(SYS_mprotect, at, bytes, protection));
  errno = ENOMEM;
  return -1;
}

namespace bitfetch {
namespace {

// Opens the model, writes on from a prompt, and asks for the logits. The text goes to `*text`;
// what was not BITFETCH_OK comes back.
bitfetch_status Use(const std::string& path, bool mmap, std::string* text) {
  bitfetch_session_options options = bitfetch_session_default_options();
  options.threads = 2;
  options.mmap = mmap ? 1 : 0;
  bitfetch_session* session = nullptr;
  bitfetch_status status = bitfetch_session_open(path.c_str(), &options, &session);
  if (status != BITFETCH_OK) {
    EXPECT_EQ(session, nullptr);
    return status;
  }
  bitfetch_sampling sampling = bitfetch_default_sampling();
  sampling.max_tokens = 3;
  const auto on_text = [](const char* piece, size_t bytes, void* user) {
    const int64_t left = until_fault.exchange(INT64_MAX);  // the test's own memory does not fail
    static_cast<std::string*>(user)->append(piece, bytes);
    until_fault = left;
    return 1;
  };
  status = bitfetch_generate(session, "In the", 6, &sampling, on_text, text);
  if (status != BITFETCH_OK) {
    EXPECT_EQ(bitfetch_session_length(session), 0);
  } else {
    static float logits[kMinSynthTokenizer];
    status = bitfetch_logits(session, logits);
  }
  bitfetch_session_close(session);
  return status;
}

std::string WriteModel(const TempDir& folder) {
  std::string path = folder.Path("model.gguf");
  EXPECT_TRUE(WriteSynthModel(path,
                              {.layers = 1,
                               .hidden = 32,
                               .ffn = 32,
                               .heads = 2,
                               .kv_heads = 1,
                               .head_dim = 16,
                               .vocab = kMinSynthTokenizer,
                               .context = 128},
                              {}));
  return path;
}

class FaultTest : public testing::TestWithParam<bool> {};

TEST_P(FaultTest, MemoryThatRunsOutAnywhereIsAnError) {
  const TestProfile profile;
  const TempDir folder;
  const std::string path = WriteModel(folder);
  std::string expected;
  ASSERT_EQ(Use(path, GetParam(), &expected), BITFETCH_OK) << bitfetch_last_error();
  ASSERT_FALSE(expected.empty());

  // How many requests there are.
  constexpr int64_t kMany = int64_t{1} << 40;
  std::string text;
  until_fault = kMany;
  ASSERT_EQ(Use(path, GetParam(), &text), BITFETCH_OK);
  const int64_t requests = kMany - until_fault.exchange(INT64_MAX);
  ASSERT_GT(requests, 500);

  int errors = 0;
  // Every one at the beginning, where they are all different, then a share: most are the names of
  // tokens, of which one is like another.
  for (int64_t n = 1; n <= requests; n += n < 200 ? 1 : 1 + requests / 400) {
    text.clear();
    until_fault = n;
    const bitfetch_status status = Use(path, GetParam(), &text);
    until_fault = INT64_MAX;
    if (status == BITFETCH_OK) {
      EXPECT_EQ(text, expected) << n;  // what failed was not needed
      continue;
    }
    ++errors;
    EXPECT_THAT(bitfetch_last_error(), testing::ContainsRegex("memory")) << n;
    EXPECT_TRUE(expected.starts_with(text)) << n;
  }
  EXPECT_GT(errors, 200);
  text.clear();
  ASSERT_EQ(Use(path, GetParam(), &text), BITFETCH_OK);
  EXPECT_EQ(text, expected);
}

// Each sequence of a batch has grown or is as before, and can then be brought to where it should
// be.
TEST(BatchFaultTest, MemoryThatRunsOutAnywhereLosesNothing) {
  const TestProfile profile;
  const TempDir folder;
  bitfetch_model_options options = bitfetch_model_default_options();
  options.threads = 2;
  const Model model(WriteModel(folder), options);
  const auto tokens = [](int count) {
    std::vector<int32_t> some;
    for (int i = 0; i < count; ++i) some.push_back(i * 31 % 200);
    return some;
  };
  const std::vector<int32_t> prefix = tokens(20), few = tokens(1), many = tokens(90);
  std::vector<float> expected;
  bool failed = true;
  int errors = 0;
  for (int64_t n = 1; failed; ++n) {
    Sequence one(model, std::to_string(n));  // so that nothing that was computed is found
    one.Append(prefix);
    Sequence other = one.Fork();
    bitfetch_piece pieces[] = {one.Piece(few), other.Piece(many)};
    until_fault = n;
    const bitfetch_status status = bitfetch_batch_run(model.get(), pieces, 2);
    failed = until_fault.exchange(INT64_MAX) <= 0;
    ASSERT_TRUE(status == BITFETCH_OK || status == BITFETCH_OUT_OF_MEMORY) << n;
    for (const bitfetch_piece& piece : pieces) {
      const int64_t length = bitfetch_sequence_length(piece.sequence);
      const bool has_grown = length != 20;
      EXPECT_EQ(length, has_grown ? 20 + static_cast<int64_t>(piece.count) : 20) << n;
      EXPECT_TRUE(status != BITFETCH_OK || has_grown == (piece.status == BITFETCH_OK)) << n;
      if (has_grown) continue;
      ++errors;
      ASSERT_EQ(bitfetch_sequence_append(piece.sequence, piece.tokens, piece.count), BITFETCH_OK);
    }
    const Sequence* sequences[] = {&one, &other};
    const std::vector<float> logits = model.Logits(sequences);
    if (expected.empty()) expected = logits;
    EXPECT_EQ(logits, expected) << n;
  }
  EXPECT_GT(errors, 10);
}

INSTANTIATE_TEST_SUITE_P(Mapped, FaultTest, testing::Values(true));
INSTANTIATE_TEST_SUITE_P(Read, FaultTest, testing::Values(false));

}  // namespace
}  // namespace bitfetch

#endif  // !BITFETCH_THREAD_SANITIZER
