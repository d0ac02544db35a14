// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_KERNELS_SIMD_H_
#define BITFETCH_KERNELS_SIMD_H_

#include <array>

#include "kernels/kernels.h"
#include "kernels/tile_products.h"

// What the *_simd.cc and attention_TYPE.cc define of Kernels, in the namespace of each Highway
// target.
namespace bitfetch {

// The products of every KV type, in the order of KvType.
using ProductsByType = std::array<const TileProducts*, kKvTypes.size()>;

#define BITFETCH_DECLARE_TARGET                                                                    \
  void RmsNorm(const float* x, const float* weight, int64_t n, float epsilon, float* out);         \
  void Quantize(const float* x, int64_t n, int64_t stride, int8_t* values, int32_t* sum,           \
                float* scale);                                                                     \
  void QuantizeGroups(const float* x, int64_t n, int8_t* values, float* scales, int32_t* offsets); \
  void Rope(float* x, const float* cosines, const float* sines, int64_t pairs, int64_t step,       \
            int64_t apart);                                                                        \
  void Relu2Gate(const float* gate, const float* up, int64_t n, float* out);                       \
  void SiluGate(const float* gate, const float* up, int64_t n, float* out);                        \
  void GeluGate(const float* gate, const float* up, int64_t n, float* out);                        \
  void Add(float* x, const float* y, int64_t n);                                                   \
  void DenseMatmul(const DenseMatrix& w, int64_t begin, int64_t end, const DenseToken* tokens,     \
                   int64_t count);                                                                 \
  void ScreenRow(const DenseMatrix& w, int64_t row, uint8_t* codes, ScreenFit* fit);               \
  void AttendWith(const ProductsByType& products, const AttendJob& job);                           \
  void Fold(const float* partials, int64_t ranges, int64_t range_stride, int head_dim,             \
            float* folded);                                                                        \
  extern const TileProducts kF32Products;                                                          \
  extern const TileProducts kF16Products;                                                          \
  extern const TileProducts kBF16Products;

// A kind of integer products, and what is computed with it.
#define BITFETCH_DECLARE_DOT(dot)                                                            \
  namespace dot {                                                                            \
  extern const TileProducts kQ8_0Products;                                                   \
  extern const TileProducts kQ4_0Products;                                                   \
  inline constexpr ProductsByType kProducts = {&kF32Products, &kF16Products, &kBF16Products, \
                                               &kQ8_0Products, &kQ4_0Products};              \
  static_assert(kProducts.back() != nullptr, "a KV type has no products");                   \
  inline void Attend(const AttendJob& job) { AttendWith(kProducts, job); }                   \
  void TernaryGroupsMatmul(const TernaryGroups& w, int64_t begin, int64_t end,               \
                           const QuantizedGroups& x, float* out, int64_t out_stride);        \
  void Screen(const ScreenRows& w, int64_t begin, int64_t end, const ScreenToken* tokens,    \
              int64_t count);                                                                \
  }

#if defined(__x86_64__)
namespace N_AVX2 {
BITFETCH_DECLARE_TARGET
BITFETCH_DECLARE_DOT(plain)
}  // namespace N_AVX2
namespace N_AVX3 {
BITFETCH_DECLARE_TARGET
BITFETCH_DECLARE_DOT(plain)
BITFETCH_DECLARE_DOT(vnni)
}  // namespace N_AVX3
#elif defined(__aarch64__)
namespace N_NEON {
BITFETCH_DECLARE_TARGET
BITFETCH_DECLARE_DOT(plain)
BITFETCH_DECLARE_DOT(dotprod)
BITFETCH_DECLARE_DOT(i8mm)
}  // namespace N_NEON
#endif
#undef BITFETCH_DECLARE_TARGET
#undef BITFETCH_DECLARE_DOT

}  // namespace bitfetch

#endif  // BITFETCH_KERNELS_SIMD_H_
