// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_SAMPLER_H_
#define BITFETCH_TEXT_SAMPLER_H_

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/logits.h"

namespace bitfetch {

// xoshiro256** (Blackman and Vigna, 2018, "Scrambled linear pseudorandom number generators"), its
// state filled from the seed by SplitMix64: the same numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t Next();
  // Evenly over [0, 1), in steps of 2^-53.
  double NextUnit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  std::array<uint64_t, 4> state_;
};

// Every default leaves the model's distribution as it is, but for the temperature: 0 takes the
// likeliest token.
struct SamplerOptions {
  double temperature = 0;  // 0 and up
  int top_k = 0;           // how many of the likeliest tokens remain; 0: all
  double top_p = 1;  // in (0, 1]: the likeliest remain until their probabilities add up to this
  double min_p = 0;  // in [0, 1]: those at least so likely remain, as a share of the likeliest
  double repeat_penalty =
      1;  // above 0: a logit that occurred is divided by it if positive, else multiplied
  double frequency_penalty = 0;  // what a logit loses for each time that it occurred
  double presence_penalty = 0;   // what it loses if it occurred
  int repeat_window = 64;        // in how many of the last tokens it must have occurred
  std::vector<Logit> bias = {};  // what is added to logits, in any order; -inf: never drawn
  uint64_t seed = 0;
};

// What fits most texts, for programs that ask nobody.
inline constexpr SamplerOptions kUsualSampling = {
    .temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.05};

// Draws tokens. Steps and their order are llama.cpp's: bias, repeat penalty, frequency and presence
// penalties (after the repeat penalty of the same logit, and over the same window), top-k, top-p,
// min-p (these two on probabilities before the temperature), temperature, draw. Equal logits go by
// id, the lowest first; sums run in the order of ids: the same logits, options and seed give the
// same tokens on every machine.
class Sampler {
 public:
  // An error names the option that is out of its range.
  static Result<Sampler> Create(const SamplerOptions& options);

  // What Sample must see behind `history` to draw as it would from all logits.
  LogitsWanted Wanted(std::span<const int> history) const;

  // The next token. `logits`: those that Wanted(history) asks for, by id; at least one, finite or
  // -inf, not all -inf. `history`: the tokens so far, prompt included, of which the last
  // `repeat_window` are looked at. Each call with a temperature uses one random number.
  // O(logits.size()); for 128K 0.1 ms without a temperature, up to a few ms with top_p and without
  // top_k.
  int Sample(std::span<const Logit> logits, std::span<const int> history);

 private:
  static bool Likelier(const Logit& a, const Logit& b) {
    return a.value != b.value ? a.value > b.value : a.id < b.id;
  }

  struct Occurrence {
    int id;
    int count;
  };

  explicit Sampler(const SamplerOptions& options);

  std::vector<Occurrence> Penalized(std::span<const int> history) const;
  Logit* Find(int id);
  void AddBias();
  void Penalize(std::span<const int> history);
  void KeepTopK();
  void KeepTopP(float best_logit);
  int Draw(float best_logit);

  SamplerOptions options_;
  Random random_;
  std::vector<Logit> candidates_;  // those that remain, biased and penalized, by id
  std::vector<double> weights_;    // of each candidate
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_SAMPLER_H_
