// SPDX-License-Identifier: Apache-2.0
#include "serve/http/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <system_error>

namespace bitfetch::http {
namespace {

// What OpenSSL says of the last failure, without its numbers.
std::string Reason() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(google-runtime-int)
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error";
}

int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

void FreeTlsContext::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

Result<TlsContext> MakeTlsContext(const std::string& cert_path, const std::string& key_path) {
  if (cert_path.empty() || key_path.empty()) return Fail("TLS needs a certificate and a key");
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return Fail("TLS: {}", Reason());
  SSL_CTX* const tls = context.get();
  SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
  SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection holds no buffers; what is written may move between two tries.
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(tls, NoPassphrase);
  if (SSL_CTX_use_certificate_chain_file(tls, cert_path.c_str()) != 1) {
    return Fail("{}: no certificate: {}", cert_path, Reason());
  }
  if (SSL_CTX_use_PrivateKey_file(tls, key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Fail("{}: no key for the certificate of {}: {}", key_path, cert_path, Reason());
  }
  return context;
}

}  // namespace bitfetch::http
