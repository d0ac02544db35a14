// SPDX-License-Identifier: Apache-2.0
#include "api/tiny_model.h"

namespace bitfetch {
namespace {

class CApiSampler : public testing::Test {
 protected:
  Model model_{kTinyModel, QuietModelOptions()};
};

TEST_F(CApiSampler, DrawsTheTokensOfGenerate) {
  const std::vector<int32_t> prompt = model_.Tokenize("In the beginning", /*first=*/true);
  bitfetch_sampling penalty = ShortSampling(24, 7);
  penalty.repeat_penalty = 1.3;
  bitfetch_sampling all = ShortSampling(24, 8);
  all.temperature = 1.5;
  all.top_k = 0;
  all.top_p = 1;
  all.min_p = 0;
  for (const bitfetch_sampling& sampling : {ShortSampling(24, 5), penalty, all}) {
    Sequence generated(model_), drawn(model_);
    Generated(generated, "In the beginning", sampling);
    cpp::Sampler sampler(sampling);
    drawn.Append(prompt);
    for (int i = 0; i < 24; ++i) {
      const int32_t token = sampler.Sample(drawn);
      drawn.Append({&token, 1});
      if (model_.IsStop(token)) break;
    }
    EXPECT_EQ(drawn.tokens(), generated.tokens());
  }
}

TEST_F(CApiSampler, RefusesWhatItCannotDrawFrom) {
  Sequence empty(model_);
  int32_t token = 7;
  const cpp::Sampler sampler;
  ExpectStatus(bitfetch_sampler_sample(sampler.get(), empty.get(), &token), BITFETCH_FAILED,
               "no token was appended");
  ExpectStatus(bitfetch_sampler_sample(nullptr, empty.get(), &token), BITFETCH_INVALID_ARGUMENT,
               "sampler");
  ExpectStatus(bitfetch_sampler_sample(sampler.get(), nullptr, &token), BITFETCH_INVALID_ARGUMENT,
               "sequence");
  ExpectStatus(bitfetch_sampler_sample(sampler.get(), empty.get(), nullptr),
               BITFETCH_INVALID_ARGUMENT, "token");
  EXPECT_EQ(token, 7);

  bitfetch_sampling impossible = bitfetch_default_sampling();
  impossible.top_p = 2;
  bitfetch_sampler* none = nullptr;
  ExpectStatus(bitfetch_sampler_create(&impossible, &none), BITFETCH_INVALID_ARGUMENT, "top-p");
  EXPECT_EQ(none, nullptr);
  ExpectStatus(bitfetch_sampler_create(nullptr, nullptr), BITFETCH_INVALID_ARGUMENT, "sampler");
  bitfetch_sampler_free(nullptr);
}

}  // namespace
}  // namespace bitfetch
