// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_LAZY_TOKEN_TRIES_H_
#define BITFETCH_SERVE_DIALECT_LAZY_TOKEN_TRIES_H_

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "text/constraint/token_trie.h"
#include "text/tokenizer.h"

namespace bitfetch {

// The tries of a tokenizer's tokens, made when somebody first asks for it. Others who ask then
// wait.
class LazyTokenTries {
 public:
  // `tokenizer` is the same one each time.
  std::shared_ptr<const TokenTries> Get(const Tokenizer& tokenizer) {
    const std::lock_guard lock(mutex_);
    if (tries_ == nullptr) {
      std::vector<std::string_view> tokens;
      for (int id = 0; id < tokenizer.size(); ++id) tokens.push_back(tokenizer.TokenBytes(id));
      tries_ = std::make_shared<TokenTries>(tokens);
    }
    return tries_;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const TokenTries> tries_;
};

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_LAZY_TOKEN_TRIES_H_
