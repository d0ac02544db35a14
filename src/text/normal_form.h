// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_NORMAL_FORM_H_
#define BITFETCH_TEXT_NORMAL_FORM_H_

#include <string>
#include <string_view>

namespace bitfetch {

// `text`, which must be valid UTF-8, in Unicode's normal form C (UAX #15): "e" and a combining
// acute accent become "é". The view is `text` itself where nothing changes, otherwise it is into
// `*buffer`. Text that is normal is only looked at: some GB/s of Latin, 0.3 GB/s of others.
std::string_view ToNormalForm(std::string_view text, std::string* buffer);

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_NORMAL_FORM_H_
