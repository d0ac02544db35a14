// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_JINJA_RENDER_H_
#define BITFETCH_TEXT_JINJA_RENDER_H_

#include "base/error.h"
#include "text/jinja/syntax.h"
#include "text/jinja/traced_text.h"
#include "text/jinja/value.h"

namespace bitfetch::jinja {

// The text that a template gives with these variables, as the npm package @huggingface/jinja
// (0.5.11) renders it. Errors name the line: what is undefined, not covered, or not for such a
// value; what the template raises itself; and what would not end: more than 2 million steps, a text
// of more than 8 MiB, calls more than 500 levels deep, lists more than 100. A second at worst.
Result<TracedText> Render(const Block& program, const Dict& variables);

}  // namespace bitfetch::jinja

#endif  // BITFETCH_TEXT_JINJA_RENDER_H_
