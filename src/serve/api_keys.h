// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_API_KEYS_H_
#define BITFETCH_SERVE_API_KEYS_H_

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bitfetch {

// The keys that open a server. Which of them a request has, if any, is found out in a time that
// tells nothing of the keys.
class ApiKeys {
 public:
  // Errors: an empty key, or one that HTTP can't carry.
  static Result<ApiKeys> Create(std::span<const std::string> keys);

  bool empty() const { return digests_.empty(); }
  // Its number, from 1; 0: it is none of them.
  size_t Find(std::string_view key) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest DigestOf(std::string_view key);
  std::vector<Digest> digests_;
};

// The keys in a file, one a line, without white space around them; empty lines and lines that begin
// with # are none. Errors: the file can't be read, or has no key.
Result<std::vector<std::string>> ReadKeyFile(const std::string& path);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_API_KEYS_H_
