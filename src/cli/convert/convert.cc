// SPDX-License-Identifier: Apache-2.0
#include "convert/convert.h"

#include <memory>

#include "cli/convert/commands.h"
#include "cli/convert/write_model_file.h"
#include "cli/other_programs.h"
#include "cli/output.h"

namespace bitfetch {
namespace {

struct ConvertArguments {
  std::string folder;
  std::string out;
  ConvertOptions options;
};

Result<TensorType> ParseWeightType(std::string_view text) {
  if (text == "i2_s" || text == "I2_S") return TensorType::kI2_S;
  if (text == "q2_0" || text == "Q2_0") return TensorType::kQ2_0;
  return Fail("'{}' is not known: wanted i2_s or q2_0", text);
}

Result<int> RunConvert(const ConvertArguments& arguments) {
  return WriteModelFile(arguments.out, [&](const Progress& progress) {
    return ConvertModel(arguments.folder, arguments.out, arguments.options, progress);
  });
}

}  // namespace

void AddConvert(Command& program) {
  const auto arguments = std::make_shared<ConvertArguments>();
  Command& command = program.Add(
      "convert",
      {.usage = "DIR --out FILE [options]",
       .summary = std::string(FindOtherProgram("convert")->summary),
       .more =
           R"(The folder holds config.json, model.safetensors or its shards, and a tokenizer. Its weights are
ternary already (packed, or floats of three values in a matrix or in each 64 columns of a row), or
those that a BitNet model was trained with, which are rounded as in training. Anything else is
refused: it would write nonsense. At the end FILE is replaced, if it is a GGUF file.

example:
  bitfetch convert bitnet-b1.58-2B-4T-bf16 --out 2b4t.gguf)"});
  command.AddPath("DIR", "", "the folder", &arguments->folder).Required();
  command.AddPath("-o,--out", "FILE", "the file to write", &arguments->out).Required();
  command.AddParsed("--type", "TYPE",
                    "type of the ternary weights: i2_s, or q2_0 for groups with scales of their "
                    "own (default: the one that they already fit)",
                    &arguments->options.weights, ParseWeightType);
  command.AddFlag(
      "--assume-bitnet",
      "round the weights, though config.json does not say that the model is a BitNet one",
      &arguments->options.assume_bitnet);
  command.AddText("--pre", "NAME",
                  "the pre-tokenizer, where that of tokenizer.json is not known: llama-bpe, "
                  "falcon3, gpt-2 ...",
                  &arguments->options.pre);
  command.SetRun([arguments] { return RunConvert(*arguments); });
}

}  // namespace bitfetch
