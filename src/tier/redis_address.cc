// SPDX-License-Identifier: Apache-2.0
#include "tier/redis_address.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/url.h"

namespace bitfetch {
namespace {

constexpr std::string_view kScheme = "redis://";
constexpr int kMaxTtlSeconds = 10 * 365 * 24 * 3600;

std::optional<int> ParseNumber(std::string_view text, int min, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return std::nullopt;
  }
  return value;
}

// What stands before `mark`, which is taken off with it; nothing: it does not occur.
std::optional<std::string_view> TakeUpTo(std::string_view* text, size_t mark) {
  if (mark == std::string_view::npos) return std::nullopt;
  const std::string_view before = text->substr(0, mark);
  text->remove_prefix(mark + 1);
  return before;
}

Status ParseHost(std::string_view text, RedisAddress* address) {
  const bool is_bracketed = text.starts_with('[');
  const size_t end = is_bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return Fail("a ']' is missing behind the host");
  address->host = text.substr(is_bracketed, end - is_bracketed);
  if (address->host.empty()) return Fail("the host is missing");
  text.remove_prefix(end + is_bracketed);
  if (text.empty()) return {};
  const std::optional<int> port =
      text.front() == ':' ? ParseNumber(text.substr(1), 1, 65535) : std::nullopt;
  if (!port) return Fail("'{}' behind the host is no port, as in :6379", text);
  address->port = *port;
  return {};
}

Result<RedisAddress> ParseRedisAddress(std::string_view text) {
  if (text.starts_with("rediss://")) {
    return Fail(
        "rediss:// is Redis over TLS, which this program can't speak: use redis:// through "
        "a tunnel (stunnel, WireGuard), or on a network that nobody else is on");
  }
  if (!text.starts_with(kScheme)) {
    return Fail(
        "each store begins with redis://, as in redis://127.0.0.1:6379/0, and no space stands "
        "before it");
  }
  text.remove_prefix(kScheme.size());
  RedisAddress address;
  if (auto credentials = TakeUpTo(&text, text.rfind('@'))) {
    const auto user = TakeUpTo(&*credentials, credentials->find(':'));
    if (!user) return Fail("user and password are written user:password@, or :password@");
    const auto decoded_user = DecodePercents(*user), password = DecodePercents(*credentials);
    if (!decoded_user || !password || password->empty()) {
      return Fail("the password is empty, or a % in it is not followed by two hexadecimal digits");
    }
    address.user = *decoded_user;
    address.password = *password;
  }
  std::string_view options;
  if (const size_t mark = text.find('?'); mark != std::string_view::npos) {
    options = text.substr(mark + 1);
    text = text.substr(0, mark);
    const auto ttl = options.starts_with("ttl=") ? ParseNumber(options.substr(4), 1, kMaxTtlSeconds)
                                                 : std::nullopt;
    if (!ttl) return Fail("'{}' is not ttl=SECONDS, from 1 to {}", options, kMaxTtlSeconds);
    address.ttl_seconds = *ttl;
  }
  if (const size_t mark = text.find('/'); mark != std::string_view::npos) {
    const std::string_view db = text.substr(mark + 1);
    text = text.substr(0, mark);
    const std::optional<int> number = db.empty() ? 0 : ParseNumber(db, 0, 1 << 20);
    if (!number) return Fail("'{}' is no database's number", db);
    address.db = *number;
  }
  BITFETCH_RETURN_IF_ERROR(ParseHost(text, &address));
  return address;
}

}  // namespace

std::string RedisAddress::Name() const {
  return fmt::format("redis://{}/{}", HostAndPort(host, port), db);
}

Result<std::vector<RedisAddress>> ParseRedisAddresses(std::string_view text) {
  std::vector<RedisAddress> addresses;
  while (true) {
    const auto first = TakeUpTo(&text, text.find(','));
    BITFETCH_ASSIGN_OR_RETURN(RedisAddress address, ParseRedisAddress(first.value_or(text)));
    const bool is_twice = std::ranges::any_of(
        addresses, [&](const RedisAddress& other) { return other.Name() == address.Name(); });
    if (is_twice) return Fail("{} stands there twice", address.Name());
    addresses.push_back(std::move(address));
    if (!first) return addresses;
  }
}

}  // namespace bitfetch
