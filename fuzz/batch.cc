// SPDX-License-Identifier: Apache-2.0
// Bytes read as what becomes of several sequences of one model, which run in batches, fork and are
// cut, in a KV cache that is too small for all of them. Each has the bits that it has alone.
#include <bitfetch/bitfetch.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/check.h"
#include "fuzz/model.h"

namespace bitfetch {
namespace {

constexpr int64_t kBlocks = 14;
constexpr size_t kTexts = 5;

int64_t BlocksOf(size_t tokens) { return static_cast<int64_t>(tokens + 15) / 16; }

class Batches {
 public:
  Batches(const uint8_t* data, size_t size) : input_(data, size) {
    static const bitfetch_model* const model = OpenModel(16 * kBlocks);
    model_ = model;
  }

  void Run() {
    // More calls find no more, and take longer.
    for (int calls = 0; calls < 20 && input_.remaining_bytes() > 0; ++calls) {
      switch (input_.ConsumeIntegralInRange(0, 5)) {
        case 0:
          Create();
          break;
        case 1:
          Fork();
          break;
        case 2:
          if (!texts_.empty()) texts_.erase(texts_.begin() + Pick());
          break;
        case 3:
          Truncate();
          break;
        default:
          RunBatch();
      }
      for (const Text& text : texts_) CheckTokens(text);
    }
    CheckBits();
  }

 private:
  struct Free {
    void operator()(bitfetch_sequence* sequence) const { bitfetch_sequence_free(sequence); }
  };
  using Sequence = std::unique_ptr<bitfetch_sequence, Free>;
  struct Text {
    Sequence sequence;
    std::vector<int32_t> tokens;  // what it must hold
    bool has_logits;
  };
  // What one piece of a batch is given.
  struct Part {
    Text* text;
    std::vector<int32_t> tokens;
    std::vector<float> logits;  // so many and no more, so that a write beyond them is seen
  };

  Sequence NewSequence(const std::string& salt) const {
    bitfetch_sequence* sequence = nullptr;
    FUZZ_CHECK(Succeeds(bitfetch_sequence_create(model_, salt.c_str(), &sequence)));
    return Sequence(sequence);
  }

  size_t Pick() { return input_.ConsumeIntegralInRange<size_t>(0, texts_.size() - 1); }

  void Create() {
    if (texts_.size() == kTexts) return;
    texts_.push_back({NewSequence(input_.ConsumeBool() ? "salt" : ""), {}, false});
  }

  void Fork() {
    if (texts_.empty() || texts_.size() == kTexts) return;
    const Text& from = texts_[Pick()];
    bitfetch_sequence* fork = nullptr;
    FUZZ_CHECK(Succeeds(bitfetch_sequence_fork(from.sequence.get(), &fork)));
    Text made{Sequence(fork), from.tokens, from.has_logits};
    texts_.push_back(std::move(made));
  }

  void Truncate() {
    if (texts_.empty()) return;
    Text& text = texts_[Pick()];
    const auto length = input_.ConsumeIntegralInRange<size_t>(0, kContext);
    FUZZ_CHECK(
        Succeeds(bitfetch_sequence_truncate(text.sequence.get(), static_cast<int64_t>(length))));
    if (length >= text.tokens.size()) return;
    text.tokens.resize(length);
    text.has_logits = false;
  }

  // Few different tokens, so that sequences find what others computed.
  std::vector<int32_t> Tokens() {
    const int32_t first = input_.ConsumeIntegralInRange<int32_t>(0, 3);
    std::vector<int32_t> tokens(input_.ConsumeIntegralInRange<size_t>(0, 70));
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = first + static_cast<int32_t>(i) * 7;
    if (!tokens.empty() && input_.ConsumeIntegral<uint8_t>() == 0) tokens.back() = kVocab;
    return tokens;
  }

  void RunBatch() {
    std::vector<Part> parts;
    for (Text& text : texts_) {
      if (!input_.ConsumeBool()) continue;
      Part part{&text, Tokens(), {}};
      if (input_.ConsumeBool()) part.logits.resize(part.tokens.size() * kVocab);
      parts.push_back(std::move(part));
    }
    const bool twice = !parts.empty() && input_.ConsumeIntegral<uint8_t>() == 0;
    if (twice) parts.push_back({parts[0].text, {1}, {}});
    std::vector<bitfetch_piece> pieces;
    for (Part& part : parts) {
      pieces.push_back({.struct_size = sizeof(bitfetch_piece),
                        .sequence = part.text->sequence.get(),
                        .tokens = part.tokens.data(),
                        .count = part.tokens.size(),
                        .logits = part.logits.empty() ? nullptr : part.logits.data(),
                        .status = BITFETCH_OK,
                        .message = nullptr});
    }
    const bool has_room = HasRoom(parts);
    const bool ran = Succeeds(bitfetch_batch_run(model_, pieces.data(), pieces.size()));
    FUZZ_CHECK(ran == !twice);
    if (!ran) return;
    for (size_t i = 0; i < parts.size(); ++i) CheckPiece(pieces[i], parts[i], has_room);
  }

  // Whether it would hold all, if nothing was shared.
  bool HasRoom(const std::vector<Part>& parts) const {
    int64_t blocks = 0;
    for (const Text& text : texts_) blocks += BlocksOf(text.tokens.size());
    for (const Part& part : parts) blocks += 1 + BlocksOf(part.tokens.size());
    return blocks <= kBlocks;
  }

  static void CheckPiece(const bitfetch_piece& piece, const Part& part, bool has_room) {
    Text& text = *part.text;
    FUZZ_CHECK((piece.status == BITFETCH_OK) == (*piece.message == 0));
    const bool is_right = !part.tokens.empty() && part.tokens.back() < kVocab;
    FUZZ_CHECK((piece.status == BITFETCH_INVALID_ARGUMENT) == !is_right);
    const bool fits = text.tokens.size() + part.tokens.size() <= kContext;
    FUZZ_CHECK((piece.status == BITFETCH_CONTEXT_FULL) == (is_right && !fits));
    if (piece.status == BITFETCH_FAILED) {
      FUZZ_CHECK(!has_room);
      text.has_logits = false;
    }
    if (piece.status != BITFETCH_OK) return;
    text.tokens.insert(text.tokens.end(), part.tokens.begin(), part.tokens.end());
    text.has_logits = true;
    if (part.logits.empty()) return;
    const std::vector<float> last(part.logits.end() - kVocab, part.logits.end());
    FUZZ_CHECK(last == LogitsOf(text.sequence.get()));
  }

  static void CheckTokens(const Text& text) {
    std::vector<int32_t> tokens(text.tokens.size() + 1);
    size_t count = 0;
    FUZZ_CHECK(Succeeds(
        bitfetch_sequence_tokens(text.sequence.get(), tokens.data(), tokens.size(), &count)));
    FUZZ_CHECK(count == text.tokens.size());
    tokens.resize(count);
    FUZZ_CHECK(tokens == text.tokens);
  }

  static std::vector<float> LogitsOf(const bitfetch_sequence* sequence) {
    std::vector<float> logits(kVocab, NAN);
    FUZZ_CHECK(Succeeds(bitfetch_sequence_logits(sequence, logits.data())));
    return logits;
  }

  // Of all that have logits, which come with one call, with those of a sequence for which nothing
  // is found that was computed before.
  void CheckBits() {
    std::erase_if(texts_, [](const Text& text) { return !text.has_logits; });
    std::vector<bitfetch_sequence*> sequences;
    for (const Text& text : texts_) sequences.push_back(text.sequence.get());
    std::vector<float> logits(texts_.size() * kVocab + 1, NAN);
    FUZZ_CHECK(
        Succeeds(bitfetch_batch_logits(model_, sequences.data(), sequences.size(), logits.data())));
    for (Text& text : texts_) text.sequence.reset();
    static int64_t salt = 0;
    for (size_t i = 0; i < texts_.size(); ++i) {
      const std::vector<int32_t>& tokens = texts_[i].tokens;
      const Sequence alone = NewSequence(std::to_string(++salt));
      FUZZ_CHECK(Succeeds(bitfetch_sequence_append(alone.get(), tokens.data(), tokens.size())));
      FUZZ_CHECK(
          std::ranges::equal(LogitsOf(alone.get()), std::span(logits).subspan(i * kVocab, kVocab)));
    }
  }

  FuzzedDataProvider input_;
  const bitfetch_model* model_;
  std::vector<Text> texts_;
};

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitfetch::Batches(data, size).Run();
  return 0;
}
