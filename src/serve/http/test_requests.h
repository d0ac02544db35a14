// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_HTTP_TEST_REQUESTS_H_
#define BITFETCH_SERVE_HTTP_TEST_REQUESTS_H_

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace bitfetch::http {

// For tests: the limits that the table below is about.
inline constexpr size_t kTestMaxHeader = 1000;
inline constexpr size_t kTestMaxBody = 100;

// For tests: bytes that are no request, and the status that they are refused with.
struct BadRequest {
  const char* name;
  std::string bytes;
  int status;

  friend std::ostream& operator<<(std::ostream& out, const BadRequest& request) {
    return out << request.name;
  }
};

inline std::vector<BadRequest> BadRequests() {
  using namespace std::string_literals;
  const auto get = [](const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
  };
  const auto post = [](const std::string& fields, const std::string& body) {
    return "POST /a HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  std::string many_fields;
  for (int i = 0; i < 130; ++i) many_fields += "a:\r\n";
  return {
      {"garbage", "\x01\x02\x03\r\n\r\n", 400},
      {"spaces", "   \r\n\r\n", 400},
      {"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
      {"http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"http09", "GET /\r\n\r\n", 400},
      {"http12", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400},
      {"http3", "GET / HTTP/3\r\nHost: x\r\n\r\n", 400},
      {"lower_case_version", "GET / http/1.1\r\nHost: x\r\n\r\n", 400},
      {"no_method", " / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"method_is_no_token", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"two_spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"no_target", "GET HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"target_with_a_space", get("/a b"), 400},
      {"target_with_a_control", get("/a\x01"), 400},
      {"authority_target", "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"relative_target", get("a"), 400},
      {"other_scheme", get("ftp://x/a"), 400},
      {"dots", get("/../etc/passwd"), 400},
      {"dots_in_the_middle", get("/a/../b"), 400},
      {"dots_at_the_end", get("/a/.."), 400},
      {"one_dot", get("/a/./b"), 400},
      {"escaped_dots", get("/%2e%2E/b"), 400},
      {"escaped_slash_and_dots", get("/a%2f..%2fb"), 400},
      {"escaped_nul", get("/a%00b"), 400},
      {"escaped_line_end", get("/a%0d%0aX:%20y"), 400},
      {"escape_cut", get("/a%2"), 400},
      {"escape_of_no_digits", get("/a%zz"), 400},
      {"escape_with_a_sign", get("/a%-1"), 400},
      {"overlong_slash", get("/a%c0%afb"), 400},
      {"path_is_no_utf8", get("/%ff"), 400},
      {"nul_in_the_target", "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n"s, 400},
      {"nul_in_a_name", "GET / HTTP/1.1\r\nHo\0st: x\r\n\r\n"s, 400},
      {"nul_in_a_value", "GET / HTTP/1.1\r\nHost: x\r\na: b\0c\r\n\r\n"s, 400},
      {"line_feeds", "GET / HTTP/1.1\nHost: x\n\r\n\r\n", 400},
      {"carriage_return_in_a_value", "GET / HTTP/1.1\r\nHost: x\r\na: b\rc\r\n\r\n", 400},
      {"no_colon", "GET / HTTP/1.1\r\nHost: x\r\na\r\n\r\n", 400},
      {"space_before_the_colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"empty_name", "GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 400},
      {"no_host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two_hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"two_lengths", post("Content-Length: 3\r\nContent-Length: 5\r\n", "abcde"), 400},
      {"two_lengths_in_one", post("Content-Length: 3, 5\r\n", "abcde"), 400},
      {"length_and_chunks", post("Content-Length: 3\r\n" + chunked, "0\r\n\r\n"), 400},
      {"chunks_and_length", post(chunked + "Content-Length: 3\r\n", "0\r\n\r\n"), 400},
      {"negative_length", post("Content-Length: -1\r\n", ""), 400},
      {"length_with_a_sign", post("Content-Length: +3\r\n", "abc"), 400},
      {"length_in_hexadecimal", post("Content-Length: 0x3\r\n", "abc"), 400},
      {"length_of_words", post("Content-Length: three\r\n", "abc"), 400},
      {"empty_length", post("Content-Length:\r\n", ""), 400},
      {"length_beyond_64_bits", post("Content-Length: 18446744073709551616\r\n", ""), 400},
      {"length_of_64_bits", post("Content-Length: 18446744073709551615\r\n", ""), 413},
      {"length_over_the_limit", post("Content-Length: 101\r\n", ""), 413},
      {"gzip", post("Transfer-Encoding: gzip\r\n", "abc"), 400},
      {"gzip_in_chunks", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400},
      {"chunked_in_quotes", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
      {"chunked_with_a_tab", post("Transfer-Encoding: chunked,\v\r\n", "0\r\n\r\n"), 400},
      {"chunked_twice", post(chunked + chunked, "0\r\n\r\n"), 400},
      {"chunked_in_http10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunk_of_no_digits", post(chunked, "xyz\r\n"), 400},
      {"chunk_of_a_negative_size", post(chunked, "-1\r\na\r\n"), 400},
      {"chunk_beyond_64_bits", post(chunked, "10000000000000000\r\nabc"), 400},
      {"chunk_of_64_bits", post(chunked, "ffffffffffffffff\r\nabc"), 413},
      {"chunks_over_the_limit", post(chunked, "3c\r\n" + std::string(60, 'a') + "\r\n29\r\n"), 413},
      {"chunk_longer_than_it_says", post(chunked, "3\r\nabcdef\r\n0\r\n\r\n"), 400},
      {"chunk_with_an_endless_extension", post(chunked, "3;" + std::string(2000, 'a')), 400},
      {"endless_trailer", post(chunked, "0\r\na: " + std::string(2000, 'a')), 400},
      {"expects_something_else", post("Expect: a-reply\r\nContent-Length: 3\r\n", "abc"), 417},
      {"endless_method", std::string(2000, 'A'), 414},
      {"endless_target", "GET /" + std::string(2000, 'a'), 414},
      {"endless_value", "GET / HTTP/1.1\r\nHost: x\r\na: " + std::string(2000, 'a'), 431},
      {"large_header", "GET / HTTP/1.1\r\nHost: x\r\na: " + std::string(1000, 'a') + "\r\n\r\n",
       431},
      {"many_fields", "GET / HTTP/1.1\r\nHost: x\r\n" + many_fields + "\r\n", 431},
  };
}

}  // namespace bitfetch::http

#endif  // BITFETCH_SERVE_HTTP_TEST_REQUESTS_H_
