// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_PAGE_H_
#define BITFETCH_SERVE_PAGE_H_

#include "serve/api_response.h"

namespace bitfetch {

// Sends the page to chat on (src/serve/page/index.html), which a browser lets run no script and
// load nothing but what is in it, and never read a text as HTML: a content security policy with a
// nonce for this response.
void SendPage(ApiResponse* response);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_PAGE_H_
