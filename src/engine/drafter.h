// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_DRAFTER_H_
#define BITFETCH_ENGINE_DRAFTER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/pass_cost.h"
#include "engine/past_texts.h"
#include "engine/suffix_automaton.h"

namespace bitfetch {

// What `--draft auto|off|N` asks for: how many tokens of a text are guessed ahead.
inline constexpr int kDraftAuto = -1;  // as many as pay
inline constexpr int kDraftOff = 0;
inline constexpr int kMaxDraft = 63;

// "auto", "off", or a plain decimal number from 1 to kMaxDraft. Fails for anything else, and quotes
// it.
Result<int> ParseDraft(std::string_view text);
std::string DraftText(int draft);  // the word that was given

// Guesses how one text goes on from what it repeats, of itself or of past texts, and how many of
// these guesses are worth their rows in a pass. What it says changes speed only.
class Drafter {
 public:
  explicit Drafter(int draft) : draft_(draft) {}
  Drafter(int draft, PastTexts::Trail past) : draft_(draft), past_(past) {}

  // The text goes on with these tokens. O(1) each, amortised; nothing where nothing is drafted.
  void Append(std::span<const int> tokens);
  int64_t length() const { return text_.length(); }  // of the text; 0 where nothing is drafted

  // The tokens that are worth trying behind the text, at most `max`; often none. A pass has
  // `others` rows besides theirs, each of which gives a token.
  std::vector<int> Guess(int64_t max, const PassCost& cost, int64_t others = 1) const;

 private:
  // How often a guess stood lately, by the length of the match: 1, 2 to 3, 4 to 7 ... tokens. Every
  // token of the text is held against the guess, whether that was tried in a pass or not.
  class Chances {
   public:
    double Of(int64_t match) const { return match > 0 ? stood_[Index(match)] : 0; }
    void Learn(int64_t match, bool stood);

   private:
    static constexpr int kMatches = 6;
    static int Index(int64_t match);
    std::array<double, kMatches> stood_ = {0.1, 0.25, 0.5, 0.7, 0.8, 0.8};
  };
  template <class Source>
  std::vector<int> Guess(const Source& source, const Chances& chances, int64_t max,
                         const PassCost& cost, int64_t others) const;

  const int draft_;
  SuffixAutomaton text_;
  Chances own_chances_;
  std::optional<PastTexts::Trail> past_;
  Chances past_chances_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_DRAFTER_H_
