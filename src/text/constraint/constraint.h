// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_CONSTRAINT_H_
#define BITFETCH_TEXT_CONSTRAINT_CONSTRAINT_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/logits.h"
#include "text/constraint/form.h"
#include "text/constraint/grammar.h"
#include "text/constraint/matcher.h"
#include "text/constraint/token_mask.h"
#include "text/constraint/token_trie.h"

namespace bitfetch {

// What an answer must be, ready for the tokens of one vocabulary. Any number of texts may be held
// to it at once, on any threads.
class Constraint {
 public:
  // Errors, one sentence each, which name the place in a schema: what is not supported, or too
  // large, or can never be met with the bytes that are tokens. Takes at most some 100 ms.
  static Result<std::shared_ptr<const Constraint>> Create(const Form& form,
                                                          std::shared_ptr<const TokenTries> tries);

  const Grammar& grammar() const { return grammar_; }
  const TokenTries& tries() const { return *tries_; }

 private:
  Constraint(Grammar grammar, std::shared_ptr<const TokenTries> tries)
      : grammar_(std::move(grammar)), tries_(std::move(tries)) {}

  Grammar grammar_;
  std::shared_ptr<const TokenTries> tries_;
};

// Holds one text to a constraint, token by token. While a text is not complete there is always a
// token that it may go on with. What is allowed depends on nothing but the constraint and the
// tokens so far.
class ConstrainedText {
 public:
  explicit ConstrainedText(std::shared_ptr<const Constraint> constraint);

  // Which tokens may come next; none of those that stand for no bytes. What was asked for at the
  // same place of the constraint lately costs some microseconds, else up to some ms for 128K
  // tokens. Where that would take longer by far, tokens of several bytes are left out.
  const TokenMask& Allowed();

  // What a sampler that wants this of all logits must see of them, before Filter(), to draw as from
  // all: where little is left out, as in thoughts and strings, not much more.
  LogitsWanted Wanted(std::span<const int> stops, LogitsWanted wanted);

  // Leaves of `logits` those of tokens that may come next; where the text may end, `stops` (in
  // rising order) too.
  void Filter(std::span<const int> stops, std::vector<Logit>* logits);

  // The token came, of these bytes; it must have been allowed.
  void Append(std::string_view bytes);

  // Whether the text may end here, and whether nothing may follow.
  bool may_end() const { return matcher_.MayEnd(state_); }
  bool must_end() const { return matcher_.MustEnd(state_); }

 private:
  struct Walked {
    Matcher::State state;
    TokenMask mask;
  };
  void AddFrom(const TokenTrie& trie, std::vector<Walked>* known);
  void Forget();

  std::shared_ptr<const Constraint> constraint_;
  Matcher matcher_;
  Matcher::State state_;
  std::array<std::vector<Walked>, 2> known_;  // of each trie, the last to be asked for
  TokenMask allowed_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_CONSTRAINT_H_
