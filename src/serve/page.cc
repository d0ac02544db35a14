// SPDX-License-Identifier: Apache-2.0
#include "serve/page.h"

#include <fmt/format.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "serve/page_html.h"

namespace bitfetch {

void SendPage(ApiResponse* response) {
  constexpr std::string_view kPlace = "NONCE";  // in the page, where a script or style has one
  std::random_device random;
  std::string nonce;
  for (int i = 0; i < 4; ++i) nonce += fmt::format("{:08x}", random());
  std::string page;
  std::string_view rest = kPageHtml;
  for (size_t at; (at = rest.find(kPlace)) != std::string_view::npos;
       rest.remove_prefix(at + kPlace.size())) {
    page.append(rest.substr(0, at)).append(nonce);
  }
  page += rest;
  response->Send(
      200, page, "text/html; charset=utf-8",
      {{"Content-Security-Policy",
        fmt::format(
            "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            nonce)},
       {"X-Content-Type-Options", "nosniff"},
       {"Referrer-Policy", "no-referrer"},
       {"Cache-Control", "no-cache"}});
}

}  // namespace bitfetch
