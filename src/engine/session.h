// SPDX-License-Identifier: Apache-2.0
#ifndef BITFETCH_ENGINE_SESSION_H_
#define BITFETCH_ENGINE_SESSION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/logits.h"
#include "engine/engine.h"
#include "engine/sequence.h"

namespace bitfetch {

// One conversation with one model, for those who want no more than that: an engine and a sequence
// of it. Sessions may share an engine; one thread at a time then uses them all.
class Session {
 public:
  // Loads the model at `path`: Engine::Open, with its errors.
  static Result<std::unique_ptr<Session>> Open(const std::string& path,
                                               const EngineOptions& options,
                                               const Progress& progress = {});
  Session(std::shared_ptr<Engine> engine, Sequence sequence)
      : engine_(std::move(engine)), sequence_(std::move(sequence)) {}

  // An error if so many more tokens do not fit in the context.
  Status CheckRoom(size_t count) const { return engine_->CheckRoom(sequence_, count); }

  // Appends tokens, in passes; then Logits() are those of the last one. Errors: those of a piece of
  // Engine::Run; then the session is as it was before. Between passes `progress` hears how far it
  // is, and with `*interrupted` it gives up: false, and nothing was appended.
  Result<bool> Append(std::span<const int> tokens, const Progress& progress = {},
                      const std::atomic<bool>* interrupted = nullptr);

  // The same, for at least one token, with the logits of every token: [tokens][vocab].
  Status AppendBatch(std::span<const int> tokens, float* logits);

  // Those logits of the last token that are wanted, by id, perhaps with others; all by default.
  // Computed when asked for, and valid until the next call. Costs a read of the output head, or
  // of its screen where it has one and not all are wanted. Errors: logits that are not finite;
  // nothing was appended yet, or a Truncate or an Append that failed came after it.
  Result<std::span<const Logit>> Logits(const LogitsWanted& wanted = {});

  // Forgets all but the first `length` tokens; there are no Logits() then, until the next Append.
  void Truncate(int64_t length) { sequence_.Truncate(length); }

  // Where the time went from the last reset until now.
  StageProfile profile() const { return engine_->profile(); }
  void ResetProfile() { engine_->ResetProfile(); }

  // What this machine reads in a stream with the session's threads, as far as it is known.
  double ReadBytesPerSecond() const { return engine_->ReadBytesPerSecond(); }

  const std::vector<int>& tokens() const { return sequence_.tokens(); }  // so far
  int64_t length() const { return sequence_.length(); }
  int64_t context() const { return sequence_.context(); }

  Engine& engine() { return *engine_; }
  Sequence& sequence() { return sequence_; }
  const Sequence& sequence() const { return sequence_; }
  const Model& model() const { return engine_->model(); }
  const Kernels& kernels() const { return engine_->kernels(); }
  const KvCache& cache() const { return sequence_.cache(); }
  int threads() const { return engine_->threads(); }

 private:
  std::shared_ptr<Engine> engine_;
  Sequence sequence_;
  LogitsQuery query_;
};

// Cuts a session back to the length it has now, unless Keep is called: however the work on it ends,
// be it by an exception.
class Rollback {
 public:
  explicit Rollback(Session& session) : session_(&session), length_(session.length()) {}
  ~Rollback() {
    if (session_ != nullptr) session_->Truncate(length_);
  }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  void Keep() { session_ = nullptr; }

 private:
  Session* session_;
  int64_t length_;
};

}  // namespace bitfetch

#endif  // BITFETCH_ENGINE_SESSION_H_
