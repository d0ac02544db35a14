// SPDX-License-Identifier: Apache-2.0
#include "text/answer_text.h"

namespace bitfetch {

std::string AnswerText::Finish() {
  std::string rest = stops_.Feed(characters_.Finish());
  if (stop().empty()) rest += stops_.Finish();
  return rest;
}

}  // namespace bitfetch
