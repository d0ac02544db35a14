// SPDX-License-Identifier: Apache-2.0
#include "serve/dialect/constraints.h"

namespace bitfetch {

void ReadResponseFormat(const Field& format) {
  if (!format.given()) return;
  std::string type;
  format["type"].Require();
  format["type"].GetOneOf(&type, {"text", "json_object", "json_schema"});
  if (type.starts_with("json")) {
    format.Refuse("of the type '" + type + "' is not supported yet", "unsupported_value");
  }
}

void RefuseForcedTool(const Field& tool_choice) {
  tool_choice.Refuse("that forces a tool is not supported yet: only none and auto are",
                     "unsupported_value");
}

}  // namespace bitfetch
