// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_SUBWORD_MODEL_H_
#define BITFETCH_TEXT_SUBWORD_MODEL_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/vocabulary.h"

namespace bitfetch {

// How text becomes tokens, once what is control or user-defined has been taken out of it: what the
// kinds of tokenizer differ in. Any number of threads may use one at once.
class SubwordModel {
 public:
  virtual ~SubwordModel() = default;

  // A text, or the name of a token, in the spelling in which names are looked for in texts.
  virtual std::string Spelt(std::string text) const = 0;

  // What a word or a user-defined token stands for.
  virtual std::string Bytes(const std::string& token, TokenUse::Kind kind) const = 0;

  // Appends the ids of a spelt text, which must be valid UTF-8.
  virtual Status Encode(std::string_view text, std::vector<int>* ids) const = 0;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_SUBWORD_MODEL_H_
