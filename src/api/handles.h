// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_API_HANDLES_H_
#define BITFETCH_API_HANDLES_H_

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "api/guarded.h"
#include "api/turns.h"
#include "base/error.h"
#include "bitfetch/bitfetch.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "text/tokenizer.h"

namespace bitfetch {

// What a model, its sequences and its sessions hold together.
struct OpenedModel {
  OpenedModel(std::shared_ptr<Engine> engine, Tokenizer tokenizer)
      : engine(std::move(engine)), tokenizer(std::move(tokenizer)) {}

  // BOS in front of a `first` text where the model wants one.
  Result<std::vector<int>> Encode(std::string_view text, bool first, bool special) const {
    return tokenizer.Encode(text, first && tokenizer.add_bos(), /*replaced=*/nullptr, special);
  }

  const std::shared_ptr<Engine> engine;  // used, as its sequences, by whoever has the turn
  const Tokenizer tokenizer;             // used by anybody
  Turns turns;
};

}  // namespace bitfetch

struct bitfetch_model {
  std::shared_ptr<bitfetch::OpenedModel> opened;
};

struct bitfetch_sequence {
  bitfetch_sequence(std::shared_ptr<bitfetch::OpenedModel> model, bitfetch::Sequence sequence)
      : model(std::move(model)), text(this->model->engine, std::move(sequence)) {}

  const std::shared_ptr<bitfetch::OpenedModel> model;
  bitfetch::Session text;
  bool generates = false;  // also while a callback runs, which is nobody's turn
  bool freed = false;      // meanwhile
};

struct bitfetch_session {
  bitfetch_sequence* sequence;
};

namespace bitfetch {

// Of a call that needs more of a sequence than its length and tokens.
inline bitfetch_status CheckIdle(const bitfetch_sequence& sequence) {
  if (!sequence.generates) return BITFETCH_OK;
  return Fails(BITFETCH_FAILED, "the sequence is in use until its bitfetch_..._generate returns");
}

}  // namespace bitfetch

#endif  // BITFETCH_API_HANDLES_H_
