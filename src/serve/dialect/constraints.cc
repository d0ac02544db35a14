// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/constraints.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "text/thinking.h"

namespace bitfetch {
namespace {

JsonMember TypeObject() { return {"type", {std::string("object")}}; }

// The arguments of a call are an object, also where a schema does not say so.
Form::Schema ArgumentsOf(const Tool& tool) {
  const JsonValue* parameters = tool.parameters.value();
  if (parameters == nullptr) {
    return {{JsonValue::Object{TypeObject(), {"properties", {JsonValue::Object()}}}}};
  }
  JsonValue schema = *parameters;
  if (schema.Find("type") == nullptr) {
    std::get<JsonValue::Object>(schema.value).push_back(TypeObject());
  }
  return {std::move(schema), tool.parameters.path()};
}

// As AnswerStream reads it, in the words of Qwen3's template.
Form CallOf(const Tool& tool) {
  return {Form::Sequence{{{Form::Literal{fmt::format("<tool_call>\n{{\"name\": {}, \"arguments\": ",
                                                     QuoteJson(tool.name))}},
                          {ArgumentsOf(tool)},
                          {Form::Literal{"}\n</tool_call>"}}}}};
}

// An answer of this form with the thoughts before it: those that the prompt begins, or that the
// model may begin.
Form BehindThoughts(const ServedModel& model, std::string_view prompt, Form form) {
  Form blanks = {Form::OneOf{{{Form::Literal{"\n\n"}}, {Form::Literal{"\n"}}, {Form::Literal{}}}}};
  Form thoughts = {Form::Sequence{{{Form::Until{std::string(kThoughtsEnd)}}, std::move(blanks)}}};
  if (!EndsInThinking(prompt)) {
    const bool thinks = model.chat_template->text().find(kThoughtsEnd) != std::string::npos;
    if (!thinks || EndsBehindThinking(prompt)) return form;
    Form begun = {
        Form::Sequence{{{Form::Literal{std::string(kThoughtsBegin)}}, std::move(thoughts)}}};
    thoughts = {Form::OneOf{{std::move(begun), {Form::Literal{}}}}};
  }
  return {Form::Sequence{{std::move(thoughts), std::move(form)}}};
}

// Errors that have no place are about `param`.
ApiResult<std::shared_ptr<const Constraint>> ConstraintOf(const ServedModel& model,
                                                          const Form& form,
                                                          std::string_view param) {
  auto constraint = Constraint::Create(form, model.tries->Get(model.tokenizer));
  if (constraint) return *std::move(constraint);
  const std::string& message = constraint.error().message;
  const size_t place = message.find('#');
  return tl::unexpected(
      ApiError{.message = message,
               .param = std::string(place == std::string::npos ? param : message.substr(0, place)),
               .code = "invalid_json_schema"});
}

}  // namespace

std::optional<Form::Schema> ReadFormat(const Field& format, std::string_view holder) {
  if (!format.given()) return std::nullopt;
  std::string type;
  format["type"].Require();
  format["type"].GetOneOf(&type, {"text", "json_object", "json_schema"});
  if (type == "json_object") {
    return Form::Schema{{JsonValue::Object{TypeObject()}}, format.path()};
  }
  if (type != "json_schema") return std::nullopt;
  const Field schema = (holder.empty() ? format : format[holder])["schema"];
  schema.Require();
  if (!schema.given()) return std::nullopt;
  return Form::Schema{*schema.value(), schema.path()};
}

ApiResult<std::shared_ptr<const Constraint>> FormatConstraint(
    const ServedModel& model, const std::optional<Form::Schema>& format) {
  if (!format) return nullptr;
  return ConstraintOf(model, {*format}, format->name);
}

ApiResult<std::shared_ptr<const Constraint>> ConversationConstraint(
    const ServedModel& model, const Conversation& conversation, std::string_view prompt) {
  if (!conversation.must_call && !conversation.format) return nullptr;
  Form::OneOf answers;
  if (!conversation.must_call) answers.alternatives.push_back({*conversation.format});
  for (const Tool& tool : conversation.tools) answers.alternatives.push_back(CallOf(tool));
  return ConstraintOf(model, BehindThoughts(model, prompt, {std::move(answers)}),
                      conversation.form_field());
}

}  // namespace bitfetch
