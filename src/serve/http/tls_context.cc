// SPDX-License-Identifier: Apache-2.0
#include "serve/http/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/file.h"

namespace bitfetch::http {
namespace {

int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

void FreeTlsContext::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

Result<TlsContext> MakeTlsContext(const std::string& cert_path, const std::string& key_path) {
  if (cert_path.empty() || key_path.empty()) return Fail("TLS needs a certificate and a key");
  for (const std::string& path :
       {cert_path, key_path}) {  // OpenSSL says nothing of use about files
    BITFETCH_RETURN_IF_ERROR(MappedFile::Open(path));
  }
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return Fail("OpenSSL has no TLS here");
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
    return Fail("{}: has no certificate in PEM", cert_path);
  }
  ERR_clear_error();
  if (SSL_CTX_use_PrivateKey_file(tls, key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    const int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) {
      return Fail("{}: is not the key of {}", key_path, cert_path);
    }
    return Fail("{}: has no key in PEM, or one with a passphrase", key_path);
  }
  return context;
}

}  // namespace bitfetch::http
