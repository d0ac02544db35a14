// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_TEXT_CONSTRAINT_FORM_H_
#define BITFETCH_TEXT_CONSTRAINT_FORM_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_value.h"

namespace bitfetch {

// What a text must look like: made of literal text, any text up to a mark, JSON that a schema
// describes, and of such forms one after another or one among several.
struct Form {
  struct Literal {
    std::string text;
  };
  struct Until {
    std::string mark;  // the first in the text, which ends with it
  };
  struct Schema {
    JsonValue schema;
    std::string name = {};  // errors put it in front of the place in the schema
  };
  struct Sequence {
    std::vector<Form> parts;
  };
  struct OneOf {
    std::vector<Form> alternatives;
  };

  std::variant<Literal, Until, Schema, Sequence, OneOf> form;
};

}  // namespace bitfetch

#endif  // BITFETCH_TEXT_CONSTRAINT_FORM_H_
