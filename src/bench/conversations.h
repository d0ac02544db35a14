// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_BENCH_CONVERSATIONS_H_
#define BITFETCH_BENCH_CONVERSATIONS_H_

#include <cstdint>
#include <vector>

namespace bitfetch {

// One turn of a conversation: what the model is asked, and what is there when it has answered.
struct ConversationTurn {
  int conversation;
  int64_t prompt_tokens;  // the first of the conversation's tokens
  int64_t tokens;         // those and the answer's
};

// What a server of many users is asked, made up, the same in every run.
//
// A conversation has a system prompt, which is one of 16, number i of them with a weight of
// 1 / (i + 1), of 64 to 2048 tokens; then turns, four in the middle, after each of which one in
// four ends. A message has 8 to 512 tokens and an answer 32 to 1024; such lengths are even on a
// logarithmic scale. A conversation also ends before kMaxTokens. Conversations begin at random
// times (Poisson), and between two turns of one 16 others begin in the middle (exponential), so
// that some fifty are open at a time.
struct Conversations {
  static constexpr int64_t kMaxTokens = 8192;

  std::vector<std::vector<int>> tokens;  // [conversations], of all turns
  std::vector<ConversationTurn> turns;   // of all conversations, as they come
};
Conversations MakeConversations(int count);

}  // namespace bitfetch

#endif  // BITFETCH_BENCH_CONVERSATIONS_H_
