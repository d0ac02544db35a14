// SPDX-License-Identifier: Apache-2.0
#include "model/tensor_type.h"

#include <array>
#include <utility>

namespace bitfetch {
namespace {

struct TensorTypeFacts {
  TensorType type;
  std::string_view name;
  int64_t pack_elements;
  int64_t pack_bytes;
  int64_t trailer_bytes;  // once, after the last pack
};

constexpr std::array<TensorTypeFacts, 11> kTensorTypes = {{
    {TensorType::kF32, "F32", 1, 4, 0},
    {TensorType::kF16, "F16", 1, 2, 0},
    {TensorType::kQ8_0, "Q8_0", 32, 34, 0},
    {TensorType::kQ4_K, "Q4_K", 256, 144, 0},
    {TensorType::kQ6_K, "Q6_K", 256, 210, 0},
    {TensorType::kBF16, "BF16", 1, 2, 0},
    {TensorType::kTQ1_0, "TQ1_0", 256, 54, 0},
    {TensorType::kTQ2_0, "TQ2_0", 256, 66, 0},
    {TensorType::kI2_S, "I2_S", 128, 32, 32},
    {TensorType::kQ2_0, "Q2_0", 64, 18, 0},
    {TensorType::kPQ2_0, "PQ2_0", 128, 34, 0},
}};

// Known types that are not read, so that an error can say more than a number.
constexpr std::array<std::pair<uint32_t, std::string_view>, 23> kOtherTypes = {{
    {2, "Q4_0"},   {3, "Q4_1"},    {6, "Q5_0"},   {7, "Q5_1"},     {9, "Q8_1"},    {10, "Q2_K"},
    {11, "Q3_K"},  {13, "Q5_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
    {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"}, {24, "I8"},
    {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
}};

// Ternary weights in layouts of one engine: BitNet's own, under numbers that ggml has since given
// to others, and ik_llama.cpp's.
constexpr std::array<std::pair<uint32_t, std::string_view>, 6> kOtherTernaryTypes = {{
    {37, "I8_S"},
    {38, "TL1"},
    {39, "TL2, elsewhere MXFP4"},
    {134, "IQ1_BN"},
    {135, "IQ2_BN"},
    {335, "IQ2_BN_R4"},
}};

// Weights of one or two bits in groups with a scale each, which are not read yet.
constexpr std::array<std::pair<uint32_t, std::string_view>, 2> kTypesToCome = {{
    {41, "Q1_0, signs in groups of 128"},
    {143, "PTQ1_0, ternary in groups of 128"},
}};

const TensorTypeFacts& Facts(TensorType type) {
  for (const TensorTypeFacts& facts : kTensorTypes) {
    if (facts.type == type) return facts;
  }
  __builtin_unreachable();
}

}  // namespace

Result<TensorType> TensorTypeOf(uint32_t number) {
  for (const TensorTypeFacts& facts : kTensorTypes) {
    if (static_cast<uint32_t>(facts.type) == number) return facts.type;
  }
  for (const auto& [known, name] : kOtherTernaryTypes) {
    if (known == number) {
      return Fail(
          "is of type {} ({}), which is not supported: convert the original model to I2_S "
          "(bitfetch convert) or to TQ2_0 (llama.cpp's converter with --outtype tq2_0)",
          number, name);
    }
  }
  for (const auto& [known, what] : kTypesToCome) {
    if (known == number) {
      return Fail(
          "is of type {} ({}), which is not supported yet: choose a file of the model in I2_S, "
          "TQ1_0, TQ2_0 or Q2_0, or convert the original model to one of these",
          number, what);
    }
  }
  for (const auto& [known, name] : kOtherTypes) {
    if (known == number) return Fail("is of type {} ({}), which is not supported", number, name);
  }
  return Fail("is of the unknown type {}", number);
}

std::string_view TensorTypeName(TensorType type) { return Facts(type).name; }

int64_t PackElements(TensorType type) { return Facts(type).pack_elements; }

int64_t PackBytes(TensorType type) { return Facts(type).pack_bytes; }

int64_t TensorBytes(TensorType type, int64_t elements) {
  const TensorTypeFacts& facts = Facts(type);
  return elements / facts.pack_elements * facts.pack_bytes + facts.trailer_bytes;
}

bool IsTernary(TensorType type) {
  return type == TensorType::kI2_S || type == TensorType::kTQ1_0 || type == TensorType::kTQ2_0;
}

bool IsTernaryByGroup(TensorType type) {
  return type == TensorType::kQ2_0 || type == TensorType::kPQ2_0;
}

}  // namespace bitfetch
