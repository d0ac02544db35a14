// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_SERVE_DIALECT_CONSTRAINTS_H_
#define BITFETCH_SERVE_DIALECT_CONSTRAINTS_H_

#include <memory>
#include <optional>
#include <string_view>

#include "serve/dialect/conversation.h"
#include "serve/dialect/field.h"
#include "serve/dialect/reply.h"
#include "serve/dialect/served_model.h"
#include "text/constraint/constraint.h"

// From what requests say of an answer's form to what it is sampled under: null where it is free.
// Errors are those of schemas, with their place. Takes some 100 ms at most, at a model's first time
// 100 ms more.
namespace bitfetch {

// OpenAI's response_format, whose schema is in the member `holder` or, where that is empty, beside
// the type. None: text.
std::optional<Form::Schema> ReadFormat(const Field& format, std::string_view holder = "");

ApiResult<std::shared_ptr<const Constraint>> FormatConstraint(
    const ServedModel& model, const std::optional<Form::Schema>& format);

// For an answer to `prompt`, which the conversation has become: a call of a tool if there must be
// one; else what meets the format, if there is one, or a call. Thoughts may come before, where the
// template knows of them, and are any text.
ApiResult<std::shared_ptr<const Constraint>> ConversationConstraint(
    const ServedModel& model, const Conversation& conversation, std::string_view prompt);

}  // namespace bitfetch

#endif  // BITFETCH_SERVE_DIALECT_CONSTRAINTS_H_
