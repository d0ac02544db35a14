// SPDX-License-Identifier: Apache-2.0
#include "text/constraint/matcher.h"

#include <algorithm>
#include <utility>

namespace bitfetch {
namespace {

using Node = Grammar::Node;

// Of memory, some MB.
constexpr size_t kMaxTransitions = 1 << 20;
constexpr size_t kMaxFrames = 1 << 17;
constexpr size_t kMaxKnownPlaces = 1 << 18;
// Arrivals in one step, which only alternatives in great numbers have.
constexpr size_t kMaxArrivals = 4096;

size_t Mix(size_t hash, size_t value) { return (hash ^ value) * 0x9e3779b97f4a7c15 >> 7 ^ value; }

}  // namespace

size_t Matcher::FrameHash::operator()(const Frame& frame) const {
  return Mix(Mix(Mix(frame.repeat, frame.count), frame.parent), 1);
}

size_t Matcher::PlacesHash::operator()(const std::vector<Place>& places) const {
  size_t hash = places.size();
  for (const Place& place : places) hash = Mix(Mix(hash, place.node), place.frame);
  return hash;
}

size_t Matcher::ArrivalHash::operator()(const Arrival& arrival) const {
  return Mix(Mix(Mix(arrival.node, arrival.frame), arrival.count), 1);
}

Matcher::Matcher(const Grammar& grammar) : grammar_(grammar) {}

Matcher::State Matcher::start() {
  if (start_ == kUnknown) {
    arrivals_ = {{grammar_.start(), kNoFrame, 0}};
    start_ = Arrive();
  }
  return start_;
}

Matcher::State Matcher::Step(State state, uint8_t byte) {
  const int byte_class = grammar_.ByteClass(byte);
  if (byte_class == 0) return kDead;
  const State known = states_[state].next[byte_class];
  if (known != kUnknown) return known;
  const std::vector<Place>& places = states_[state].places;
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    const Node& node = grammar_.node(place->node);
    if (node.first <= byte && byte <= node.last) arrivals_.push_back({node.next, place->frame, 0});
  }
  const State next = Arrive();
  states_[state].next[byte_class] = next;
  return next;
}

Matcher::State Matcher::Arrive() {
  bool may_end = false;
  visited_.clear();
  places_.clear();
  while (!arrivals_.empty()) {
    const bool has_way = may_end || !places_.empty();
    if (has_way && (visited_.size() == kMaxArrivals || places_.size() == kMaxPlaces)) break;
    const Arrival arrival = arrivals_.back();
    arrivals_.pop_back();
    if (visited_.insert(arrival).second) Follow(arrival, &may_end);
  }
  arrivals_.clear();
  work_ += static_cast<int64_t>(visited_.size());
  if (places_.empty() && !may_end) return kDead;
  return Intern(places_, may_end);
}

void Matcher::Follow(const Arrival& arrival, bool* may_end) {
  const auto& [id, frame, count] = arrival;
  const int depth = Depth(frame);
  if (depth + grammar_.MinDepth(id) > Grammar::kMaxDepth) return;
  const Node& node = grammar_.node(id);
  switch (node.kind) {
    case Node::kByte:
      places_.push_back({id, frame});
      return;
    case Node::kEither:
      if (node.other != Grammar::kNone) arrivals_.push_back({node.other, frame, 0});
      if (node.next != Grammar::kNone) arrivals_.push_back({node.next, frame, 0});
      return;
    case Node::kRepeat:
      if (count >= node.min) arrivals_.push_back({node.next, frame, 0});
      if (count < node.max && depth < Grammar::kMaxDepth) {
        const uint32_t counted =
            node.max == Grammar::kUnbounded ? std::min(count + 1, node.min) : count + 1;
        arrivals_.push_back({node.other, Enter({id, counted, frame, depth + 1}), 0});
      }
      return;
    case Node::kReturn:
      if (frame == kNoFrame) {
        *may_end = true;
      } else {
        const Frame& left = frames_[frame];
        arrivals_.push_back({left.repeat, left.parent, left.count});
      }
      return;
  }
}

int32_t Matcher::Enter(const Frame& frame) {
  const auto [found, is_new] = frame_ids_.try_emplace(frame, static_cast<int32_t>(frames_.size()));
  if (is_new) frames_.push_back(frame);
  return found->second;
}

Matcher::State Matcher::Intern(std::vector<Place> places, bool may_end) {
  const auto [found, is_new] =
      state_ids_[may_end].try_emplace(std::move(places), static_cast<State>(states_.size()));
  if (is_new) {
    known_places_ += found->first.size();
    states_.push_back({.places = found->first,
                       .may_end = may_end,
                       .next = std::vector<State>(grammar_.byte_classes(), kUnknown)});
  }
  return found->second;
}

Matcher::State Matcher::Nearby(State state, uint32_t bytes) {
  std::vector<Place> places = states_[state].places;
  for (Place& place : places) place.frame = NearbyFrame(place.frame, bytes);
  return Intern(std::move(places), states_[state].may_end);
}

// Each time through a repeat takes a byte or more.
int32_t Matcher::NearbyFrame(int32_t frame, uint32_t bytes) {
  if (frame == kNoFrame) return frame;
  Frame nearby = frames_[frame];
  const Node& repeat = grammar_.node(nearby.repeat);
  if (nearby.count < repeat.min) {
    if (repeat.min - nearby.count > bytes) nearby.count = repeat.min - bytes - 1;
  } else if (repeat.max - nearby.count > bytes) {
    nearby.count = repeat.min;
  }
  nearby.parent = NearbyFrame(nearby.parent, bytes);
  return Enter(nearby);
}

bool Matcher::Trim(std::span<State> keep) {
  if (states_.size() * grammar_.byte_classes() < kMaxTransitions && frames_.size() < kMaxFrames &&
      known_places_ < kMaxKnownPlaces) {
    return false;
  }
  const std::vector<Known> states = std::exchange(states_, {});
  const std::vector<Frame> frames = std::exchange(frames_, {});
  frame_ids_.clear();
  for (auto& ids : state_ids_) ids.clear();
  known_places_ = 0;
  start_ = kUnknown;
  for (State& state : keep) {
    if (state == kDead) continue;
    std::vector<Place> places = states[state].places;
    for (Place& place : places) place.frame = Keep(place.frame, frames);
    state = Intern(std::move(places), states[state].may_end);
  }
  return true;
}

// A frame, which was one of `frames`, under its new name.
int32_t Matcher::Keep(int32_t frame, const std::vector<Frame>& frames) {
  if (frame == kNoFrame) return frame;
  Frame kept = frames[frame];
  kept.parent = Keep(kept.parent, frames);
  return Enter(kept);
}

}  // namespace bitfetch
