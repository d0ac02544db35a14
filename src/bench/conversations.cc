// SPDX-License-Identifier: Apache-2.0
#include "bench/conversations.h"

#include <algorithm>

#include "base/math.h"
#include "text/sampler.h"

namespace bitfetch {
namespace {

constexpr int kSystemPrompts = 16;
constexpr double kEnds = 0.25;  // after a turn
constexpr double kPause = 16;   // between two, while one conversation begins in a unit of time
constexpr int kVocabulary = 30'000;

class Maker {
 public:
  // Even on a logarithmic scale.
  int64_t Length(double min, double max) {
    return static_cast<int64_t>(min * Exp(random_.NextUnit() * Log(max / min)));
  }
  double Pause(double mean) { return -mean * Log(1 - random_.NextUnit()); }
  bool Chance(double share) { return random_.NextUnit() < share; }
  void Append(std::vector<int>& tokens, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      tokens.push_back(static_cast<int>(random_.NextUnit() * kVocabulary));
    }
  }
  int SystemPrompt() {
    double left = random_.NextUnit();
    double sum = 0;
    for (int i = 0; i < kSystemPrompts; ++i) sum += 1.0 / (i + 1);
    for (int i = 0; i < kSystemPrompts - 1; ++i) {
      left -= 1.0 / (i + 1) / sum;
      if (left < 0) return i;
    }
    return kSystemPrompts - 1;
  }

 private:
  Random random_{1};
};

}  // namespace

Conversations MakeConversations(int count) {
  Maker maker;
  std::vector<std::vector<int>> system_prompts(kSystemPrompts);
  for (std::vector<int>& prompt : system_prompts) maker.Append(prompt, maker.Length(64, 2048));
  struct Timed {
    double time;
    ConversationTurn turn;
  };
  std::vector<Timed> turns;
  Conversations all;
  double begin = 0;
  for (int i = 0; i < count; ++i) {
    std::vector<int> tokens = system_prompts[maker.SystemPrompt()];
    double time = begin += maker.Pause(1);
    do {
      const int64_t message = maker.Length(8, 512);
      const int64_t answer = maker.Length(32, 1024);
      if (std::ssize(tokens) + message + answer > Conversations::kMaxTokens) break;
      maker.Append(tokens, message);
      const int64_t prompt = std::ssize(tokens);
      maker.Append(tokens, answer);
      turns.push_back({time, {i, prompt, std::ssize(tokens)}});
      time += maker.Pause(kPause);
    } while (!maker.Chance(kEnds));
    all.tokens.push_back(std::move(tokens));
  }
  std::ranges::stable_sort(turns, {}, &Timed::time);
  for (const Timed& timed : turns) all.turns.push_back(timed.turn);
  return all;
}

}  // namespace bitfetch
