// SPDX-License-Identifier: Apache-2.0
// Included within the namespace and the attributes of an ISA.

// Unroll<n>(op): op(i) for i from 0 to n - 1, each a constant: arrays that only such code touches
// stay in registers, also across the loops around it. An object, so that no function lies between
// its caller and op: GCC optimises what it inlines once for each that it goes through.
template <class Indices>
struct Unroller;
template <int... kIndices>
struct Unroller<std::integer_sequence<int, kIndices...>> {
  template <class Op>
  HWY_INLINE void operator()(const Op& op) const {
    (op(std::integral_constant<int, kIndices>()), ...);
  }
};
template <int kCount>
constexpr Unroller<std::make_integer_sequence<int, kCount>> Unroll;

// UnrollGrid<rows, columns>(op): op(row, column), row by row, in the same way.
template <int kColumns, class Indices>
struct GridUnroller;
template <int kColumns, int... kIndices>
struct GridUnroller<kColumns, std::integer_sequence<int, kIndices...>> {
  template <class Op>
  HWY_INLINE void operator()(const Op& op) const {
    (op(std::integral_constant<int, kIndices / kColumns>(),
        std::integral_constant<int, kIndices % kColumns>()),
     ...);
  }
};
template <int kRows, int kColumns>
constexpr GridUnroller<kColumns, std::make_integer_sequence<int, kRows * kColumns>> UnrollGrid;
