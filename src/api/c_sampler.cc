// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "api/guarded.h"
#include "api/handles.h"
#include "api/sampling.h"
#include "api/sized_struct.h"
#include "bitfetch/bitfetch.h"

struct bitfetch_sampler {
  bitfetch::Sampler sampler;
};

namespace bitfetch {
namespace {

// The last member of the first version; those that came later stand behind it.
constexpr size_t kFirstSampling = BITFETCH_FIRST_VERSION(bitfetch_sampling, seed);

constexpr bitfetch_sampling kDefaultSampling = {.struct_size = sizeof(kDefaultSampling),
                                                .max_tokens = -1,
                                                .temperature = kUsualSampling.temperature,
                                                .top_k = kUsualSampling.top_k,
                                                .top_p = kUsualSampling.top_p,
                                                .min_p = kUsualSampling.min_p,
                                                .repeat_penalty = kUsualSampling.repeat_penalty,
                                                .seed = kUsualSampling.seed,
                                                .draft = "auto"};

}  // namespace

bitfetch_status ReadSampling(const bitfetch_sampling* sampling, bitfetch_sampling* wanted,
                             std::optional<Sampler>* sampler) {
  *wanted = kDefaultSampling;
  if (sampling != nullptr) {
    BITFETCH_RETURN_IF_NOT_OK(Allowed(ReadSized("sampling", sampling, kFirstSampling, wanted)));
  }
  if (wanted->max_tokens < -1) {
    return Fails(BITFETCH_INVALID_ARGUMENT,
                 fmt::format("max_tokens: {} is less than -1", wanted->max_tokens));
  }
  auto created = Sampler::Create({.temperature = wanted->temperature,
                                  .top_k = wanted->top_k,
                                  .top_p = wanted->top_p,
                                  .min_p = wanted->min_p,
                                  .repeat_penalty = wanted->repeat_penalty,
                                  .seed = wanted->seed});
  if (!created) return Fails(BITFETCH_INVALID_ARGUMENT, created.error().message);
  sampler->emplace(*std::move(created));
  return BITFETCH_OK;
}

}  // namespace bitfetch

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_sampling_init(bitfetch_sampling* sampling, size_t struct_size) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sampling);
    return Allowed(WriteSized("sampling", kDefaultSampling, kFirstSampling, sampling, struct_size));
  });
}

bitfetch_status bitfetch_sampler_create(const bitfetch_sampling* sampling,
                                        bitfetch_sampler** sampler) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sampler);
    bitfetch_sampling wanted;
    std::optional<Sampler> read;
    BITFETCH_RETURN_IF_NOT_OK(ReadSampling(sampling, &wanted, &read));
    *sampler = new bitfetch_sampler{*std::move(read)};
    return BITFETCH_OK;
  });
}

void bitfetch_sampler_free(bitfetch_sampler* sampler) { delete sampler; }

bitfetch_status bitfetch_sampler_sample(bitfetch_sampler* sampler,
                                        const bitfetch_sequence* sequence, int32_t* token) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sampler);
    BITFETCH_REQUIRE(sequence);
    BITFETCH_REQUIRE(token);
    const std::lock_guard turn(sequence->model->turns);
    BITFETCH_RETURN_IF_NOT_OK(CheckIdle(*sequence));
    const Sequence& text = sequence->text.sequence();
    LogitsQuery query{.sequence = &text, .wanted = sampler->sampler.Wanted(text.tokens())};
    sequence->model->engine->Logits({&query, 1});
    BITFETCH_RETURN_IF_NOT_OK(Told(query.status));
    *token = sampler->sampler.Sample(query.logits, text.tokens());
    return BITFETCH_OK;
  });
}

}  // extern "C"
