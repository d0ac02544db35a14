// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_TEST_TOKENIZER_H_
#define BITFETCH_TEXT_TEST_TOKENIZER_H_

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "text/tokenizer.h"

namespace bitfetch {

inline Tokenizer MakeTokenizer(Vocabulary vocabulary) {
  Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(vocabulary));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *std::move(tokenizer);
}

// The error; empty where there is none.
inline std::string WhyNoTokenizer(Vocabulary vocabulary) {
  const Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(vocabulary));
  return tokenizer ? "" : tokenizer.error().message;
}

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_TEST_TOKENIZER_H_
