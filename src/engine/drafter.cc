// SPDX-License-Identifier: Apache-2.0
#include "engine/drafter.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <system_error>

#include "model/forward.h"
#include "model/output_head.h"

namespace bitfetch {

static_assert(kMaxDraft + 1 == ForwardPass::kMaxRows);

Result<int> ParseDraft(std::string_view text) {
  if (text == "auto") return kDraftAuto;
  if (text == "off") return kDraftOff;
  int draft = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, draft);
  // A leading zero would not come back as it was given.
  const bool plain = !text.empty() && text[0] >= '1' && text[0] <= '9' && stop == end;
  if (!plain || error != std::errc() || draft > kMaxDraft) {
    return Fail("'{}' is no draft setting: wanted auto, off, or from 1 to {} tokens", text,
                kMaxDraft);
  }
  return draft;
}

std::string DraftText(int draft) {
  if (draft == kDraftAuto) return "auto";
  return draft == kDraftOff ? "off" : fmt::format("{}", draft);
}

int Drafter::Chances::Index(int64_t match) {
  return std::min(static_cast<int>(std::bit_width(static_cast<uint64_t>(match))), kMatches) - 1;
}

void Drafter::Chances::Learn(int64_t match, bool stood) {
  if (match == 0) return;
  double& chance = stood_[Index(match)];
  chance += ((stood ? 1 : 0) - chance) / 16;
}

void Drafter::Append(std::span<const int> tokens) {
  if (draft_ == kDraftOff) return;
  for (const int token : tokens) {
    own_chances_.Learn(text_.match(), text_.match() > 0 && text_.Guess(0) == token);
    text_.Append(token);
    if (!past_) continue;
    past_chances_.Learn(past_->match(), past_->Guess(0) == token);
    past_->Advance(text_.text());
  }
}

std::vector<int> Drafter::Guess(int64_t max, const PassCost& cost, int64_t others) const {
  if (draft_ == kDraftOff) return {};
  const double own = own_chances_.Of(text_.match());
  return past_ && past_chances_.Of(past_->match()) > own
             ? Guess(*past_, past_chances_, max, cost, others)
             : Guess(text_, own_chances_, max, cost, others);
}

template <class Source>
std::vector<int> Drafter::Guess(const Source& source, const Chances& chances, int64_t max,
                                const PassCost& cost, int64_t others) const {
  std::vector<int> guesses;
  if (source.match() == 0) return guesses;
  const bool is_auto = draft_ == kDraftAuto;
  // More than the output head screens with one read never pay.
  max = std::min<int64_t>(max, is_auto ? OutputHead::kScreenedTogether - 1 : draft_);
  // A guess more pays while tokens over time grow with it.
  double chance = 1;
  double tokens = static_cast<double>(others);
  double time = 1 + (tokens - 1) * cost.row();
  while (std::ssize(guesses) < max) {
    const int64_t i = std::ssize(guesses);
    const int guess = source.Guess(i);
    if (guess == PastTexts::kNone) break;
    chance *= chances.Of(source.match() + i);
    if (is_auto && chance * time <= cost.row() * tokens) break;
    tokens += chance;
    time += cost.row();
    guesses.push_back(guess);
  }
  return guesses;
}

}  // namespace bitfetch
