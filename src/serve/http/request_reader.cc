// SPDX-License-Identifier: Apache-2.0
#include "serve/http/request_reader.h"

#include <fmt/format.h>

#include <boost/beast/http/basic_parser.hpp>

#include "base/error.h"
#include "serve/http/framing.h"
#include "serve/http/target.h"

namespace bitfetch::http {
namespace {

namespace beast = boost::beast;

constexpr size_t kMaxHeaderFields = 128;

std::string Text(beast::string_view text) { return {text.data(), text.size()}; }

Refusal Explain(const beast::error_code& error) {
  if (error == beast::http::error::body_limit) return {413, "the body is too large"};
  return {400, fmt::format("not a valid HTTP request: {}", error.message())};
}

// The first record of a handshake (RFC 8446, section 5.1).
bool LooksLikeTls(std::string_view bytes) { return bytes.starts_with("\x16\x03"); }

}  // namespace

class RequestReader::Parser : public beast::http::basic_parser<true> {
 public:
  Parser(size_t max_header, size_t max_body) : max_header_(max_header) {
    header_limit(static_cast<uint32_t>(max_header));
    body_limit(max_body);
  }

  size_t Feed(std::string_view bytes) {
    size_t taken = 0;
    // An empty line before a request is none of it (RFC 9112, section 2.2).
    while (!got_some() && bytes.substr(taken).starts_with("\r\n")) taken += 2;
    while (state_ == State::kHeader || state_ == State::kBody) {
      const std::string_view rest = bytes.substr(taken);
      if (rest.empty() || (!got_some() && rest == "\r")) break;
      // Chunks always end in so many bytes, and Beast asserts that it sees them together.
      if (state_ == State::kBody && chunked() && rest.size() < kLastChunk.size()) break;
      beast::error_code error;
      const State before = state_;
      const size_t now = put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      taken += now;
      const bool needs_more = error == beast::http::error::need_more;
      if (error && !needs_more) {
        Refuse(LooksLikeTls(rest) ? Refusal{400, "this port speaks plain HTTP, and the client TLS"}
               : error == beast::http::error::header_limit ? TooLarge(rest)
                                                           : Explain(error));
      }
      LimitLines(before, rest, now, needs_more ? rest.size() - now : 0);
      if (needs_more) break;
    }
    return taken;
  }

  State state() const { return state_; }
  bool awaits_continue() const {
    return state_ == State::kBody && expects_ && request_.body.empty();
  }
  Request& request() { return request_; }
  bool http10() const { return http10_; }
  const Refusal& refusal() const { return refusal_; }

 private:
  // Keeps the first reason.
  void Refuse(Refusal refusal) {
    if (state_ == State::kRefused) return;
    state_ = State::kRefused;
    refusal_ = std::move(refusal);
  }
  void Refuse(std::string message, beast::error_code& error) {
    Refuse({400, std::move(message)});
    error = beast::http::error::bad_value;
  }

  // `bytes`: what has come and was not taken of the header, whose first line has its own status.
  Refusal TooLarge(std::string_view bytes) const {
    if (request_.method.empty() && bytes.find('\n') == std::string_view::npos) {
      return {414, "the request line is too large"};
    }
    return {431, "the header is too large"};
  }

  // Beast limits only what it has not taken yet of the header, and nothing between chunks.
  void LimitLines(State before, std::string_view bytes, size_t taken, size_t waiting) {
    if (before == State::kHeader) {
      header_bytes_ += taken;
      if (header_bytes_ + waiting > max_header_) Refuse(TooLarge(bytes));
    } else if (waiting > max_header_) {
      Refuse({400, "what stands between two chunks is too large"});
    }
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, beast::error_code& error) override {
    request_.method = Text(method);
    http10_ = version == 10;
    auto parsed = ParseTarget({target.data(), target.size()});
    if (!parsed) return Refuse(parsed.error().message, error);
    request_.path = std::move(parsed->path);
    request_.query = std::move(parsed->query);
  }

  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     beast::error_code&) override {
    if (state_ == State::kBody) return;  // a trailer, of which nobody here knows a meaning
    if (request_.headers.size() == kMaxHeaderFields) {
      return Refuse({431, "the header has too many fields"});
    }
    request_.headers.emplace_back(Text(name), Text(value));
  }

  void on_header_impl(beast::error_code& error) override {
    size_t hosts = 0;
    for (const auto& [name, value] : request_.headers) {
      hosts += EqualsIgnoringCase(name, "Host");
      if (EqualsIgnoringCase(name, "Transfer-Encoding") &&
          (http10_ || !EqualsIgnoringCase(value, "chunked"))) {
        return Refuse("the only Transfer-Encoding is chunked, and that in HTTP/1.1", error);
      }
      if (EqualsIgnoringCase(name, "Expect")) {
        if (!EqualsIgnoringCase(value, "100-continue")) {
          return Refuse({417, "the only Expect is 100-continue"});
        }
        expects_ = !http10_;
      }
    }
    if (hosts > 1 || (hosts == 0 && !http10_)) {
      return Refuse("a request needs one field Host", error);
    }
    if (state_ == State::kHeader) state_ = State::kBody;
  }

  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}

  size_t on_body_impl(beast::string_view piece, beast::error_code&) override {
    request_.body.append(piece.data(), piece.size());
    return piece.size();
  }

  void on_chunk_header_impl(uint64_t, beast::string_view, beast::error_code&) override {}

  size_t on_chunk_body_impl(uint64_t, beast::string_view piece, beast::error_code& error) override {
    return on_body_impl(piece, error);
  }

  void on_finish_impl(beast::error_code&) override {
    if (state_ == State::kBody) state_ = State::kDone;
  }

  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}

  const size_t max_header_;
  size_t header_bytes_ = 0;
  State state_ = State::kHeader;
  Request request_;
  bool http10_ = false;
  bool expects_ = false;
  Refusal refusal_{};
};

RequestReader::RequestReader(size_t max_header, size_t max_body)
    : parser_(std::make_unique<Parser>(max_header, max_body)) {}
RequestReader::~RequestReader() = default;

size_t RequestReader::Feed(std::string_view bytes) { return parser_->Feed(bytes); }
RequestReader::State RequestReader::state() const { return parser_->state(); }
bool RequestReader::awaits_continue() const { return parser_->awaits_continue(); }
Request& RequestReader::request() { return parser_->request(); }
bool RequestReader::http10() const { return parser_->http10(); }
bool RequestReader::keep_alive() const { return parser_->keep_alive(); }
const Refusal& RequestReader::refusal() const { return parser_->refusal(); }

}  // namespace bitfetch::http
