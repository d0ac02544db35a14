// SPDX-License-Identifier: Apache-2.0
#include "model/products.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <random>

#include "base/test_random.h"
#include "kernels/scalar.h"

namespace bitfetch {
namespace {

constexpr int64_t kCols = 192;  // no whole pack
constexpr int64_t kTokens = 5;
constexpr float kEpsilon = 1e-5f;

// A matrix with random codes, a norm that may be empty, and a place for the product.
struct Layer {
  Layer(int64_t rows, bool has_norm, std::mt19937& random)
      : codes(rows * 64 + 32), out(kTokens * rows) {
    // Codes 0 to 2, and 1 behind the columns, as a pack has them.
    for (int64_t i = 0; i < rows * 64; ++i) {
      for (int j = 0; j < 4; ++j) {
        const int64_t col = i % 64 / 32 * 128 + j * 32 + i % 32;
        codes[i] |= (col < kCols ? random() % 3 : 1) << (6 - 2 * j);
      }
    }
    if (has_norm) norm = RandomFloats(kCols, random);
    weights = {codes.data(), rows, kCols, 64, 0.25f};
  }
  Product product() { return {.weights = weights, .norm = norm, .out = out.data()}; }

  std::vector<uint8_t> codes;
  std::vector<float> norm;
  std::vector<float> out;
  TernaryRows weights;
};

// What a layer makes of x, by the plain kernels, a row at a time.
std::vector<float> Expected(const Layer& layer, const std::vector<float>& x,
                            const std::vector<float>& norm) {
  std::vector<float> out(layer.out.size());
  for (int64_t t = 0; t < kTokens; ++t) {
    std::vector<float> row(x.begin() + t * kCols, x.begin() + (t + 1) * kCols);
    for (const std::vector<float>* by : {&norm, &layer.norm}) {
      if (!by->empty()) scalar::RmsNorm(row.data(), by->data(), kCols, kEpsilon, row.data());
    }
    std::vector<int8_t> values(256);
    int32_t sum;
    float scale;
    scalar::Quantize(row.data(), kCols, 256, values.data(), &sum, &scale);
    scalar::TernaryMatmul(layer.weights, 0, layer.weights.rows,
                          {values.data(), &sum, &scale, 1, 256},
                          out.data() + t * layer.weights.rows, layer.weights.rows);
  }
  return out;
}

const int8_t* ValuesOf(const Product& product) {
  return std::get<QuantizedRows>(product.input).values;
}

TEST(Products, EachReadsWhatItsNormsMakeOfTheSame) {
  const auto pool = ThreadPool::Create(3).value();
  std::mt19937 random(1);
  for (const Kernels* kernels : SupportedKernels()) {
    Products products(*kernels, *pool, kEpsilon);
    for (const bool for_all : {false, true}) {
      for (int own = 0; own < 8; ++own) {
        const std::vector<float> x = RandomFloats(kTokens * kCols, random);
        const std::vector<float> norm =
            for_all ? RandomFloats(kCols, random) : std::vector<float>();
        Layer layers[] = {
            {33, (own & 1) != 0, random}, {7, (own & 2) != 0, random}, {130, own >= 4, random}};
        Product three[] = {layers[0].product(), layers[1].product(), layers[2].product()};
        std::vector<uint8_t> finite(kTokens, 1);
        products.Quantize(x.data(), kTokens, norm, three, finite);
        EXPECT_EQ(ValuesOf(three[0]) == ValuesOf(three[1]), (own & 3) == 0);
        three[1].fetches = true;
        std::atomic<int> fetched = 0;
        products.Multiply(three, [&](int) { ++fetched; });
        EXPECT_GT(fetched, 0);
        for (const Layer& layer : layers) EXPECT_EQ(layer.out, Expected(layer, x, norm)) << own;
        EXPECT_EQ(std::ranges::count(finite, 1), kTokens);
      }
    }
  }
}

TEST(Products, ThoseOfTwoKindsReadTheSameInTheirOwnWay) {
  constexpr int64_t kRows = 40, kGroup = 64, kGroupCols = 192, kGroups = kGroupCols / 32;
  const auto pool = ThreadPool::Create(3).value();
  std::mt19937 random(3);
  TernaryGroups matrix{.rows = kRows, .cols = kGroupCols, .group = kGroup};
  std::vector<std::byte> strips(static_cast<size_t>(matrix.bytes()));
  const int64_t code_bytes = kStripRows * kGroup / 4;
  for (size_t i = 0; i < strips.size(); ++i) {
    const auto at = static_cast<int64_t>(i) % (code_bytes + kStripRows * 2);
    const auto scale_byte = std::byte(at % 2 == 0 ? 0 : 0x2c);  // 1/16 as f16
    strips[i] = at < code_bytes ? std::byte(random() % 256) : scale_byte;
  }
  matrix.strips = strips.data();
  const std::vector<uint8_t> codes(kRows * 64 + 32, 0b01100001);
  const TernaryRows rows{codes.data(), kRows, kGroupCols, 64, 0.5f};

  const std::vector<float> x = RandomFloats(kTokens * kGroupCols, random);
  std::vector<float> by_group(kTokens * kRows), by_tensor(by_group), want(by_group);
  for (int64_t t = 0; t < kTokens; ++t) {
    std::vector<int8_t> values(kGroupCols);
    std::vector<float> scales(kGroups);
    std::vector<int32_t> offsets(kGroups);
    scalar::QuantizeGroups(x.data() + t * kGroupCols, kGroupCols, values.data(), scales.data(),
                           offsets.data());
    scalar::TernaryGroupsMatmul(matrix, 0, kRows,
                                {values.data(), scales.data(), offsets.data(), 1, kGroupCols},
                                want.data() + t * kRows, kRows);
  }
  for (const Kernels* kernels : SupportedKernels()) {
    Products products(*kernels, *pool, kEpsilon);
    Product both[] = {{.weights = rows, .norm = {}, .out = by_tensor.data()},
                      {.weights = matrix, .norm = {}, .out = by_group.data()}};
    std::vector<uint8_t> finite(kTokens, 1);
    products.Quantize(x.data(), kTokens, {}, both, finite);
    products.Multiply(both, [](int) {});
    EXPECT_EQ(by_group, want);
    std::vector<float> alone(by_tensor.size());
    Product one[] = {{.weights = rows, .norm = {}, .out = alone.data()}};
    products.Quantize(x.data(), kTokens, {}, one, finite);
    products.Multiply(one[0]);
    EXPECT_EQ(by_tensor, alone);
  }
}

TEST(Products, SayWhichRowIsNotFinite) {
  const auto pool = ThreadPool::Create(2).value();
  std::mt19937 random(2);
  Products products(*SupportedKernels().back(), *pool, kEpsilon);
  Layer first(8, false, random), second(8, true, random);
  std::vector<float> x = RandomFloats(kTokens * kCols, random);
  x[2 * kCols + 5] = std::numeric_limits<float>::quiet_NaN();
  second.norm[0] = std::numeric_limits<float>::infinity();
  std::vector<uint8_t> finite(kTokens, 1);
  Product one[] = {first.product()};
  products.Quantize(x.data(), kTokens, {}, one, finite);
  EXPECT_EQ(finite, (std::vector<uint8_t>{1, 1, 0, 1, 1}));
  Product two[] = {first.product(), second.product()};
  products.Quantize(x.data(), kTokens, {}, two, finite);
  EXPECT_EQ(finite, (std::vector<uint8_t>{0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace bitfetch
