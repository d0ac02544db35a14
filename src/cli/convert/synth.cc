// SPDX-License-Identifier: Apache-2.0
#include "convert/synth.h"

#include <array>
#include <functional>
#include <memory>
#include <utility>

#include "cli/convert/commands.h"
#include "cli/convert/write_model_file.h"
#include "cli/other_programs.h"
#include "cli/output.h"
#include "model/arch/architecture.h"

namespace bitfetch {
namespace {

struct SynthArguments {
  SynthShape shape;  // the named one
  // What is given beside it, to be set in it: in any order of options.
  std::vector<std::function<void(SynthShape&)>> changes;
  bool own_output = false;
  std::string out;
};

// One of `types` by its name.
template <size_t n>
auto TypeAmong(const std::array<TensorType, n>& types) {
  return [types](std::string_view text) -> Result<TensorType> {
    std::string names;
    for (const TensorType type : types) {
      if (TensorTypeName(type) == text) return type;
      names += fmt::format("{}{}", names.empty() ? "" : ", ", TensorTypeName(type));
    }
    return Fail("'{}' is not known: wanted one of {}", text, names);
  };
}

SynthShape ShapeOf(const SynthArguments& options) {
  SynthShape shape = options.shape;
  for (const auto& change : options.changes) change(shape);
  shape.own_output |= options.own_output;
  return shape;
}

Result<int> RunSynth(const SynthArguments& options) {
  return WriteModelFile(options.out, [&](const Progress& progress) {
    return WriteSynthModel(options.out, ShapeOf(options), progress);
  });
}

}  // namespace

void AddSynth(Command& program) {
  const auto options = std::make_shared<SynthArguments>();
  options->shape = SynthShapeNamed("tiny").value();
  Command& command = program.Add(
      "synth",
      {.usage = "--out FILE [--shape NAME] [options]",
       .summary = std::string(FindOtherProgram("synth")->summary),
       .more =
           R"(What such a model writes is noise, but it takes as much time and memory as a trained one of the same
shape (bitnet-2b4t: 1.2 GB). The other options change the named shape. The same options always give
the same file.

examples:
  bitfetch synth --shape tiny --out tiny-random.gguf
  bitfetch synth --layers 4 --hidden 512 --ffn 1024 --out small.gguf
  bitfetch synth --shape bitnet-2b4t --out 2b4t.gguf)"});
  command.AddPath("-o,--out", "FILE", "the file to write", &options->out).Required();
  command.AddParsed("--shape", "NAME",
                    "the shape to begin with, tiny if not given: " + SynthShapeNames(),
                    &options->shape, SynthShapeNamed);
  const auto add = [&](const std::string& name, const std::string& value, const std::string& help,
                       auto SynthShape::*field, auto parse) {
    command.AddOption(
        "--" + name, value, help,
        [changes = &options->changes, field, parse](const std::string& text) -> Status {
          BITFETCH_ASSIGN_OR_RETURN(const auto read, parse(text));
          changes->push_back([field, read](SynthShape& shape) { shape.*field = read; });
          return {};
        });
  };
  const auto size = [&](const std::string& name, const std::string& help,
                        int64_t SynthShape::*field) {
    add(name, "N", help, field, Integer<int64_t>(1));
  };
  size("layers", "number of layers", &SynthShape::layers);
  size("hidden", "width of the residual stream", &SynthShape::hidden);
  size("ffn", "width of the feed-forward layer", &SynthShape::ffn);
  size("heads", "number of query heads", &SynthShape::heads);
  size("kv-heads", "number of KV heads, each of which serves the same number of query heads",
       &SynthShape::kv_heads);
  size("head-dim", "dimensions of a head, a multiple of 16", &SynthShape::head_dim);
  size("vocab",
       fmt::format("tokens in the vocabulary; from {} on the file has a tokenizer too",
                   kMinSynthTokenizer),
       &SynthShape::vocab);
  size("ctx", "context that the file says the model was made for, in tokens", &SynthShape::context);
  add("arch", "NAME", "architecture: " + ArchitectureNames(), &SynthShape::architecture,
      [](std::string_view text) -> Result<std::string> {
        if (FindArchitecture(text) != nullptr) return std::string(text);
        return Fail("'{}' is not known: wanted one of {}", text, ArchitectureNames());
      });
  add("type", "TYPE", "type of the ternary weights: I2_S, TQ1_0, TQ2_0, Q2_0 or PQ2_0",
      &SynthShape::weights,
      TypeAmong(std::array{TensorType::kI2_S, TensorType::kTQ1_0, TensorType::kTQ2_0,
                           TensorType::kQ2_0, TensorType::kPQ2_0}));
  add("embedding", "TYPE",
      "type of the embedding: F16, F32 or BF16, or that of Q2_0 and PQ2_0 weights",
      &SynthShape::embedding,
      TypeAmong(std::array{TensorType::kF16, TensorType::kF32, TensorType::kBF16, TensorType::kQ2_0,
                           TensorType::kPQ2_0}));
  add("seed", "N", "seed of the random weights (default: 1)", &SynthShape::seed,
      Integer<uint64_t>(0, INT64_MAX));
  command.AddFlag("--own-output",
                  "give the model an output head of its own, instead of using the embedding",
                  &options->own_output);
  command.Require([options] { return CheckSynthShape(ShapeOf(*options)); });
  command.SetRun([options] { return RunSynth(*options); });
}

}  // namespace bitfetch
