// SPDX-License-Identifier: Apache-2.0
#include "engine/suffix_automaton.h"

namespace bitfetch {

void SuffixAutomaton::Append(int token) {
  const int end = static_cast<int>(text_.size());
  text_.push_back(token);
  const int whole =
      AddState({.length = states_[last_].length + 1, .link = 0, .end = end, .first_edge = kNone});
  int state = last_;
  int edge = kNone;
  while (state != kNone && (edge = FindEdge(state, token)) == kNone) {
    AddEdge(state, token, whole);
    state = states_[state].link;
  }
  if (state != kNone) {
    const int next = edges_[edge].to;
    states_[whole].link =
        states_[next].length == states_[state].length + 1 ? next : Split(state, token, next);
  }
  last_ = whole;
  // The link of the whole text is the longest end of it that stands elsewhere, too.
  State& repeated = states_[states_[whole].link];
  match_ = repeated.length;
  match_end_ = repeated.end + 1;
  repeated.end = end;  // what was said last is the likeliest to come again
}

int SuffixAutomaton::Guess(int64_t i) const {
  const int64_t period = static_cast<int64_t>(text_.size()) - match_end_;
  return text_[match_end_ + i % period];
}

// Of the parts that `next` stands for, those up to an edge from `state` have come to end at the end
// of the text as well: they get a state of their own.
int SuffixAutomaton::Split(int state, int token, int next) {
  const int shorter = AddState({.length = states_[state].length + 1,
                                .link = states_[next].link,
                                .end = states_[next].end,
                                .first_edge = kNone});
  for (int edge = states_[next].first_edge; edge != kNone; edge = edges_[edge].next_of_state) {
    AddEdge(shorter, edges_[edge].token, edges_[edge].to);
  }
  states_[next].link = shorter;
  for (; state != kNone; state = states_[state].link) {
    int& to = edges_[FindEdge(state, token)].to;
    if (to != next) break;
    to = shorter;
  }
  return shorter;
}

int SuffixAutomaton::AddState(const State& state) {
  states_.push_back(state);
  return static_cast<int>(states_.size()) - 1;
}

void SuffixAutomaton::AddEdge(int from, int token, int to) {
  const int added = static_cast<int>(edges_.size());
  edges_.push_back({from, token, to, states_[from].first_edge, kNone});
  states_[from].first_edge = added;
  int first = added;  // of those that go into buckets
  if (edges_.size() > buckets_.size()) {
    buckets_.assign(2 * buckets_.size(), kNone);
    first = 0;
  }
  for (int edge = first; edge <= added; ++edge) {
    int& bucket = buckets_[Bucket(edges_[edge].from, edges_[edge].token)];
    edges_[edge].next_of_bucket = bucket;
    bucket = edge;
  }
}

int SuffixAutomaton::FindEdge(int from, int token) const {
  int edge = buckets_[Bucket(from, token)];
  while (edge != kNone && (edges_[edge].from != from || edges_[edge].token != token)) {
    edge = edges_[edge].next_of_bucket;
  }
  return edge;
}

size_t SuffixAutomaton::Bucket(int from, int token) const {
  const uint64_t key = static_cast<uint64_t>(from) << 32 | static_cast<uint32_t>(token);
  return (key * 0x9e3779b97f4a7c15 >> 32) & (buckets_.size() - 1);
}

}  // namespace bitfetch
