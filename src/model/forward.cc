// SPDX-License-Identifier: Apache-2.0
#include "model/forward.h"

#include <algorithm>
#include <bit>
#include <cmath>

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

bool AllFinite(std::span<const float> floats) {
  // By exponents: a sum of integers has no order, so the compiler takes many at once.
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t infinite = 0;
  for (const float value : floats) {
    infinite += (std::bit_cast<uint32_t>(value) & kExponent) == kExponent ? 1 : 0;
  }
  return infinite == 0;
}

}  // namespace

// One token reads each weight once, and the longer the run, the better the prefetchers do: four to
// a thread, so that one which the system keeps waiting leaves the rest to others. A batch computes
// for longer than it reads.
int64_t ProductRowsAtATime(int64_t rows, int64_t tokens, int threads) {
  constexpr int64_t kOfABatch = 128;
  constexpr int64_t kRunsOfAThread = 4;
  constexpr int64_t kTogether = 4;  // rows that the kernels take at once
  if (tokens > 1) return kOfABatch;
  return Pieces(Pieces(rows, kRunsOfAThread * threads), kTogether) * kTogether;
}

ForwardPass::ForwardPass(const Model& model, const Kernels& kernels, ThreadPool& pool,
                         const ForwardPrefetch& prefetch)
    : model_(model),
      kernels_(kernels),
      pool_(pool),
      prefetch_(prefetch),
      rope_(model.config().rope_theta, model.config().head_dim, model.rope_factors()),
      attention_(kernels, pool),
      head_(model.output(), kernels, pool) {}

Status ForwardPass::Run(std::span<const int> tokens, KvCache& cache, int64_t logit_tokens,
                        float* logits) {
  const ModelConfig& config = model_.config();
  for (const int token : tokens) {
    if (token < 0 || token >= config.vocab) {
      return Fail("{}: token {} is out of range: the vocabulary has {}", model_.file().path(),
                  token, config.vocab);
    }
  }
  const int64_t before = cache.length();
  profile_.Begin();
  if (Status status = RunLayers(tokens, cache); !status) {
    cache.Truncate(before);
    return status;
  }
  if (huge_ && huge_->left() > 0) {
    profile_.Begin();
    const auto count = static_cast<int64_t>(tokens.size());
    const int64_t moved = huge_->Move(std::min(count * kMovedAToken, kMovedARun));
    profile_.End(Stage::kMove, 2 * moved);
  }
  if (logit_tokens == 0) return {};
  head_.All(NormLast(logit_tokens), logit_tokens, logits);
  profile_.End(Stage::kHead, head_.bytes_read());
  if (!AllFinite(std::span(logits, logit_tokens * config.vocab))) {
    cache.Truncate(before);
    return LogitsNotFinite();
  }
  return {};
}

Status ForwardPass::Logits(const LogitsWanted& wanted, std::vector<Logit>* logits) {
  profile_.Begin();
  head_.Wanted(NormLast(1), wanted, logits);
  profile_.End(Stage::kHead, head_.bytes_read());
  const auto is_finite = [](const Logit& logit) { return std::isfinite(logit.value); };
  if (!std::ranges::all_of(*logits, is_finite)) return LogitsNotFinite();
  return {};
}

Status ForwardPass::RunLayers(std::span<const int> tokens, KvCache& cache) {
  const ModelConfig& config = model_.config();
  const auto count = static_cast<int64_t>(tokens.size());
  const int64_t first = cache.length();
  residual_.resize(count * config.hidden);
  cosines_.resize(count * rope_.pairs());
  sines_.resize(count * rope_.pairs());
  pool_.ParallelFor(count, [&](int64_t t, int) {
    const GgufTensor& embedding = model_.embedding();
    DequantizeRow(embedding.type, embedding.Row(tokens[t]), config.hidden,
                  residual_.data() + t * config.hidden);
    rope_.At(first + t, cosines_.data() + t * rope_.pairs(), sines_.data() + t * rope_.pairs());
  });
  profile_.End(Stage::kEmbed);
  if (!AllFinite(residual_)) {
    return Fail("{}: the embedding of a token is not finite: tensor {} is damaged",
                model_.file().path(), model_.embedding().name);
  }
  finite_ = true;
  for (int layer = 0; layer < static_cast<int>(config.layers); ++layer) {
    BITFETCH_RETURN_IF_ERROR(RunAttention(layer, count, cache));
    RunFeedForward(layer, count);
    if (!finite_ || !AllFinite(residual_)) {
      return Fail("{}: activations of layer {} are not finite: its weights are damaged",
                  model_.file().path(), layer);
    }
  }
  return {};
}

Status ForwardPass::RunAttention(int layer, int64_t tokens, KvCache& cache) {
  const ModelConfig& config = model_.config();
  const LayerWeights& weights = model_.layers()[layer];
  const int64_t query_size = config.heads * config.head_dim;
  const int64_t kv_size = config.kv_heads * config.head_dim;
  q_.resize(tokens * query_size);
  k_.resize(tokens * kv_size);
  v_.resize(tokens * kv_size);
  attended_.resize(tokens * query_size);

  NormAndQuantize(residual_.data(), weights.attn_norm, config.hidden, tokens);
  cursors_.clear();
  if (prefetch_.ahead && tokens == 1) BITFETCH_RETURN_IF_ERROR(AimCursors(layer, cache));
  Multiply({{RowsOf(weights.attn_q), q_.data()},
            {RowsOf(weights.attn_k), k_.data(), /*fetches=*/true},
            {RowsOf(weights.attn_v), v_.data(), /*fetches=*/true}},
           tokens);
  CountFetched(cache);
  profile_.End(Stage::kQkv,
               weights.attn_q.bytes() + weights.attn_k.bytes() + weights.attn_v.bytes());

  const bool adjacent = config.rope_form == RopeForm::kAdjacentPairs;
  pool_.ParallelFor(tokens, [&](int64_t t, int) {
    const float* cosines = cosines_.data() + t * rope_.pairs();
    const float* sines = sines_.data() + t * rope_.pairs();
    const auto turn = [&](float* heads, int64_t size) {
      for (int64_t i = 0; i < size; i += config.head_dim) {
        kernels_.rope(heads + i, cosines, sines, rope_.pairs(), adjacent ? 2 : 1,
                      adjacent ? 1 : rope_.pairs());
      }
    };
    turn(q_.data() + t * query_size, query_size);
    turn(k_.data() + t * kv_size, kv_size);
  });
  BITFETCH_RETURN_IF_ERROR(cache.Append(layer, tokens, k_.data(), v_.data()));
  BITFETCH_ASSIGN_OR_RETURN(const KvView view, cache.View(layer));
  profile_.End(Stage::kStore);
  const AttendSlice slice{
      .kv = view, .rows = tokens, .queries = q_.data(), .out = attended_.data()};
  attention_.Run({&slice, 1}, static_cast<int>(config.heads / config.kv_heads),
                 prefetch_.in_kernel);
  profile_.End(Stage::kAttention, static_cast<int64_t>(view.read_bytes()));

  NormAndQuantize(attended_.data(), weights.attn_sub_norm, query_size, tokens);
  projected_.resize(tokens * config.hidden);
  Multiply({{RowsOf(weights.attn_output), projected_.data()}}, tokens);
  AddToResidual(tokens);
  profile_.End(Stage::kAttnOutput, weights.attn_output.bytes());
  return {};
}

// What each thread will read in the attention of this layer that follows.
Status ForwardPass::AimCursors(int layer, const KvCache& cache) {
  const int threads = pool_.threads();
  BITFETCH_ASSIGN_OR_RETURN(KvView view, cache.View(layer));
  ++view.length;
  const AttendSlice slice{.kv = view};
  const auto shares = attention_.FirstShares(
      {&slice, 1}, static_cast<int>(model_.config().heads / model_.config().kv_heads));
  cursor_lines_ = 0;
  size_t max_lines = 0;
  for (const Attention::Share& share : shares) {
    BITFETCH_ASSIGN_OR_RETURN(
        const PrefetchCursor cursor,
        cache.Cursor(layer, share.begin, share.end, WalkTiles(prefetch_.in_kernel)));
    cursors_.push_back(cursor);
    cursor_lines_ += cursor.remaining();
    max_lines = std::max(max_lines, cursor.remaining());
  }
  const int64_t rows = 2 * model_.config().kv_heads * model_.config().head_dim;
  // Of the steps a thread expects its share.
  lines_a_step_ = Pieces(static_cast<int64_t>(max_lines) * threads, Pieces(rows, kRowsAStep));
  return {};
}

void ForwardPass::CountFetched(KvCache& cache) {
  size_t left = 0;
  for (const PrefetchCursor& cursor : cursors_) left += cursor.remaining();
  if (!cursors_.empty()) {
    cache.CountPrefetched(static_cast<int64_t>((cursor_lines_ - left) * kCacheLineBytes));
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
    if (!AllFinite(std::span(input, size))) finite_ = false;
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
  const bool fetches = product.fetches && !cursors_.empty();
  const int64_t step = fetches ? kRowsAStep : end - begin;
  for (int64_t row = begin; row < end; row += step) {
    kernels_.ternary_matmul(rows, row, std::min(row + step, end), input, product.out, rows.rows);
    if (fetches) cursors_[thread].Fetch(lines_a_step_);
  }
}

void ForwardPass::AddToResidual(int64_t tokens) {
  kernels_.add(residual_.data(), projected_.data(), tokens * model_.config().hidden);
}

// The last `count` tokens of the last batch, as the output head takes them: [count][hidden].
const float* ForwardPass::NormLast(int64_t count) {
  const int64_t hidden = model_.config().hidden;
  normed_.resize(count * hidden);
  const float* last = residual_.data() + residual_.size() - count * hidden;
  for (int64_t t = 0; t < count; ++t) {
    kernels_.rms_norm(last + t * hidden, model_.output_norm().data(), hidden,
                      model_.config().rms_epsilon, normed_.data() + t * hidden);
  }
  return normed_.data();
}

Status ForwardPass::LogitsNotFinite() const {
  return Fail("{}: the logits are not finite: its weights are damaged", model_.file().path());
}

}  // namespace bitfetch
