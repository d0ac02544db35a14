// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_TLS_CONTEXT_H_
#define BITFETCH_SERVE_HTTP_TLS_CONTEXT_H_

#include <openssl/types.h>

#include <memory>
#include <string>

#include "base/error.h"

namespace bitfetch::http {

struct FreeTlsContext {
  void operator()(SSL_CTX* context) const;
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTlsContext>;

// TLS 1.2 or 1.3 for a server, from PEM files: a certificate with its chain, and its key. Errors
// name the file: not there, nothing of the kind in it, a key with a passphrase or of another
// certificate.
Result<TlsContext> MakeTlsContext(const std::string& cert_path, const std::string& key_path);

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_TLS_CONTEXT_H_
