// SPDX-License-Identifier: Apache-2.0
#include "kv/store.h"

#include <algorithm>

#include "kv/store_isa.h"

namespace bitfetch {
namespace {

// Every ISA of this build, best last. Some have nothing to gain over the one before.
constexpr TokenStore kBuilt[] = {
    {Isa::kScalar, scalar::StoreToken},
#if defined(__x86_64__)
#ifndef BITFETCH_WITHOUT_AVX2
    {Isa::kAvx2, N_AVX2::StoreToken},
#endif
#ifndef BITFETCH_WITHOUT_AVX512
    {Isa::kAvx512, N_AVX3::StoreToken},
#endif
#ifndef BITFETCH_WITHOUT_AVX512VNNI
    {Isa::kAvx512Vnni, N_AVX3::StoreToken}, {Isa::kAvx512Amx, N_AVX3::StoreToken},
#endif
#elif defined(__aarch64__)
    {Isa::kNeon, N_NEON::StoreToken},
    {Isa::kNeonDotprod, N_NEON::StoreToken},
    {Isa::kNeonI8mm, N_NEON::StoreToken},
#endif
};

}  // namespace

const std::vector<TokenStore>& SupportedStores() {
  static const std::vector<TokenStore> supported = [] {
    const std::vector<Isa> isas = SupportedIsas();
    std::vector<TokenStore> stores;
    std::ranges::copy_if(kBuilt, std::back_inserter(stores), [&](const TokenStore& store) {
      return std::ranges::find(isas, store.isa) != isas.end();
    });
    return stores;
  }();
  return supported;
}

Result<StoreToken> ChooseStore() {
  std::vector<Isa> built;
  for (const TokenStore& store : kBuilt) built.push_back(store.isa);
  BITFETCH_ASSIGN_OR_RETURN(const Isa isa, ChooseIsa(built));
  return std::ranges::find(kBuilt, isa, &TokenStore::isa)->store;
}

}  // namespace bitfetch
