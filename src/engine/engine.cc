// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/finite.h"
#include "machine/clock.h"
#include "machine/probe.h"

namespace bitfetch {

// A piece on its way. Its tokens are those of the sequence from the beginning, so that keys of
// blocks are computed from them where they lie.
struct Engine::Work {
  SequencePiece* piece;
  int64_t before;  // tokens that the sequence had
  int64_t done;    // tokens that it has computed or adopted

  Sequence& sequence() const { return *piece->sequence; }
  int64_t left() const { return sequence().length() - done; }
  bool is_over() const { return left() == 0 || !piece->status; }
  void GiveUp() const {
    sequence().Truncate(before);
    sequence().states_.clear();
  }
  // All is done: what was guessed is no part of the text.
  void TakeGuesses() {
    std::vector<int>& tokens = sequence().tokens_;
    const auto first = tokens.end() - piece->guesses;
    sequence().guesses_.assign(first, tokens.end());
    tokens.erase(first, tokens.end());
    done -= piece->guesses;
  }
};

Result<bool> Engine::Run(std::span<SequencePiece> pieces, const Progress& progress,
                         const std::atomic<bool>* interrupted) {
  const Stopwatch time;
  lone_pass_ = {};
  BITFETCH_RETURN_IF_ERROR(CheckPieces(pieces));
  HeedWatch();
  // What is left here is given up, however this ends.
  struct Works : std::vector<Work> {
    ~Works() {
      for (const Work& work : *this) work.GiveUp();
    }
  } works;
  works.reserve(pieces.size());
  int64_t total = 0;
  for (SequencePiece& piece : pieces) {
    piece.status = Check(piece);
    if (!piece.status) continue;
    piece.sequence->ForgetGuesses();
    piece.sequence->states_.clear();
    const int64_t before = piece.sequence->length();
    std::vector<int>& tokens = piece.sequence->tokens_;
    tokens.insert(tokens.end(), piece.tokens.begin(), piece.tokens.end());
    works.push_back({&piece, before, before});
    total += works.back().left();
  }
  std::ranges::stable_sort(works, {}, &Work::left);
  while (!works.empty()) {
    if (interrupted != nullptr && *interrupted) {
      for (const Work& work : works) work.piece->status = Fail("interrupted");
      return false;
    }
    RunPass(works);
    for (Work& work : works) {
      if (!work.piece->status) {
        work.GiveUp();
      } else if (work.left() == 0) {
        work.TakeGuesses();
      }
    }
    std::erase_if(works, [](const Work& work) { return work.is_over(); });
    int64_t left = 0;
    for (const Work& work : works) left += work.left();
    if (progress) progress(total - left, total);
  }
  if (pieces.size() == 1 && pieces[0].logits == nullptr &&
      std::ssize(pieces[0].tokens) == 1 + pieces[0].guesses) {
    lone_pass_ = {.rows = std::ssize(pieces[0].tokens), .ns = time.Seconds() * 1e9};
  }
  return true;
}

Status Engine::CheckPieces(std::span<const SequencePiece> pieces) const {
  std::vector<const Sequence*> sequences;
  for (const SequencePiece& piece : pieces) {
    if (piece.sequence->cache().pool() != blocks_) {
      return Fail("a sequence of the batch belongs to another engine");
    }
    sequences.push_back(piece.sequence);
  }
  std::ranges::sort(sequences);
  if (std::ranges::adjacent_find(sequences) != sequences.end()) {
    return Fail("a sequence stands in the batch twice");
  }
  return {};
}

Status Engine::Check(const SequencePiece& piece) const {
  BITFETCH_RETURN_IF_ERROR(CheckTokens(*model_, piece.tokens));
  return CheckRoom(*piece.sequence, piece.tokens.size());
}

int64_t Engine::Adopt(Sequence& sequence, std::span<const int> tokens, bool* is_coming) const {
  if (is_coming != nullptr) *is_coming = false;
  if (tokens.empty()) return 0;
  sequence.ForgetGuesses();
  const int64_t before = sequence.length();
  sequence.tokens_.insert(sequence.tokens_.end(), tokens.begin(), tokens.end());
  const int64_t adopted = AdoptBehind(sequence);
  if (is_coming != nullptr) *is_coming = IsComing(sequence);
  sequence.tokens_.resize(before + adopted);
  if (adopted > 0) sequence.states_.clear();
  return adopted;
}

void Engine::WaitForKv() const {
  if (tier_) tier_->Wait();
}

std::optional<KvTier::Stats> Engine::store_stats() const {
  if (!tier_) return std::nullopt;
  return tier_->stats();
}

void Engine::StopFetchingKv() const {
  if (tier_) tier_->StopFetching();
}

void Engine::EndFetchingKv() const {
  if (tier_) tier_->EndFetching();
}

// The tokens of a sequence, the last of them guesses, that blocks may be adopted for. Those and the
// one before are computed in any case: what they lead to is no part of a block.
std::span<const int> Engine::AdoptableTokens(const Sequence& sequence, int64_t guesses) {
  return std::span(sequence.tokens()).first(sequence.tokens().size() - 1 - guesses);
}

// For tokens that the sequence has and its cache has not.
int64_t Engine::AdoptBehind(Sequence& sequence, int64_t guesses) const {
  if (!share_prefixes_) return 0;
  const std::span<const int> tokens = AdoptableTokens(sequence, guesses);
  if (tier_) return tier_->Adopt(sequence.cache_, sequence.root_, tokens, sequence.store_cursor_);
  return sequence.cache_.Adopt(sequence.root_, tokens);
}

bool Engine::IsComing(const Sequence& sequence, int64_t guesses) const {
  return share_prefixes_ && tier_ &&
         tier_->IsComing(sequence.cache_, sequence.root_, AdoptableTokens(sequence, guesses));
}

// But for blocks with guesses, which may never be met again.
void Engine::Publish(Sequence& sequence, int64_t guesses) const {
  if (!share_prefixes_) return;
  const std::span<const int> tokens =
      std::span(sequence.tokens()).first(sequence.tokens().size() - guesses);
  if (tier_) return tier_->Publish(sequence.cache_, sequence.root_, tokens);
  sequence.cache_.Publish(sequence.root_, tokens);
}

void Engine::Accept(Sequence& sequence) const {
  const auto hidden = std::ssize(sequence.state());
  sequence.states_.erase(sequence.states_.begin(), sequence.states_.begin() + hidden);
  sequence.tokens_.push_back(sequence.guesses_.front());
  sequence.guesses_.erase(sequence.guesses_.begin());
  Publish(sequence);
}

void Engine::RunPass(std::span<Work> works) {
  const int64_t hidden = model_->config().hidden;
  std::vector<RowPiece> batch;
  std::vector<Work*> taken;
  int64_t rows = 0, state_rows = 0;
  for (Work& work : works) {
    if (rows == ForwardPass::kMaxRows) break;
    Sequence& sequence = work.sequence();
    const int64_t guesses = work.piece->guesses;
    if (work.piece->logits == nullptr) {
      work.done += AdoptBehind(sequence, guesses);
      while (IsComing(sequence, guesses)) {
        tier_->Wait();
        work.done += AdoptBehind(sequence, guesses);
      }
    }
    const int64_t count = std::min(work.left(), ForwardPass::kMaxRows - rows);
    RowPiece piece{.cache = &sequence.cache_,
                   .tokens = std::span(sequence.tokens_).subspan(work.done, count)};
    if (work.piece->logits != nullptr) {
      piece.state_rows = count;
      state_rows += count;
    } else if (const int64_t later = work.left() - count; later <= guesses) {
      piece.state_rows = std::min(count, 1 + guesses - later);
      sequence.states_.resize(sequence.states_.size() + piece.state_rows * hidden);
      piece.states = sequence.states_.data() + sequence.states_.size() - piece.state_rows * hidden;
    }
    rows += count;
    batch.push_back(piece);
    taken.push_back(&work);
  }
  states_.resize(state_rows * hidden);
  float* states = states_.data();
  for (RowPiece& piece : batch) {
    if (piece.states != nullptr || piece.state_rows == 0) continue;
    piece.states = states;
    states += piece.state_rows * hidden;
  }
  const Stopwatch time;
  forward_->Run(batch);
  if (tier_ && rows >= kTileTokens) tier_->SetBlockSeconds(time.Seconds() / rows * kTileTokens);
  if (state_rows > 0) AllLogits(taken, batch);
  for (size_t i = 0; i < taken.size(); ++i) {
    Work& work = *taken[i];
    work.piece->status = batch[i].status;
    if (!batch[i].status) continue;
    work.done += static_cast<int64_t>(batch[i].tokens.size());
    Publish(work.sequence(), work.piece->guesses);
  }
}

// Of the pieces that want all logits, with one read of the head.
void Engine::AllLogits(std::span<Work* const> works, std::span<RowPiece> batch) {
  const int64_t vocab = model_->config().vocab;
  const int64_t hidden = model_->config().hidden;
  std::vector<HeadRows> all;
  std::vector<size_t> which;
  for (size_t i = 0; i < works.size(); ++i) {
    const SequencePiece& piece = *works[i]->piece;
    if (piece.logits == nullptr || !batch[i].status) continue;
    all.push_back({.x = batch[i].states,
                   .count = batch[i].state_rows,
                   .logits = piece.logits + (works[i]->done - works[i]->before) * vocab});
    which.push_back(i);
  }
  forward_->profile().Begin();
  head_->All(all);
  forward_->profile().End(Stage::kHead, head_->bytes_read());
  for (size_t i = 0; i < all.size(); ++i) {
    if (!AllFinite(std::span(all[i].logits, all[i].count * vocab))) {
      batch[which[i]].status = LogitsNotFinite();
    }
    const float* last = all[i].x + (all[i].count - 1) * hidden;
    works[which[i]]->sequence().states_.assign(last, last + hidden);
  }
}

void Engine::Logits(std::span<LogitsQuery> queries) {
  const Stopwatch time;
  std::vector<HeadQuery> asked;
  for (LogitsQuery& query : queries) {
    query.status = {};
    if (!query.sequence->has_logits()) {
      query.status = Fail("no token was appended that the next could follow");
      continue;
    }
    asked.push_back({.x = query.sequence->state(query.guesses).data(),
                     .wanted = query.wanted,
                     .logits = &query.logits});
  }
  forward_->profile().Begin();
  head_->Wanted(asked);
  forward_->profile().End(Stage::kHead, head_->bytes_read());
  const auto [rows, ns] = std::exchange(lone_pass_, {});
  if (rows > 0 && rows == std::ssize(asked)) pass_cost_.Measured(rows, ns + time.Seconds() * 1e9);
  for (LogitsQuery& query : queries) {
    const auto is_finite = [](const Logit& logit) { return std::isfinite(logit.value); };
    if (query.status && !std::ranges::all_of(query.logits, is_finite)) {
      query.status = LogitsNotFinite();
    }
  }
}

Status Engine::LogitsNotFinite() const {
  return Fail("{}: the logits are not finite: its weights are damaged", model_->file().path());
}

Status Engine::CheckRoom(const Sequence& sequence, size_t count) const {
  if (sequence.length() + static_cast<int64_t>(count) <= sequence.context()) return {};
  return Fail("{}: the context of {} tokens is full: {} more do not fit behind {}",
              model_->file().path(), sequence.context(), count, sequence.length());
}

double Engine::ReadBytesPerSecond() const {
  return bitfetch::ReadBytesPerSecond(machine_, threads());
}

}  // namespace bitfetch
