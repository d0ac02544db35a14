// SPDX-License-Identifier: Apache-2.0
#include "engine/past_texts.h"

#include <algorithm>
#include <cstring>

namespace bitfetch {

void PastTexts::Add(const BlockKey& key, std::span<const int> text) {
  text = text.last(std::min<size_t>(text.size(), kTokens));
  const uint32_t number = numbers_++;
  keys_[number % kTexts] = key;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i >= kMatch) places_[Bucket(key, text.subspan(i - kMatch, kMatch))] = end_;
    slots_[end_++ % kTokens] = {text[i], number};
  }
}

void PastTexts::Trail::Advance(std::span<const int> text) {
  if (Guess(0) == text.back()) {
    ++place_;
    match_ = std::min(match_ + 1, kCounted);
    return;
  }
  match_ = 0;
  if (text.size() < kMatch) return;
  const PastTexts& texts = *texts_;
  place_ = texts.places_[texts.Bucket(key_, text.last(kMatch))];
  if (place_ == kNone) return;
  number_ = texts.slots_[place_ % kTokens].number;
  // Others may hash alike, and lie where this one did.
  if (texts.numbers_ - number_ <= kTexts && texts.keys_[number_ % kTexts] == key_) {
    const int64_t most = std::min<int64_t>(std::ssize(text), kCounted);
    while (match_ < most &&
           texts.At(place_ - 1 - match_, number_) == text[text.size() - 1 - match_]) {
      ++match_;
    }
  }
  if (match_ < kMatch) match_ = 0;
}

int PastTexts::Trail::Guess(int64_t i) const {
  return match_ > 0 ? texts_->At(place_ + i, number_) : kNone;
}

int PastTexts::At(int64_t place, uint32_t number) const {
  if (place < std::max<int64_t>(end_ - kTokens, 0) || place >= end_) return kNone;
  const Slot& slot = slots_[place % kTokens];
  return slot.number == number ? slot.token : kNone;
}

size_t PastTexts::Bucket(const BlockKey& key, std::span<const int> last) const {
  uint64_t hash = 0;
  std::memcpy(&hash, key.digest.data(), sizeof(hash));
  for (const int token : last) hash = (hash ^ static_cast<uint32_t>(token)) * 0x9e3779b97f4a7c15;
  return (hash >> 32) % places_.size();
}

}  // namespace bitfetch
