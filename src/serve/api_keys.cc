// SPDX-License-Identifier: Apache-2.0
#include "serve/api_keys.h"

#include <sodium.h>

#include <algorithm>

#include "base/file.h"
#include "base/printable.h"

namespace bitfetch {

Result<ApiKeys> ApiKeys::Create(std::span<const std::string> keys) {
  if (sodium_init() < 0) return Fail("libsodium can't be set up");
  ApiKeys all;
  for (const std::string& key : keys) {
    if (key.empty()) return Fail("an API key is empty");
    if (!IsPrintableAscii(key) || key.find(' ') != std::string::npos) {
      return Fail("an API key has a space or a character that is no printable ASCII");
    }
    all.digests_.push_back(DigestOf(key));
  }
  return all;
}

size_t ApiKeys::Find(std::string_view key) const {
  const Digest digest = DigestOf(key);
  size_t found = 0;
  for (size_t i = 0; i < digests_.size(); ++i) {
    if (sodium_memcmp(digest.data(), digests_[i].data(), digest.size()) == 0) found = i + 1;
  }
  return found;
}

// Of one length, whatever the key's is.
ApiKeys::Digest ApiKeys::DigestOf(std::string_view key) {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(key.data()), key.size(), nullptr, 0);
  return digest;
}

Result<std::vector<std::string>> ReadKeyFile(const std::string& path) {
  BITFETCH_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path, false));
  std::vector<std::string> keys;
  std::string_view rest(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos || line[begin] == '#') continue;
    line = line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
    keys.emplace_back(line);
  }
  if (keys.empty()) return Fail("{}: there is no key in it", path);
  return keys;
}

}  // namespace bitfetch
