// SPDX-License-Identifier: Apache-2.0
#include "engine/perplexity.h"

#include <algorithm>
#include <vector>

#include "base/math.h"

namespace bitfetch {
namespace {

// The negative log likelihoods of one window, summed over its scored tokens.
class WindowScorer {
 public:
  explicit WindowScorer(Session& session)
      : session_(session),
        vocab_(session.model().config().vocab),
        logits_(ForwardPass::kMaxRows * vocab_) {}

  Result<double> Score(std::span<const int> window) {
    const size_t unscored = window.size() / 2;
    session_.Truncate(0);
    double sum = 0;
    // The last token is scored, but nothing comes after it.
    for (size_t begin = 0; begin + 1 < window.size();) {
      const bool scored = begin >= unscored;
      const size_t end =
          std::min<size_t>(begin + ForwardPass::kMaxRows, scored ? window.size() - 1 : unscored);
      const auto batch = window.subspan(begin, end - begin);
      if (scored) {
        BITFETCH_RETURN_IF_ERROR(session_.AppendBatch(batch, logits_.data()));
        for (size_t i = 0; i < batch.size(); ++i) {
          const std::span<const float> logits(logits_.data() + i * vocab_, vocab_);
          sum += LogSumExp(logits) - logits[window[begin + i + 1]];
        }
      } else {
        BITFETCH_RETURN_IF_ERROR(session_.Append(batch));
      }
      begin = end;
    }
    return sum;
  }

 private:
  Session& session_;
  size_t vocab_;
  std::vector<float> logits_;  // [ForwardPass::kMaxRows][vocab]
};

}  // namespace

Result<Perplexity> MeasurePerplexity(
    Session& session, const Tokenizer& tokenizer, std::span<const int> tokens, int64_t context,
    const std::function<void(const Perplexity& so_far, int64_t windows)>& on_window) {
  if (context < kMinPerplexityContext) {
    return Fail("a window of {} tokens has none to score: {} are the least", context,
                kMinPerplexityContext);
  }
  if (static_cast<int64_t>(tokens.size()) < context) {
    return Fail("the text has {} tokens, fewer than one window of {}", tokens.size(), context);
  }
  for (const int token : tokens) {
    if (token < 0 || token >= tokenizer.size()) {
      return Fail("token {} is out of range: the vocabulary has {}", token, tokenizer.size());
    }
  }

  WindowScorer scorer(session);
  const int64_t windows = static_cast<int64_t>(tokens.size()) / context;
  Perplexity result;
  double sum = 0;
  while (result.windows < windows) {
    const auto source = tokens.subspan(result.windows * context, context);
    std::vector<int> window(source.begin(), source.end());
    if (tokenizer.add_bos() && tokenizer.bos() >= 0) window[0] = tokenizer.bos();
    BITFETCH_ASSIGN_OR_RETURN(const double window_sum, scorer.Score(window));
    sum += window_sum;
    for (const int token : std::span(window).subspan(context / 2 + 1)) {
      ++result.scored_tokens;
      result.scored_bytes += static_cast<int64_t>(tokenizer.TokenBytes(token).size());
    }
    if (result.scored_bytes == 0) return Fail("the scored tokens stand for no text");
    ++result.windows;
    result.perplexity = Exp(sum / static_cast<double>(result.scored_tokens));
    result.bits_per_byte = sum / Log(2.0) / static_cast<double>(result.scored_bytes);
    if (on_window) on_window(result, windows);
  }
  session.Truncate(0);
  return result;
}

}  // namespace bitfetch
