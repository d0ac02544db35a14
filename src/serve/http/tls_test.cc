// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <atomic>
#include <cstdio>
#include <future>
#include <memory>

#include "base/file.h"
#include "base/temp_dir.h"
#include "serve/http/test_client.h"
#include "serve/http/test_server.h"

namespace bitfetch::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Writes a new key, and a certificate of it for "localhost" that it signed itself.
void WriteCertificate(const std::string& cert_path, const std::string& key_path,
                      const char* passphrase = nullptr) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_NAME* const name = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(cert.get(), name);
  X509_set_pubkey(cert.get(), key.get());
  X509_sign(cert.get(), key.get(), EVP_sha256());

  std::FILE* file = std::fopen(cert_path.c_str(), "w");
  PEM_write_X509(file, cert.get());
  std::fclose(file);
  file = std::fopen(key_path.c_str(), "w");
  PEM_write_PKCS8PrivateKey(file, key.get(), passphrase != nullptr ? EVP_aes_256_cbc() : nullptr,
                            passphrase, passphrase != nullptr ? 4 : 0, nullptr, nullptr);
  std::fclose(file);
}

class Tls : public testing::Test {
 protected:
  Tls() : cert_(folder_.Path("cert.pem")), key_(folder_.Path("key.pem")) {
    WriteCertificate(cert_, key_);
  }
  std::unique_ptr<Server> Start(Handler handler) const {
    return StartServer(std::move(handler), {.tls_cert = cert_, .tls_key = key_});
  }
  std::string Error(const std::string& cert, const std::string& key) const {
    const auto server =
        Server::Listen({.tls_cert = cert, .tls_key = key, .error_body = TestErrorBody}, Handler());
    return server ? "" : server.error().message;
  }

  TempDir folder_;
  std::string cert_;
  std::string key_;
};

// TLS over a TestClient's connection.
class TlsClient {
 public:
  explicit TlsClient(int port, int max_version = TLS1_3_VERSION)
      : client_(port),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        ssl_(nullptr, SSL_free) {
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), client_.fd());
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  bool connected() const { return connected_; }

  void Send(std::string_view bytes) {
    SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  std::string ReadUntil(std::string_view end) {
    std::string text;
    char c;
    while (!text.ends_with(end) && SSL_read(ssl_.get(), &c, 1) == 1) text += c;
    return text;
  }
  std::string Read(size_t size) {
    std::string text(size, 0);
    size_t got = 0;
    for (size_t now; got < size && SSL_read_ex(ssl_.get(), &text[got], size - got, &now) == 1;) {
      got += now;
    }
    text.resize(got);
    return text;
  }

 private:
  TestClient client_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool connected_ = false;
};

TEST_F(Tls, CarriesRequestsAndAnswers) {
  const auto server = Start([](const Request& request, const std::shared_ptr<Response>& response) {
    response->Send({}, request.body);
  });
  EXPECT_THAT(server->url(), StartsWith("https://127.0.0.1:"));
  const std::string body(3 << 20, 'a');
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server->port(), version);
    ASSERT_TRUE(client.connected());
    for (int i = 0; i < 2; ++i) {
      client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                  "\r\n\r\n" + body);
      EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
      EXPECT_EQ(client.Read(body.size()), body);
    }
  }
  EXPECT_FALSE(TlsClient(server->port(), TLS1_1_VERSION).connected());
}

TEST_F(Tls, CarriesStreamsAndTellsWhenTheClientLeaves) {
  std::promise<std::shared_ptr<Response>> asked;
  const auto server = Start([&](const Request&, std::shared_ptr<Response> response) {
    asked.set_value(std::move(response));
  });
  auto client = std::make_unique<TlsClient>(server->port());
  client->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto response = asked.get_future().get();
  std::atomic<bool> closed = false;
  response->OnClosed([&] { closed = true; });
  response->Start({});
  client->ReadUntil("\r\n\r\n");
  response->Write("abc");
  EXPECT_EQ(client->Read(8), "3\r\nabc\r\n");
  client.reset();
  while (!closed) response->Write("abc");  // and no SIGPIPE
}

TEST_F(Tls, AnswersPlainHttpInPlain) {
  const auto server = Start({});
  TestClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string response = client.ReadToEnd();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(response, HasSubstr("this port speaks HTTPS"));
}

TEST_F(Tls, EndsHandshakesThatAreNone) {
  const auto server = StartServer(
      {}, {.tls_cert = cert_, .tls_key = key_, .header_timeout = std::chrono::milliseconds(100)});
  TestClient silent(server->port());
  TestClient garbage(server->port());
  garbage.Send("\x16\x03\x01\x02\x03 and so on, which is no handshake at all");
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_THAT(garbage.ReadToEnd(), testing::Not(HasSubstr("HTTP")));
}

TEST_F(Tls, IsToldFromHttpOnAPlainPort) {
  const auto server = StartServer({});
  EXPECT_FALSE(TlsClient(server->port()).connected());
  TestClient client(server->port());
  client.Send("\x16\x03\x01");
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("this port speaks plain HTTP, and the client TLS"));
}

TEST_F(Tls, ErrorsNameTheFile) {
  const std::string none = folder_.Path("none.pem");
  const std::string other_cert = folder_.Path("other.pem");
  const std::string locked_key = folder_.Path("locked.pem");
  const std::string text = folder_.Path("text.pem");
  WriteCertificate(other_cert, locked_key, "1234");
  ASSERT_TRUE(WriteFile(text, "text"));
  EXPECT_EQ(Error(cert_, ""), "TLS needs a certificate and a key");
  EXPECT_EQ(Error("", key_), "TLS needs a certificate and a key");
  EXPECT_EQ(Error(none, key_), none + ": No such file or directory");
  EXPECT_EQ(Error(text, key_), text + ": has no certificate in PEM");
  EXPECT_EQ(Error(cert_, none), none + ": No such file or directory");
  EXPECT_EQ(Error(cert_, text), text + ": has no key in PEM, or one with a passphrase");
  EXPECT_EQ(Error(other_cert, locked_key),
            locked_key + ": has no key in PEM, or one with a passphrase");
  EXPECT_EQ(Error(other_cert, key_), key_ + ": is not the key of " + other_cert);
}

}  // namespace
}  // namespace bitfetch::http
