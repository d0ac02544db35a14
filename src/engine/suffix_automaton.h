// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SUFFIX_AUTOMATON_H_
#define BITFETCH_ENGINE_SUFFIX_AUTOMATON_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

namespace bitfetch {

// Knows what a text of token ids repeats, while it grows. It is the smallest automaton that accepts
// every part of the text (Blumer, Blumer, Haussler, Ehrenfeucht, Chen and Seiferas, 1985, "The
// smallest automaton recognizing the subwords of a text"), built online; Hu and others, 2024, "SAM
// Decoding: Speculative Decoding via Suffix Automaton" (arXiv 2411.10666), draft tokens from one.
class SuffixAutomaton {
 public:
  // The text goes on with this token. O(1), amortised; a token takes at most 110 bytes or so.
  void Append(int token);

  std::span<const int> text() const { return text_; }
  int64_t length() const { return std::ssize(text_); }

  // How many of the last tokens stand earlier in the text, too, one behind the other; as many as
  // possible. 0: the last token is new.
  int64_t match() const { return match_; }

  // What stands there behind the match: the token that would come i-th from here, i from 0 on.
  // Where that place runs into the end of the text, it goes on with itself. match() > 0.
  int Guess(int64_t i) const;

 private:
  // Parts of the text that end at the same places: the longest has `length` tokens, the shortest
  // one more than the longest of `link`, which are ends of it.
  struct State {
    int length;
    int link;
    int end;         // a place where they end: an index in the text
    int first_edge;  // to parts that are a token longer
  };
  struct Edge {
    int from;
    int token;
    int to;
    int next_of_state;
    int next_of_bucket;
  };
  static constexpr int kNone = -1;

  int AddState(const State& state);
  void AddEdge(int from, int token, int to);
  int FindEdge(int from, int token) const;
  int Split(int state, int token, int next);
  size_t Bucket(int from, int token) const;

  std::vector<int> text_;
  std::vector<State> states_ = {{.length = 0, .link = kNone, .end = kNone, .first_edge = kNone}};
  std::vector<Edge> edges_;
  std::vector<int> buckets_ = std::vector<int>(64, kNone);  // of edges; a power of two
  int last_ = 0;                                            // the state of the whole text
  int64_t match_ = 0;
  int64_t match_end_ = 0;  // where it stands earlier: behind its last token
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SUFFIX_AUTOMATON_H_
