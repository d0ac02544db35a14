// SPDX-License-Identifier: Apache-2.0
#include "text/pair_merges.h"

#include <algorithm>

namespace bitfetch {
namespace {

constexpr int kNone = -1;

// A pair of neighbours that has a merge. It is out of date once one of them has been merged with
// another.
struct Candidate {
  int rank;
  int left;  // the place of the left token
  int left_token;
  int right_token;
  int merged;

  // The first of a heap is the greatest: the lowest rank, then the leftmost.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : left > other.left;
  }
};

}  // namespace

void PairMerges::Apply(std::vector<int>* tokens) const {
  std::vector<int>& token = *tokens;
  const int count = static_cast<int>(token.size());
  if (count < 2) return;

  // A linked list over places, so that a merge moves nothing.
  std::vector<int> next(count);
  std::vector<int> previous(count);
  for (int i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kNone;
    previous[i] = i - 1;
  }

  std::vector<Candidate> heap;
  // Whether there is a candidate at `left`, which is then the last in the heap, out of order.
  const auto add = [&](int left) {
    if (left == kNone || next[left] == kNone) return false;
    const int right_token = token[next[left]];
    const std::optional<Merge> merge = Find(token[left], right_token);
    if (merge) heap.push_back({merge->rank, left, token[left], right_token, merge->merged});
    return merge.has_value();
  };
  const auto push = [&](int left) {
    if (add(left)) std::push_heap(heap.begin(), heap.end());
  };
  for (int i = 0; i + 1 < count; ++i) add(i);
  std::make_heap(heap.begin(), heap.end());

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const Candidate best = heap.back();
    heap.pop_back();
    const int right = next[best.left];
    if (right == kNone || token[best.left] != best.left_token || token[right] != best.right_token) {
      continue;
    }
    token[best.left] = best.merged;
    token[right] = kNone;
    next[best.left] = next[right];
    if (next[right] != kNone) previous[next[right]] = best.left;
    push(previous[best.left]);
    push(best.left);
  }
  std::erase(token, kNone);
}

}  // namespace bitfetch
