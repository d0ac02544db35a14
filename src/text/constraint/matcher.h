// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_MATCHER_H_
#define BITFETCH_TEXT_CONSTRAINT_MATCHER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "text/constraint/grammar.h"

namespace bitfetch {

// Follows a grammar through a text, all ways at once. What a text leads to is a state: the places
// in the grammar where it may go on, each with the repeats around it. States that were met are
// known again, and so is where each byte leads from them: the second time costs a look at a table.
class Matcher {
 public:
  using State = int32_t;
  static constexpr State kDead = -1;  // no text goes on from here

  // Of more places at once the last are dropped: what is left of the grammar is taken still, and
  // can be ended.
  static constexpr size_t kMaxPlaces = 256;

  // `grammar` takes some text, and outlives this.
  explicit Matcher(const Grammar& grammar);

  State start();
  State Step(State state, uint8_t byte);
  bool MayEnd(State state) const { return states_[state].may_end; }
  // Whether nothing can follow.
  bool MustEnd(State state) const { return states_[state].places.empty(); }

  // A state from which the same texts of up to `bytes` lead on as from `state`, and which is the
  // same for more of them: counts are forgotten that are too far from their limits to matter.
  State Nearby(State state, uint32_t bytes);

  // How many places were looked at to make new states, since the beginning.
  int64_t work() const { return work_; }

  // Where much is known, forgets all states but `keep`, which become the same ones' new names;
  // whether it did.
  bool Trim(std::span<State> keep);

 private:
  static constexpr int32_t kNoFrame = -1;
  static constexpr State kUnknown = -2;

  // A repeat that is being gone through.
  struct Frame {
    Grammar::NodeId repeat;
    uint32_t count;  // this time included, as far as it matters
    int32_t parent;
    int32_t depth;
    bool operator==(const Frame&) const = default;
  };
  struct FrameHash {
    size_t operator()(const Frame& frame) const;
  };
  struct Place {
    Grammar::NodeId node;  // a kByte
    int32_t frame;
    bool operator==(const Place&) const = default;
  };
  struct PlacesHash {
    size_t operator()(const std::vector<Place>& places) const;
  };
  struct Known {
    std::vector<Place> places;  // in the order of the grammar's choices
    bool may_end;
    std::vector<State> next;  // [byte classes]
  };
  // A node that the text has come to, before its kByte nodes are looked for.
  struct Arrival {
    Grammar::NodeId node;
    int32_t frame;
    uint32_t count;  // at a kRepeat, how often it has been gone through
    bool operator==(const Arrival&) const = default;
  };
  struct ArrivalHash {
    size_t operator()(const Arrival& arrival) const;
  };

  int32_t Enter(const Frame& frame);
  int Depth(int32_t frame) const { return frame == kNoFrame ? 0 : frames_[frame].depth; }
  int32_t Keep(int32_t frame, const std::vector<Frame>& frames);
  int32_t NearbyFrame(int32_t frame, uint32_t bytes);
  // The state of all that `arrivals_` lead to, of which the last is looked at first.
  State Arrive();
  void Follow(const Arrival& arrival, bool* may_end);
  State Intern(std::vector<Place> places, bool may_end);

  const Grammar& grammar_;
  std::vector<Frame> frames_;
  std::unordered_map<Frame, int32_t, FrameHash> frame_ids_;
  std::vector<Known> states_;
  std::unordered_map<std::vector<Place>, State, PlacesHash> state_ids_[2];  // by may_end
  State start_ = kUnknown;
  size_t known_places_ = 0;  // of all states
  int64_t work_ = 0;

  // Used within one call.
  std::vector<Arrival> arrivals_;
  std::unordered_set<Arrival, ArrivalHash> visited_;
  std::vector<Place> places_;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_MATCHER_H_
