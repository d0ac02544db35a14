// SPDX-License-Identifier: Apache-2.0
#include "text/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/math.h"

namespace bitfetch {
namespace {

constexpr float kMaxLogit = std::numeric_limits<float>::max();  // differences stay numbers

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t mixed = seed;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    word = mixed ^ mixed >> 31;
  }
}

uint64_t Random::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

Result<Sampler> Sampler::Create(const SamplerOptions& options) {
  // Each condition is false for NaN too.
  if (!(options.temperature >= 0 && std::isfinite(options.temperature))) {
    return Fail("the temperature must be 0 or more, not {}", options.temperature);
  }
  if (options.top_k < 0) return Fail("top-k must be 0 or more, not {}", options.top_k);
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return Fail("top-p must be above 0 and at most 1, not {}", options.top_p);
  }
  if (!(options.min_p >= 0 && options.min_p <= 1)) {
    return Fail("min-p must be from 0 to 1, not {}", options.min_p);
  }
  if (!(options.repeat_penalty > 0 && std::isfinite(options.repeat_penalty))) {
    return Fail("the repeat penalty must be above 0, not {}", options.repeat_penalty);
  }
  for (const auto& [name, penalty] : {std::pair("frequency", options.frequency_penalty),
                                      std::pair("presence", options.presence_penalty)}) {
    if (!std::isfinite(penalty))
      return Fail("the {} penalty must be finite, not {}", name, penalty);
  }
  for (const auto& [id, bias] : options.bias) {
    if (std::isnan(bias) || bias == std::numeric_limits<float>::infinity()) {
      return Fail("the bias of token {} must be finite or -inf, not {}", id, bias);
    }
  }
  if (options.repeat_window < 0) {
    return Fail("the window of the repeat penalty must be 0 or more, not {}",
                options.repeat_window);
  }
  return Sampler(options);
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
  std::ranges::sort(options_.bias, {}, &Logit::id);
}

LogitsWanted Sampler::Wanted(std::span<const int> history) const {
  LogitsWanted wanted;
  if (options_.temperature == 0) {
    wanted.top = 1;
  } else if (options_.top_k > 0) {
    wanted.top = options_.top_k;
  } else if (options_.top_p == 1 && options_.min_p > 0) {
    // A little more than min-p leaves, since logarithm, exponential and differences are rounded.
    wanted.top = 1;
    wanted.margin = 1e-9 - Log(options_.min_p);
  }
  // The others are as they were, and their order with them.
  std::vector<int>& always = wanted.always;
  for (const Occurrence& occurrence : Penalized(history)) always.push_back(occurrence.id);
  const auto penalized = static_cast<ptrdiff_t>(always.size());
  for (const Logit& bias : options_.bias) always.push_back(bias.id);
  std::inplace_merge(always.begin(), always.begin() + penalized, always.end());
  always.erase(std::unique(always.begin(), always.end()), always.end());
  return wanted;
}

int Sampler::Sample(std::span<const Logit> logits, std::span<const int> history) {
  candidates_.assign(logits.begin(), logits.end());
  AddBias();
  Penalize(history);
  // max_element() gives the first of equals.
  const Logit best = *std::ranges::max_element(candidates_, {}, &Logit::value);
  if (options_.temperature == 0) return best.id;

  KeepTopK();
  KeepTopP(best.value);
  if (options_.min_p > 0) {
    std::erase_if(candidates_, [&](const Logit& candidate) {
      return Exp(static_cast<double>(candidate.value) - best.value) < options_.min_p;
    });
  }
  return Draw(best.value);
}

// What the penalties are for, by id.
std::vector<Sampler::Occurrence> Sampler::Penalized(std::span<const int> history) const {
  if (options_.repeat_penalty == 1 && options_.frequency_penalty == 0 &&
      options_.presence_penalty == 0) {
    return {};
  }
  const size_t window = std::min(history.size(), static_cast<size_t>(options_.repeat_window));
  std::vector<int> recent(history.end() - static_cast<ptrdiff_t>(window), history.end());
  std::ranges::sort(recent);
  std::vector<Occurrence> occurrences;
  for (const int id : recent) {
    if (occurrences.empty() || occurrences.back().id != id) occurrences.push_back({id, 0});
    ++occurrences.back().count;
  }
  return occurrences;
}

// The candidate of this id; null: there is none, or one that is never drawn.
Logit* Sampler::Find(int id) {
  const auto found = std::ranges::lower_bound(candidates_, id, {}, &Logit::id);
  const bool can_change =
      found != candidates_.end() && found->id == id && std::isfinite(found->value);
  return can_change ? &*found : nullptr;
}

void Sampler::AddBias() {
  for (const Logit& bias : options_.bias) {
    Logit* found = Find(bias.id);
    if (found != nullptr) found->value = std::min(found->value + bias.value, kMaxLogit);
  }
}

void Sampler::Penalize(std::span<const int> history) {
  for (const auto& [id, count] : Penalized(history)) {
    Logit* found = Find(id);
    if (found == nullptr) continue;
    const double logit = found->value;
    const double repeated =
        logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    const double penalized =
        repeated - (count * options_.frequency_penalty + options_.presence_penalty);
    constexpr double kMax = kMaxLogit;
    found->value = static_cast<float>(std::clamp(penalized, -kMax, kMax));
  }
}

void Sampler::KeepTopK() {
  const size_t count = static_cast<size_t>(options_.top_k);
  if (count == 0 || count >= candidates_.size()) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(count),
                   candidates_.end(), Likelier);
  candidates_.resize(count);
  std::ranges::sort(candidates_, {}, &Logit::id);
}

void Sampler::KeepTopP(float best_logit) {
  if (options_.top_p == 1) return;
  double total = 0;
  for (const Logit& candidate : candidates_) {
    total += Exp(static_cast<double>(candidate.value) - best_logit);
  }

  // Sorted only as far as needed, which seldom is far.
  double sum = 0;
  size_t kept = 0;
  for (size_t sorted = 0; sum < options_.top_p * total && kept < candidates_.size();) {
    const size_t end = std::min(candidates_.size(), 4 * sorted + 64);
    const auto first = candidates_.begin() + static_cast<ptrdiff_t>(sorted);
    const auto last = candidates_.begin() + static_cast<ptrdiff_t>(end);
    std::nth_element(first, last, candidates_.end(), Likelier);
    std::sort(first, last, Likelier);
    sorted = end;
    while (kept < sorted && sum < options_.top_p * total) {
      sum += Exp(static_cast<double>(candidates_[kept++].value) - best_logit);
    }
  }
  candidates_.resize(kept);
  std::ranges::sort(candidates_, {}, &Logit::id);
}

int Sampler::Draw(float best_logit) {
  weights_.clear();
  double total = 0;
  for (const Logit& candidate : candidates_) {
    const double logit = static_cast<double>(candidate.value) - best_logit;
    weights_.push_back(Exp(logit / options_.temperature));
    total += weights_.back();
  }
  // target < total, so that the sum passes it, at a candidate with a weight.
  const double target = random_.NextUnit() * total;
  double sum = 0;
  size_t i = 0;
  while (i + 1 < candidates_.size() && (sum += weights_[i]) <= target) ++i;
  return candidates_[i].id;
}

}  // namespace bitfetch
