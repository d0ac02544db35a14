// SPDX-License-Identifier: Apache-2.0
// A file that claims to be a model goes as far as the program would take it: tables, configuration,
// weights, a few tokens through the layers; and its vocabulary, with a text and a chat.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/read_tokenizer.h"
#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "kernels/kernels.h"
#include "kv/kv_cache.h"
#include "model/forward.h"
#include "model/head_screen.h"
#include "model/model.h"
#include "model/output_head.h"
#include "text/chat.h"
#include "text/chat_form.h"

namespace bitfetch {
namespace {

void RunModel(const std::string& path, bool mmap) {
  static const auto pool = *ThreadPool::Create(1);
  static const Kernels& kernels = **ChooseKernels();
  const auto model = Model::Load(path, mmap, *pool, {});
  if (!IsSound(model, path)) return;
  const ModelConfig& config = model->config();
  auto cache = KvCache::Create({.layers = static_cast<int>(config.layers),
                                .kv_heads = static_cast<int>(config.kv_heads),
                                .head_dim = static_cast<int>(config.head_dim),
                                .types = {},
                                .limit = 16});
  FUZZ_CHECK(cache);
  ForwardPass forward(*model, kernels, *pool, {});
  OutputHead head(model->output(), kernels, *pool);
  if (DenseRowsOf(model->output())) {
    if (auto screen = HeadScreen::Build(model->output(), kernels, *pool, {})) {
      head.SetScreen(std::make_shared<const HeadScreen>(*std::move(screen)));
    }
  }
  std::vector<int> tokens(static_cast<size_t>(std::min<int64_t>(config.vocab, 3)));
  std::iota(tokens.begin(), tokens.end(), 0);
  std::vector<float> state(static_cast<size_t>(config.hidden));
  std::vector<Logit> logits;
  for (const std::vector<int>& appended : {tokens, {0}}) {
    RowPiece piece{.cache = &*cache, .tokens = appended, .state_rows = 1, .states = state.data()};
    forward.Run({&piece, 1});
    if (!IsSound(piece.status, path)) return;
    for (const int64_t top : {0, 2}) {
      const HeadQuery query{.x = state.data(), .wanted = {.top = top}, .logits = &logits};
      head.Wanted({&query, 1});
    }
  }
}

void RunTokenizer(const std::string& path, bool mmap) {
  const auto file = GgufReader::Open(path, mmap);
  if (!IsSound(file, path)) return;
  const auto tokenizer = ReadTokenizer(*file);
  if (!IsSound(tokenizer, path)) return;
  constexpr std::string_view kText = "It's 2024:  the <|eot_id|>\xffing\r\n\xe2\x82\xac \n";
  const auto ids = tokenizer->Encode(kText, true);
  FUZZ_CHECK(ids && tokenizer->Decode(*ids));
  for (const ChatForm& form : ChatForms()) {
    const Chat chat(*ChatTemplate::Parse("", std::string(form.text)), &*tokenizer);
    FUZZ_CHECK(chat.Prompt(std::vector{ChatMessage("user", std::string(kText))}));
  }
}

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitfetch::SilenceWarnings();
  const bitfetch::MemoryFile file(data, size);
  bitfetch::RunModel(file.path(), size % 2 == 0);
  bitfetch::RunTokenizer(file.path(), size % 2 == 0);
  return 0;
}
