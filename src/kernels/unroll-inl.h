// SPDX-License-Identifier: Apache-2.0
// Included within the namespace and the attributes of an ISA, which BITFETCH_LAMBDA names.

// op(i) for i from 0 to kCount - 1, each a constant: arrays that only such code touches stay in
// registers, also across the loops around it.
template <int kCount, class Op>
HWY_INLINE void Unroll(const Op& op) {
  [&]<int... kIndices>(std::integer_sequence<int, kIndices...>) BITFETCH_LAMBDA {
    (op(std::integral_constant<int, kIndices>()), ...);
  }
  (std::make_integer_sequence<int, kCount>());
}
