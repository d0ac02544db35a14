// SPDX-License-Identifier: Apache-2.0
#include "engine/session.h"

namespace bitfetch {

Result<std::unique_ptr<Session>> Session::Open(const std::string& path,
                                               const EngineOptions& options,
                                               const Progress& progress) {
  BITFETCH_ASSIGN_OR_RETURN(std::shared_ptr<Engine> engine, Engine::Open(path, options, progress));
  BITFETCH_ASSIGN_OR_RETURN(Sequence sequence, engine->NewSequence());
  return std::make_unique<Session>(std::move(engine), std::move(sequence));
}

Result<bool> Session::Append(std::span<const int> tokens, const Progress& progress,
                             const std::atomic<bool>* interrupted) {
  if (tokens.empty()) return true;
  SequencePiece piece{.sequence = &sequence_, .tokens = tokens};
  BITFETCH_ASSIGN_OR_RETURN(const bool done, engine_->Run({&piece, 1}, progress, interrupted));
  if (done) BITFETCH_RETURN_IF_ERROR(piece.status);
  return done;
}

Status Session::AppendBatch(std::span<const int> tokens, float* logits) {
  SequencePiece piece{.sequence = &sequence_, .tokens = tokens, .logits = logits};
  BITFETCH_RETURN_IF_ERROR(engine_->Run({&piece, 1}));
  return piece.status;
}

Result<std::span<const Logit>> Session::Logits(const LogitsWanted& wanted) {
  query_.sequence = &sequence_;
  query_.wanted = wanted;
  engine_->Logits({&query_, 1});
  BITFETCH_RETURN_IF_ERROR(query_.status);
  return query_.logits;
}

}  // namespace bitfetch
