// SPDX-License-Identifier: Apache-2.0
#include "model/forward.h"

#include <algorithm>

#include "base/finite.h"
#include "kernels/lookahead.h"
#include "model/dequantize.h"

namespace bitfetch {
namespace {

// What is moved to huge pages after a run: little against its time.
constexpr int64_t kMovedAToken = int64_t{4} << 20;
constexpr int64_t kMovedARun = int64_t{16} << 20;

// Rows of a product between which a thread fetches what comes after: few, since a burst only
// stalls.
constexpr int64_t kRowsAStep = 16;

int64_t Pieces(int64_t rows, int64_t at_a_time) { return (rows + at_a_time - 1) / at_a_time; }

int64_t PadToBlock(int64_t cols) { return (cols + kTernaryPack - 1) / kTernaryPack * kTernaryPack; }

}  // namespace

// A few tokens take as long as reading the weights, and the longer the run, the better the
// prefetchers do: four to a thread, so that one which the system keeps waiting leaves the rest to
// others. More tokens compute for longer than they read.
int64_t ProductRowsAtATime(int64_t rows, int64_t tokens, int threads) {
  constexpr int64_t kFew = 4;
  constexpr int64_t kOfABatch = 128;
  constexpr int64_t kRunsOfAThread = 4;
  constexpr int64_t kTogether = 4;  // rows that the kernels take at once
  if (tokens > kFew) return kOfABatch;
  return Pieces(Pieces(rows, kRunsOfAThread * threads), kTogether) * kTogether;
}

ForwardPass::ForwardPass(const Model& model, const Kernels& kernels, ThreadPool& pool,
                         const ForwardPrefetch& prefetch)
    : model_(model),
      kernels_(kernels),
      pool_(pool),
      prefetch_(prefetch),
      rope_(model.config().rope_theta, model.config().head_dim, model.rope_factors()),
      attention_(kernels, pool) {}

void ForwardPass::Run(RowBatch batch) {
  profile_.Begin();
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

void ForwardPass::RunLayers() {
  Embed();
  for (int layer = 0; layer < static_cast<int>(model_.config().layers) && AnyIsWell(); ++layer) {
    RunAttention(layer);
    RunFeedForward(layer, rows_);
    FindDamage([&] {
      return fmt::format("activations of layer {} are not finite: its weights are damaged", layer);
    });
  }
}

void ForwardPass::Embed() {
  const int64_t hidden = model_.config().hidden;
  residual_.resize(rows_ * hidden);
  cosines_.resize(rows_ * rope_.pairs());
  sines_.resize(rows_ * rope_.pairs());
  finite_.assign(rows_, true);
  for (const PieceRows& rows : batch_) {
    pool_.ParallelFor(rows.count, [&](int64_t t, int) {
      const GgufTensor& embedding = model_.embedding();
      const int64_t row = rows.first + t;
      DequantizeRow(embedding.type, embedding.Row(rows.piece->tokens[t]), hidden,
                    residual_.data() + row * hidden);
      rope_.At(rows.position + t, cosines_.data() + row * rope_.pairs(),
               sines_.data() + row * rope_.pairs());
    });
  }
  profile_.End(Stage::kEmbed);
  FindDamage([&] {
    return fmt::format("the embedding of a token is not finite: tensor {} is damaged",
                       model_.embedding().name);
  });
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
  const LayerWeights& weights = model_.layers()[layer];
  const int64_t query_size = config.heads * config.head_dim;
  const int64_t kv_size = config.kv_heads * config.head_dim;
  q_.resize(rows_ * query_size);
  k_.resize(rows_ * kv_size);
  v_.resize(rows_ * kv_size);
  attended_.resize(rows_ * query_size);

  NormAndQuantize(residual_.data(), weights.attn_norm, config.hidden, rows_);
  AimCursors(layer);
  Multiply({{RowsOf(weights.attn_q), q_.data()},
            {RowsOf(weights.attn_k), k_.data(), /*fetches=*/true},
            {RowsOf(weights.attn_v), v_.data(), /*fetches=*/true}},
           rows_);
  CountFetched();
  profile_.End(Stage::kQkv,
               weights.attn_q.bytes() + weights.attn_k.bytes() + weights.attn_v.bytes());
  Turn();
  for (const auto& [piece, first, count, position] : batch_) {
    if (!piece->status) continue;
    piece->status = piece->cache->Append(layer, count, k_.data() + first * kv_size,
                                         v_.data() + first * kv_size);
  }
  profile_.End(Stage::kStore);
  Attend(layer);

  NormAndQuantize(attended_.data(), weights.attn_sub_norm, query_size, rows_);
  projected_.resize(rows_ * config.hidden);
  Multiply({{RowsOf(weights.attn_output), projected_.data()}}, rows_);
  AddToResidual(rows_);
  profile_.End(Stage::kAttnOutput, weights.attn_output.bytes());
}

// Queries and keys, by RoPE.
void ForwardPass::Turn() {
  const ModelConfig& config = model_.config();
  const bool adjacent = config.rope_form == RopeForm::kAdjacentPairs;
  pool_.ParallelFor(rows_, [&](int64_t row, int) {
    const float* cosines = cosines_.data() + row * rope_.pairs();
    const float* sines = sines_.data() + row * rope_.pairs();
    const auto turn = [&](std::vector<float>& all, int64_t heads) {
      float* const of_row = all.data() + row * heads * config.head_dim;
      for (int64_t head = 0; head < heads; ++head) {
        kernels_.rope(of_row + head * config.head_dim, cosines, sines, rope_.pairs(),
                      adjacent ? 2 : 1, adjacent ? 1 : rope_.pairs());
      }
    };
    turn(q_, config.heads);
    turn(k_, config.kv_heads);
  });
}

void ForwardPass::Attend(int layer) {
  const std::vector<AttendSlice> slices = Slices(layer, /*stored=*/true);
  if (!slices.empty()) attention_.Run(slices, group(), prefetch_.in_kernel);
  profile_.End(Stage::kAttention, slices.empty() ? 0 : attention_.bytes_read());
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
void ForwardPass::AimCursors(int layer) {
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
    const PrefetchCursor cursor =
        *caches[slice]->Cursor(layer, begin, end, WalkTiles(prefetch_.in_kernel));
    aims_.push_back({cursor, caches[slice], cursor.remaining()});
    max_lines = std::max(max_lines, cursor.remaining());
  }
  const int64_t rows = 2 * model_.config().kv_heads * model_.config().head_dim;
  // Of the steps a thread expects its share.
  lines_a_step_ =
      Pieces(static_cast<int64_t>(max_lines) * pool_.threads(), Pieces(rows, kRowsAStep));
}

void ForwardPass::CountFetched() {
  for (const Aim& aim : aims_) {
    aim.cache->CountPrefetched(
        static_cast<int64_t>((aim.lines - aim.cursor.remaining()) * kCacheLineBytes));
  }
}

void ForwardPass::RunFeedForward(int layer, int64_t tokens) {
  const ModelConfig& config = model_.config();
  const LayerWeights& weights = model_.layers()[layer];
  gate_.resize(tokens * config.ffn);
  up_.resize(tokens * config.ffn);
  NormAndQuantize(residual_.data(), weights.ffn_norm, config.hidden, tokens);
  const auto activate =
      config.activation == Activation::kSilu ? kernels_.silu_gate : kernels_.relu2_gate;
  const QuantizedRows input = Quantized(config.hidden, tokens);
  const Product gate_product{RowsOf(weights.ffn_gate), gate_.data()};
  const Product up_product{RowsOf(weights.ffn_up), up_.data()};
  const int64_t at_a_time = ProductRowsAtATime(config.ffn, tokens, pool_.threads());
  pool_.ParallelPieces(config.ffn, at_a_time, [&](int64_t begin, int64_t end, int thread) {
    MultiplyRows(gate_product, begin, end, input, thread);
    MultiplyRows(up_product, begin, end, input, thread);
    for (int64_t t = 0; t < tokens; ++t) {
      float* gate = gate_.data() + t * config.ffn + begin;
      activate(gate, up_.data() + t * config.ffn + begin, end - begin, gate);
    }
  });
  profile_.End(Stage::kGateUp, weights.ffn_gate.bytes() + weights.ffn_up.bytes());
  NormAndQuantize(gate_.data(), weights.ffn_sub_norm, config.ffn, tokens);
  projected_.resize(tokens * config.hidden);
  Multiply({{RowsOf(weights.ffn_down), projected_.data()}}, tokens);
  AddToResidual(tokens);
  profile_.End(Stage::kDown, weights.ffn_down.bytes());
}

// x: [tokens][size]. Without a norm, x is quantised as it is.
void ForwardPass::NormAndQuantize(const float* x, const std::vector<float>& norm, int64_t size,
                                  int64_t tokens) {
  const int64_t stride = PadToBlock(size);
  normed_.resize(tokens * size);
  quantized_.resize(tokens * stride);
  sums_.resize(tokens);
  scales_.resize(tokens);
  pool_.ParallelFor(tokens, [&](int64_t t, int) {
    const float* input = x + t * size;
    if (!norm.empty()) {
      float* normed = normed_.data() + t * size;
      kernels_.rms_norm(input, norm.data(), size, model_.config().rms_epsilon, normed);
      input = normed;
    }
    if (!AllFinite(std::span(input, size))) finite_[t] = false;
    kernels_.quantize(input, size, stride, quantized_.data() + t * stride, &sums_[t], &scales_[t]);
  });
  profile_.End(Stage::kNorm);
}

// What the last NormAndQuantize left.
QuantizedRows ForwardPass::Quantized(int64_t size, int64_t tokens) const {
  return {quantized_.data(), sums_.data(), scales_.data(), tokens, PadToBlock(size)};
}

TernaryRows ForwardPass::RowsOf(const TernaryMatrix& matrix) const {
  return {huge_ ? huge_->Codes(matrix) : matrix.codes, matrix.rows, matrix.cols,
          static_cast<size_t>(matrix.row_bytes), matrix.scale};
}

void ForwardPass::Multiply(std::initializer_list<Product> products, int64_t tokens) {
  const QuantizedRows input = Quantized(products.begin()->weights.cols, tokens);
  const auto at_a_time = [&](const Product& product) {
    return ProductRowsAtATime(product.weights.rows, tokens, pool_.threads());
  };
  const auto pieces_of = [&](const Product& product) {
    return Pieces(product.weights.rows, at_a_time(product));
  };
  int64_t pieces = 0;
  for (const Product& product : products) pieces += pieces_of(product);
  pool_.ParallelFor(pieces, [&](int64_t piece, int thread) {
    const Product* product = products.begin();
    while (piece >= pieces_of(*product)) piece -= pieces_of(*product++);
    const int64_t begin = piece * at_a_time(*product);
    const int64_t end = std::min(begin + at_a_time(*product), product->weights.rows);
    MultiplyRows(*product, begin, end, input, thread);
  });
}

void ForwardPass::MultiplyRows(const Product& product, int64_t begin, int64_t end,
                               const QuantizedRows& input, int thread) {
  const TernaryRows& rows = product.weights;
  const bool fetches = product.fetches && !aims_.empty();
  const int64_t step = fetches ? kRowsAStep : end - begin;
  for (int64_t row = begin; row < end; row += step) {
    kernels_.ternary_matmul(rows, row, std::min(row + step, end), input, product.out, rows.rows);
    if (fetches) aims_[thread].cursor.Fetch(lines_a_step_);
  }
}

void ForwardPass::AddToResidual(int64_t tokens) {
  kernels_.add(residual_.data(), projected_.data(), tokens * model_.config().hidden);
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
