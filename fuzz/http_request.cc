// SPDX-License-Identifier: Apache-2.0
// Any bytes as HTTP: they are a request, the beginning of one, or refused as the client's mistake,
// and how they are cut on their way makes no request of what was none, and no other one of what
// was.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "fuzz/check.h"
#include "serve/http/request_reader.h"

namespace bitfetch {
namespace {

using http::RequestReader;
using State = RequestReader::State;

constexpr size_t kMaxHeader = size_t{64} << 10;
constexpr size_t kMaxBody = 100;

// The number of bytes that became part of the request.
size_t FeedInPieces(std::string_view bytes, size_t size, RequestReader* reader) {
  size_t given = 0;
  size_t taken = 0;
  while (given < bytes.size()) {
    given = std::min(bytes.size(), given + size);
    const size_t now = reader->Feed(bytes.substr(taken, given - taken));
    FUZZ_CHECK(now <= given - taken);
    taken += now;
  }
  return taken;
}

void CheckRequest(const http::Request& request) {
  FUZZ_CHECK(!request.method.empty());
  FUZZ_CHECK(request.path == "*" || request.path.starts_with('/'));
  FUZZ_CHECK(IsUtf8(request.path) && OneLine(request.path) == request.path);
  FUZZ_CHECK(request.path.find('\0') == std::string::npos);
  FUZZ_CHECK((request.path + "/").find("/../") == std::string::npos);
  FUZZ_CHECK(request.body.size() <= kMaxBody);
  for (const auto& [name, value] : request.headers) {
    FUZZ_CHECK(http::IsValidHeader(name, value));
  }
}

bool AreSame(const http::Request& a, const http::Request& b) {
  return a.method == b.method && a.path == b.path && a.query == b.query && a.headers == b.headers &&
         a.body == b.body;
}

}  // namespace
}  // namespace bitfetch

// The first byte says how large the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bitfetch;  // NOLINT(google-build-using-namespace)
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  RequestReader whole(kMaxHeader, kMaxBody);
  RequestReader cut(kMaxHeader, kMaxBody);
  const size_t taken = FeedInPieces(bytes, size, &whole);
  const size_t taken_cut = FeedInPieces(bytes, data[0] + size_t{1}, &cut);
  if (whole.state() == State::kRefused) {
    const auto& [status, message] = whole.refusal();
    FUZZ_CHECK(status == 400 || status == 413 || status == 414 || status == 417 || status == 431);
    FUZZ_CHECK(!message.empty() && OneLine(message) == message);
  }
  // Of one that is refused it depends on the pieces when that shows.
  FUZZ_CHECK((whole.state() == State::kDone) == (cut.state() == State::kDone));
  if (whole.state() != State::kDone) return 0;
  FUZZ_CHECK(taken == taken_cut);
  FUZZ_CHECK(AreSame(whole.request(), cut.request()));
  FUZZ_CHECK(whole.keep_alive() == cut.keep_alive());
  CheckRequest(whole.request());
  return 0;
}
