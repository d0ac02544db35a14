// SPDX-License-Identifier: Apache-2.0
// What runs the model, for one sequence or for many.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "api/guarded.h"
#include "api/handles.h"
#include "api/sized_struct.h"
#include "bitfetch/bitfetch.h"

namespace bitfetch {
namespace {

// The last member of the first version; those that came later stand behind it.
constexpr size_t kFirstPiece = BITFETCH_FIRST_VERSION(bitfetch_piece, message);

// Pieces as the caller's version has them.
class Pieces {
 public:
  Pieces(bitfetch_piece* pieces, size_t count)
      : pieces_(reinterpret_cast<std::byte*>(pieces)),
        bytes_(count == 0 ? 0 : pieces->struct_size),
        count_(count) {}

  Status Check() const {
    if (count_ == 0) return {};
    BITFETCH_RETURN_IF_ERROR(CheckStructSize("pieces", bytes_, kFirstPiece));
    if (bytes_ % alignof(bitfetch_piece) != 0) {
      return Fail("pieces: struct_size is {}, not a multiple of {}", bytes_,
                  alignof(bitfetch_piece));
    }
    return {};
  }

  Result<bitfetch_piece> Read(size_t index) const {
    if (At(index).struct_size != bytes_) {
      return Fail("pieces[{}]: struct_size is {}, and that of the first {}", index,
                  At(index).struct_size, bytes_);
    }
    bitfetch_piece piece = {};
    BITFETCH_RETURN_IF_ERROR(ReadSized("pieces", &At(index), kFirstPiece, &piece));
    return piece;
  }

  void Answer(size_t index, bitfetch_status status, const char* message) const {
    At(index).status = status;
    At(index).message = message;
  }

 private:
  bitfetch_piece& At(size_t index) const {
    return *reinterpret_cast<bitfetch_piece*>(pieces_ + index * bytes_);
  }

  std::byte* pieces_;
  size_t bytes_;  // of each
  size_t count_;
};

bitfetch_status CheckMember(const OpenedModel& model, const char* what, size_t index,
                            const bitfetch_sequence* sequence) {
  if (sequence == nullptr) return NullPointer(fmt::format("{}[{}]", what, index));
  if (sequence->model.get() == &model) return BITFETCH_OK;
  return Fails(BITFETCH_INVALID_ARGUMENT,
               fmt::format("{}[{}] is a sequence of another model", what, index));
}

// What kind of an error, if any, it is that became of a piece.
bitfetch_status StatusOf(const Engine& engine, const SequencePiece& piece) {
  if (piece.status) return BITFETCH_OK;
  const auto is_known = [&](int token) {
    return token >= 0 && token < engine.model().config().vocab;
  };
  if (piece.tokens.empty() || !std::ranges::all_of(piece.tokens, is_known)) {
    return BITFETCH_INVALID_ARGUMENT;
  }
  return engine.CheckRoom(*piece.sequence, piece.tokens.size()) ? BITFETCH_FAILED
                                                                : BITFETCH_CONTEXT_FULL;
}

// In its turn. Logits [count][vocab].
bitfetch_status Logits(Engine& engine, std::span<const bitfetch_sequence* const> sequences,
                       float* logits) {
  std::vector<LogitsQuery> queries(sequences.size());
  for (size_t i = 0; i < sequences.size(); ++i) {
    BITFETCH_RETURN_IF_NOT_OK(CheckIdle(*sequences[i]));
    queries[i].sequence = &sequences[i]->text.sequence();
  }
  engine.Logits(queries);
  for (const LogitsQuery& query : queries) BITFETCH_RETURN_IF_NOT_OK(Told(query.status));
  for (const LogitsQuery& query : queries) {
    for (const Logit& logit : query.logits) logits[logit.id] = logit.value;
    logits += query.logits.size();
  }
  return BITFETCH_OK;
}

thread_local std::vector<std::string> messages;  // of the pieces of the last batch

}  // namespace
}  // namespace bitfetch

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_sequence_append(bitfetch_sequence* sequence, const int32_t* tokens,
                                         size_t count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sequence);
    if (count > 0) BITFETCH_REQUIRE(tokens);
    const std::lock_guard turn(sequence->model->turns);
    BITFETCH_RETURN_IF_NOT_OK(CheckIdle(*sequence));
    if (count == 0) return BITFETCH_OK;
    Engine& engine = *sequence->model->engine;
    SequencePiece piece{.sequence = &sequence->text.sequence(),
                        .tokens = std::span<const int>(tokens, count)};
    BITFETCH_RETURN_IF_NOT_OK(Told(engine.Run({&piece, 1}).map([](bool) {})));
    const bitfetch_status status = StatusOf(engine, piece);
    return piece.status ? status : Fails(status, piece.status.error().message);
  });
}

bitfetch_status bitfetch_sequence_logits(const bitfetch_sequence* sequence, float* logits) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sequence);
    BITFETCH_REQUIRE(logits);
    const std::lock_guard turn(sequence->model->turns);
    return Logits(*sequence->model->engine, {&sequence, 1}, logits);
  });
}

bitfetch_status bitfetch_batch_run(const bitfetch_model* model, bitfetch_piece* pieces,
                                   size_t count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(model);
    if (count > 0) BITFETCH_REQUIRE(pieces);
    const Pieces given(pieces, count);
    BITFETCH_RETURN_IF_NOT_OK(Allowed(given.Check()));
    const std::lock_guard turn(model->opened->turns);
    std::vector<SequencePiece> batch;
    for (size_t i = 0; i < count; ++i) {
      const auto piece = given.Read(i);
      if (!piece) return Fails(BITFETCH_INVALID_ARGUMENT, piece.error().message);
      BITFETCH_RETURN_IF_NOT_OK(CheckMember(*model->opened, "pieces", i, piece->sequence));
      if (piece->count > 0 && piece->tokens == nullptr) {
        return NullPointer(fmt::format("tokens of pieces[{}]", i));
      }
      BITFETCH_RETURN_IF_NOT_OK(CheckIdle(*piece->sequence));
      batch.push_back({.sequence = &piece->sequence->text.sequence(),
                       .tokens = std::span<const int>(piece->tokens, piece->count),
                       .logits = piece->logits});
    }
    Engine& engine = *model->opened->engine;
    const auto ran = engine.Run(batch);
    if (!ran) return Fails(BITFETCH_INVALID_ARGUMENT, ran.error().message);
    messages.clear();
    messages.resize(count);
    for (size_t i = 0; i < count; ++i) {
      if (!batch[i].status) messages[i] = batch[i].status.error().message;
      given.Answer(i, StatusOf(engine, batch[i]), messages[i].c_str());
    }
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_batch_logits(const bitfetch_model* model,
                                      bitfetch_sequence* const* sequences, size_t count,
                                      float* logits) {
  return Guarded([&] {
    BITFETCH_REQUIRE(model);
    if (count == 0) return BITFETCH_OK;
    BITFETCH_REQUIRE(sequences);
    BITFETCH_REQUIRE(logits);
    for (size_t i = 0; i < count; ++i) {
      BITFETCH_RETURN_IF_NOT_OK(CheckMember(*model->opened, "sequences", i, sequences[i]));
    }
    const std::lock_guard turn(model->opened->turns);
    return Logits(*model->opened->engine, {sequences, count}, logits);
  });
}

}  // extern "C"
