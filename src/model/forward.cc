// SPDX-License-Identifier: Apache-2.0
#include "model/forward.h"

#include <algorithm>
#include <array>

#include "base/finite.h"
#include "kernels/lookahead.h"
#include "model/dequantize.h"

namespace bitfetch {
namespace {

// What is moved to huge pages after a run: little against its time.
constexpr int64_t kMovedAToken = int64_t{4} << 20;
constexpr int64_t kMovedARun = int64_t{16} << 20;

int64_t BytesOf(std::span<const Product> products) {
  int64_t bytes = 0;
  for (const Product& product : products) bytes += product.bytes();
  return bytes;
}

}  // namespace

ForwardPass::ForwardPass(const Model& model, const Kernels& kernels, ThreadPool& pool,
                         const ForwardPrefetch& prefetch)
    : model_(model),
      kernels_(kernels),
      pool_(pool),
      prefetch_(prefetch),
      attention_(kernels, pool),
      products_(kernels, pool, model.config().rms_epsilon) {}

void ForwardPass::Run(RowBatch batch) {
  batch_.clear();
  rows_ = 0;
  for (RowPiece& piece : batch) {
    piece.status = Admit(piece);
    if (!piece.status) continue;
    const auto count = static_cast<int64_t>(piece.tokens.size());
    batch_.push_back({&piece, rows_, count, piece.cache->length()});
    rows_ += count;
  }
  if (batch_.empty()) return;
  watched_ = IsWatched();
  profile_.Begin();
  RunLayers();
  for (const PieceRows& rows : batch_) {
    if (rows.piece->status) {
      WriteStates(rows);
    } else {
      rows.piece->cache->Truncate(rows.position);
    }
  }
  profile_.End(Stage::kHead);
  if (huge_ && huge_->left() > 0) {
    const int64_t moved = huge_->Move(std::min(rows_ * kMovedAToken, kMovedARun));
    profile_.End(Stage::kMove, 2 * moved);
  }
}

// With room in its cache for what comes, so that nothing is in want of it halfway.
Status ForwardPass::Admit(const RowPiece& piece) const {
  BITFETCH_RETURN_IF_ERROR(CheckTokens(model_, piece.tokens));
  BITFETCH_ASSIGN_OR_RETURN(const bool reserved,
                            piece.cache->Reserve(static_cast<int64_t>(piece.tokens.size())));
  if (!reserved) return Fail("every block of the KV cache is in use by other sequences");
  return {};
}

// Where rows attend together, arithmetic takes longer than reading.
bool ForwardPass::IsWatched() const {
  if (prefetch_.watch == nullptr || rows_ != static_cast<int64_t>(batch_.size())) return false;
  int64_t bytes = 0;
  for (const PieceRows& rows : batch_) {
    const auto block_bytes = rows.piece->cache->pool()->layout().block_bytes();
    bytes += rows.position / kTileTokens * static_cast<int64_t>(block_bytes);
  }
  return prefetch_.watch->Tells(bytes, bytes * model_.config().layers + model_.file().file_bytes());
}

void ForwardPass::RunLayers() {
  Embed();
  for (int layer = 0; layer < static_cast<int>(model_.config().layers) && AnyIsWell(); ++layer) {
    RunAttention(layer);
    RunFeedForward(layer);
    FindDamage([&] {
      return fmt::format("activations of layer {} are not finite: its weights are damaged", layer);
    });
    profile_.Begin();
  }
}

void ForwardPass::Embed() {
  const int64_t hidden = model_.config().hidden;
  residual_.resize(rows_ * hidden);
  turns_.resize(model_.ropes().size());
  for (Turns& turns : turns_) {
    turns.cosines.resize(rows_ * model_.config().head_dim / 2);
    turns.sines.resize(turns.cosines.size());
  }
  finite_.assign(rows_, true);
  for (const PieceRows& rows : batch_) {
    pool_.ParallelFor(rows.count, [&](int64_t t, int) {
      const GgufTensor& embedding = model_.embedding();
      const int64_t row = rows.first + t;
      DequantizeRow(embedding.type, embedding.Row(rows.piece->tokens[t]), hidden,
                    residual_.data() + row * hidden);
      const float scale = model_.config().embedding_scale;
      if (scale != 1) {
        for (float& x : std::span(residual_).subspan(row * hidden, hidden)) x *= scale;
      }
      for (size_t i = 0; i < turns_.size(); ++i) {
        const RopeTable& rope = model_.ropes()[i];
        rope.At(rows.position + t, turns_[i].cosines.data() + row * rope.pairs(),
                turns_[i].sines.data() + row * rope.pairs());
      }
    });
  }
  profile_.End(Stage::kEmbed);
  FindDamage([&] {
    return fmt::format("the embedding of a token is not finite: tensor {} is damaged",
                       model_.embedding().name);
  });
  profile_.Begin();
}

// Gives the pieces with a row that is not finite this error, if they have none yet.
template <class Damage>
void ForwardPass::FindDamage(const Damage& damage) {
  const int64_t hidden = model_.config().hidden;
  for (const auto& [piece, first, count, position] : batch_) {
    const auto quantized = std::span(finite_).subspan(first, count);
    const auto residual = std::span(residual_).subspan(first * hidden, count * hidden);
    if (!piece->status || (std::ranges::count(quantized, 0) == 0 && AllFinite(residual))) continue;
    piece->status = Fail("{}: {}", model_.file().path(), damage());
  }
}

bool ForwardPass::AnyIsWell() const {
  return std::ranges::any_of(batch_,
                             [](const PieceRows& rows) { return rows.piece->status.has_value(); });
}

void ForwardPass::RunAttention(int layer) {
  const ModelConfig& config = model_.config();
  const LayerPlan& plan = model_.layers()[layer];
  const int64_t query_size = config.heads * config.head_dim;
  const int64_t kv_size = config.kv_heads * config.head_dim;
  q_.resize(rows_ * query_size);
  k_.resize(rows_ * kv_size);
  v_.resize(rows_ * kv_size);
  attended_.resize(rows_ * query_size);

  in_kernel_ = watched_ ? prefetch_.watch->plan() : prefetch_.in_kernel;
  std::array qkv = {ProductOf(plan.attn_q, q_), ProductOf(plan.attn_k, k_),
                    ProductOf(plan.attn_v, v_)};
  Quantize(residual_, plan.attn_norm, qkv);
  AimCursors(layer, Products::RowsAStep(qkv[1], rows_));
  qkv[1].fetches = qkv[2].fetches = !aims_.empty();
  profile_.Begin();
  products_.Multiply(qkv, [&](int thread) { aims_[thread].cursor.Fetch(lines_a_step_); });
  profile_.End(Stage::kQkv, BytesOf(qkv));
  CountFetched();
  profile_.Begin();
  Turn(plan);
  for (const auto& [piece, first, count, position] : batch_) {
    if (!piece->status) continue;
    piece->status = piece->cache->Append(layer, count, k_.data() + first * kv_size,
                                         v_.data() + first * kv_size);
  }
  profile_.End(Stage::kStore);
  Attend(layer);
  AddToResidual(attended_, plan.attn_output, plan.post_attn_norm, Stage::kAttnOutput);
}

// Queries and keys, by RoPE, behind the norms of their heads.
void ForwardPass::Turn(const LayerPlan& plan) {
  const ModelConfig& config = model_.config();
  const RopeTable& rope = model_.ropes()[plan.rope];
  const Turns& turns = turns_[plan.rope];
  const bool adjacent = rope.form() == RopeForm::kAdjacentPairs;
  pool_.ParallelFor(rows_, [&](int64_t row, int) {
    const float* cosines = turns.cosines.data() + row * rope.pairs();
    const float* sines = turns.sines.data() + row * rope.pairs();
    const auto turn = [&](std::vector<float>& all, int64_t heads, const std::vector<float>& norm) {
      float* const of_row = all.data() + row * heads * config.head_dim;
      for (int64_t i = 0; i < heads; ++i) {
        float* const head = of_row + i * config.head_dim;
        if (!norm.empty()) {
          kernels_.rms_norm(head, norm.data(), config.head_dim, config.rms_epsilon, head);
        }
        kernels_.rope(head, cosines, sines, rope.pairs(), adjacent ? 2 : 1,
                      adjacent ? 1 : rope.pairs());
      }
    };
    turn(q_, config.heads, plan.q_norm);
    turn(k_, config.kv_heads, plan.k_norm);
  });
}

void ForwardPass::Attend(int layer) {
  const std::vector<AttendSlice> slices = Slices(layer, /*stored=*/true);
  if (!slices.empty()) attention_.Run(slices, group(), in_kernel_);
  const int64_t bytes = slices.empty() ? 0 : attention_.bytes_read();
  const double ns = profile_.End(Stage::kAttention, bytes);
  if (watched_ && bytes > 0) prefetch_.watch->Add(ns / static_cast<double>(bytes));
}

int ForwardPass::group() const {
  return static_cast<int>(model_.config().heads / model_.config().kv_heads);
}

// What attends in this layer, whose keys and values are stored or are to come.
std::vector<AttendSlice> ForwardPass::Slices(int layer, bool stored) {
  const int64_t query_size = model_.config().heads * model_.config().head_dim;
  std::vector<AttendSlice> slices;
  for (const auto& [piece, first, count, position] : batch_) {
    if (!piece->status) continue;
    KvView view = *piece->cache->View(layer);
    if (!stored) view.length += count;
    slices.push_back({.kv = view,
                      .rows = count,
                      .queries = q_.data() + first * query_size,
                      .out = attended_.data() + first * query_size});
  }
  return slices;
}

// What each thread will read first in the attention of this layer that follows.
void ForwardPass::AimCursors(int layer, int64_t rows_a_step) {
  aims_.clear();
  if (!prefetch_.ahead) return;
  const std::vector<AttendSlice> slices = Slices(layer, /*stored=*/false);
  if (slices.empty()) return;
  std::vector<KvCache*> caches;
  for (const PieceRows& rows : batch_) {
    if (rows.piece->status) caches.push_back(rows.piece->cache);
  }
  size_t max_lines = 0;
  for (const auto& [slice, begin, end] : attention_.FirstShares(slices, group())) {
    const PrefetchCursor cursor = *caches[slice]->Cursor(layer, begin, end, WalkTiles(in_kernel_));
    aims_.push_back({cursor, caches[slice], cursor.remaining()});
    max_lines = std::max(max_lines, cursor.remaining());
  }
  const int64_t rows = 2 * model_.config().kv_heads * model_.config().head_dim;
  // Of the steps a thread expects its share.
  lines_a_step_ =
      Steps(static_cast<int64_t>(max_lines) * pool_.threads(), Steps(rows, rows_a_step));
}

void ForwardPass::CountFetched() {
  for (const Aim& aim : aims_) {
    aim.cache->CountPrefetched(
        static_cast<int64_t>((aim.lines - aim.cursor.remaining()) * kCacheLineBytes));
  }
}

void ForwardPass::RunFeedForward(int layer) {
  const int64_t ffn = model_.config().ffn;
  const LayerPlan& plan = model_.layers()[layer];
  gate_.resize(rows_ * ffn);
  up_.resize(rows_ * ffn);
  std::array gate_up = {ProductOf(plan.ffn_gate, gate_), ProductOf(plan.ffn_up, up_)};
  Quantize(residual_, plan.ffn_norm, gate_up);
  const auto activate = plan.activation == Activation::kSquaredRelu ? kernels_.relu2_gate
                        : plan.activation == Activation::kSilu      ? kernels_.silu_gate
                                                                    : kernels_.gelu_gate;
  // The more of the two, which both can be cut at.
  const int64_t together = std::max(RowsTogether(gate_up[0]), RowsTogether(gate_up[1]));
  pool_.ParallelRuns(ffn, together, [&](int64_t begin, int64_t end, int) {
    for (const Product& product : gate_up) products_.MultiplyRows(product, begin, end);
    for (int64_t t = 0; t < rows_; ++t) {
      float* gate = gate_.data() + t * ffn + begin;
      activate(gate, up_.data() + t * ffn + begin, end - begin, gate);
    }
  });
  profile_.End(Stage::kGateUp, BytesOf(gate_up));
  AddToResidual(gate_, plan.ffn_down, plan.post_ffn_norm, Stage::kDown);
}

Product ForwardPass::ProductOf(const Projection& projection, std::vector<float>& out) const {
  Product product = {.weights = {}, .norm = projection.norm, .out = out.data()};
  if (const auto* groups = std::get_if<TernaryGroups>(&projection.weights)) {
    TernaryGroups fetched = *groups;
    fetched.prefetch = prefetch_.weights.groups;
    product.weights = fetched;
  } else {
    const auto& matrix = std::get<TernaryMatrix>(projection.weights);
    product.weights = huge_ ? huge_->Rows(matrix) : matrix.InRows();
  }
  if (rows_ > kFewTokens) {
    std::visit([](auto& weights) { weights.prefetch = kManyTokensPrefetch; }, product.weights);
  }
  return product;
}

void ForwardPass::Quantize(const std::vector<float>& x, std::span<const float> norm,
                           std::span<Product> products) {
  products_.Quantize(x.data(), rows_, norm, products, finite_);
  profile_.End(Stage::kNorm);
}

// x: [rows][cols of the projection]; what is added goes through the norm, if there is one.
void ForwardPass::AddToResidual(const std::vector<float>& x, const Projection& projection,
                                std::span<const float> norm, Stage stage) {
  const int64_t hidden = model_.config().hidden;
  projected_.resize(residual_.size());
  std::array product = {ProductOf(projection, projected_)};
  Quantize(x, {}, product);
  products_.Multiply(product[0]);
  if (!norm.empty()) {
    pool_.ParallelFor(rows_, [&](int64_t row, int) {
      float* const added = projected_.data() + row * hidden;
      kernels_.rms_norm(added, norm.data(), hidden, model_.config().rms_epsilon, added);
    });
  }
  kernels_.add(residual_.data(), projected_.data(), rows_ * hidden);
  profile_.End(stage, BytesOf(product));
}

void ForwardPass::WriteStates(const PieceRows& rows) {
  const int64_t hidden = model_.config().hidden;
  const int64_t count = rows.piece->state_rows;
  const float* last = residual_.data() + (rows.first + rows.count - count) * hidden;
  for (int64_t row = 0; row < count; ++row) {
    kernels_.rms_norm(last + row * hidden, model_.output_norm().data(), hidden,
                      model_.config().rms_epsilon, rows.piece->states + row * hidden);
  }
}

}  // namespace bitfetch
