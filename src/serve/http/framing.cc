// SPDX-License-Identifier: Apache-2.0
#include "serve/http/framing.h"

#include <fmt/format.h>

#include <array>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <iterator>

namespace bitfetch::http {
namespace {

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc;
  gmtime_r(&now, &utc);
  std::array<char, 32> text;
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

}  // namespace

bool HasBody(int status) { return status >= 200 && status != 204 && status != 304; }

std::string FormatHead(const Head& head, const Framing& framing, std::optional<size_t> length) {
  const auto reason =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(head.status));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", head.status,
                                std::string_view(reason.data(), reason.size()));
  const auto add = [&out](std::string_view name, std::string_view value) {
    if (IsValidHeader(name, value)) {
      fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
    }
  };
  add("Date", Now());
  if (!head.content_type.empty()) add("Content-Type", head.content_type);
  for (const auto& [name, value] : head.more) add(name, value);
  if (length && HasBody(head.status)) add("Content-Length", fmt::to_string(*length));
  if (!length && !framing.http10) add("Transfer-Encoding", "chunked");
  if (!framing.keep_alive) {
    add("Connection", "close");
  } else if (framing.http10) {
    add("Connection", "keep-alive");
  }
  out += "\r\n";
  return out;
}

void AppendChunk(std::string_view piece, std::string* out) {
  out->reserve(out->size() + piece.size() + 24);  // all of it or, for want of memory, nothing
  fmt::format_to(std::back_inserter(*out), "{:x}\r\n", piece.size());
  out->append(piece).append("\r\n");
}

}  // namespace bitfetch::http
