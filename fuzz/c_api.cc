// SPDX-License-Identifier: Apache-2.0
// Bytes read as a sequence of calls of the C API, right and wrong ones, on a tiny model and on KV
// caches of any shape. A call that fails says why and changes nothing.
#include <bitfetch/bitfetch.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/check.h"
#include "fuzz/model.h"

namespace bitfetch {
namespace {

// Each input begins with an empty text.
bitfetch_session* OpenSession() {
  bitfetch_model* const model = OpenModel(kContext);
  bitfetch_session* session = nullptr;
  FUZZ_CHECK(Succeeds(bitfetch_session_create(model, &session)));
  bitfetch_model_close(model);
  return session;
}

class Calls {
 public:
  Calls(const uint8_t* data, size_t size) : input_(data, size) {
    static bitfetch_session* const session = OpenSession();
    static bitfetch_attention* const attention = [] {
      bitfetch_attention* made = nullptr;
      FUZZ_CHECK(Succeeds(bitfetch_attention_create(1, &made)));
      return made;
    }();
    session_ = session;
    attention_ = attention;
    FUZZ_CHECK(Succeeds(bitfetch_truncate(session_, 0)));
  }

  void Run() {
    while (input_.remaining_bytes() > 0) {
      switch (input_.ConsumeIntegralInRange(0, 11)) {
        case 0:
          Append();
          break;
        case 1:
          Tokenize();
          break;
        case 2:
          Logits();
          break;
        case 3:
          Generate();
          break;
        case 4:
          Truncate();
          break;
        case 5:
          TokenBytes();
          break;
        case 6:
          NothingGiven();
          break;
        case 7:
          CreateCache();
          break;
        case 8:
          ForkOrFreeCache();
          break;
        case 9:
          AppendToCache();
          break;
        case 10:
          CutOrPrefetchCache();
          break;
        default:
          Attend();
      }
      FUZZ_CHECK(bitfetch_session_length(session_) == length_);
    }
  }

 private:
  struct CacheFree {
    void operator()(bitfetch_cache* cache) const { bitfetch_cache_free(cache); }
  };
  struct Cache {
    std::unique_ptr<bitfetch_cache, CacheFree> cache;
    bitfetch_cache_shape shape;
    std::vector<int64_t> lengths;  // [layers]
  };

  void Append() {
    std::vector<int32_t> tokens(input_.ConsumeIntegralInRange<size_t>(0, kContext + 1));
    bool known = true;
    for (int32_t& token : tokens) {
      token = input_.ConsumeIntegral<int16_t>();
      known = known && token >= 0 && token < kVocab;
    }
    const auto count = static_cast<int64_t>(tokens.size());
    const bool appended = Succeeds(bitfetch_append(session_, tokens.data(), tokens.size()));
    FUZZ_CHECK(appended == (known && length_ + count <= kContext));
    if (!appended) return;
    length_ += count;
    if (count > 0) has_logits_ = 1;
  }

  void Tokenize() {
    const std::string text = input_.ConsumeRandomLengthString(64);
    std::vector<int32_t> tokens(input_.ConsumeIntegralInRange<size_t>(0, 70));
    size_t count = 0;
    FUZZ_CHECK(Succeeds(bitfetch_tokenize(session_, text.data(), text.size(), tokens.data(),
                                          tokens.size(), &count)));
    FUZZ_CHECK(count <= 3 * text.size() + 1);
  }

  void Logits() {
    std::vector<float> logits(kVocab, NAN);
    if (!Succeeds(bitfetch_logits(session_, logits.data()))) {
      FUZZ_CHECK(has_logits_ != 1);
      return;
    }
    FUZZ_CHECK(has_logits_ != 0);
    FUZZ_CHECK(std::ranges::all_of(logits, [](float value) { return std::isfinite(value); }));
  }

  void Generate() {
    const std::string prompt = input_.ConsumeRandomLengthString(16);
    bitfetch_sampling sampling = bitfetch_default_sampling();
    sampling.max_tokens = input_.ConsumeIntegralInRange<int64_t>(-2, 10);
    if (input_.ConsumeBool()) {
      const auto number = [&] { return input_.ConsumeFloatingPointInRange<double>(-1, 3); };
      sampling.temperature = number();
      sampling.top_k = input_.ConsumeIntegral<int>();
      sampling.top_p = number();
      sampling.min_p = number();
      sampling.repeat_penalty = number();
      sampling.seed = input_.ConsumeIntegral<uint64_t>();
    }
    int left = input_.ConsumeIntegralInRange(0, 20);
    const auto on_text = [](const char*, size_t, void* user) {
      return --*static_cast<int*>(user) >= 0 ? 1 : 0;
    };
    const bitfetch_status status =
        bitfetch_generate(session_, prompt.data(), prompt.size(), &sampling, on_text, &left);
    Succeeds(status);
    const int64_t before = length_;
    length_ = bitfetch_session_length(session_);
    FUZZ_CHECK(length_ >= 0 && length_ <= kContext);
    FUZZ_CHECK(status != BITFETCH_CONTEXT_FULL || length_ == kContext || length_ == before);
    has_logits_ = -1;
  }

  void Truncate() {
    const auto length = input_.ConsumeIntegralInRange<int64_t>(-128, 127);
    FUZZ_CHECK(Succeeds(bitfetch_truncate(session_, length)) == (length >= 0));
    if (length < 0 || length >= length_) return;
    length_ = length;
    has_logits_ = 0;
  }

  void TokenBytes() {
    const auto token = input_.ConsumeIntegral<int32_t>();
    const char* data = nullptr;
    size_t bytes = 0;
    FUZZ_CHECK(Succeeds(bitfetch_token_bytes(session_, token, &data, &bytes)) ==
               (token >= 0 && token < kVocab));
    FUZZ_CHECK(std::string_view(data, bytes).size() <= 32);
  }

  void NothingGiven() {
    size_t count = 0;
    const bitfetch_cache_shape no_size = {};
    bitfetch_cache* cache = nullptr;
    FUZZ_CHECK(!Succeeds(bitfetch_cache_create(&no_size, &cache)));
    FUZZ_CHECK(!Succeeds(bitfetch_tokenize(session_, nullptr, 1, nullptr, 0, &count)));
    FUZZ_CHECK(!Succeeds(bitfetch_append(nullptr, nullptr, 1)));
    FUZZ_CHECK(!Succeeds(bitfetch_logits(session_, nullptr)));
    FUZZ_CHECK(!Succeeds(bitfetch_generate(session_, "", 0, nullptr, nullptr, nullptr)));
    FUZZ_CHECK(!Succeeds(bitfetch_cache_fork(nullptr, nullptr)));
    FUZZ_CHECK(!Succeeds(bitfetch_attention_run(attention_, nullptr, 0, 1, nullptr, 1, nullptr)));
  }

  void CreateCache() {
    const char* const types[] = {nullptr, "f32", "bf16", "q8_0", "q4_0", "q8_0:f16", "?"};
    const char* const pages[] = {nullptr, "4k", "huge", "?"};
    Cache made;
    // More layers, heads or tokens than these only take longer.
    made.shape = {.struct_size = sizeof(made.shape),
                  .layers = input_.ConsumeIntegralInRange(-1, 4),
                  .kv_heads = input_.ConsumeIntegralInRange(-1, 4),
                  .head_dim = input_.ConsumeIntegralInRange(-1, 96),
                  .limit = input_.ConsumeIntegralInRange<int64_t>(-1, 100),
                  .kv_type = input_.PickValueInArray(types),
                  .pages = input_.PickValueInArray(pages)};
    if (input_.ConsumeBool()) {
      made.shape.layers = input_.ConsumeIntegral<int>();
      made.shape.kv_heads = input_.ConsumeIntegral<int>();
    }
    bitfetch_cache* cache = nullptr;
    if (!Succeeds(bitfetch_cache_create(&made.shape, &cache))) {
      FUZZ_CHECK(cache == nullptr);
      return;
    }
    made.cache.reset(cache);
    // What would take gigabytes to fill, or to write down, is only created.
    if (int64_t{made.shape.layers} * made.shape.kv_heads > 64) return;
    made.lengths.resize(made.shape.layers);
    if (caches_.size() < 4) caches_.push_back(std::move(made));
  }

  Cache* PickCache() {
    if (caches_.empty()) return nullptr;
    return &caches_[input_.ConsumeIntegralInRange<size_t>(0, caches_.size() - 1)];
  }

  void ForkOrFreeCache() {
    Cache* from = PickCache();
    if (from == nullptr) return;
    if (input_.ConsumeBool() || caches_.size() == 4) {
      caches_.erase(caches_.begin() + (from - caches_.data()));
      return;
    }
    bitfetch_cache* fork = nullptr;
    FUZZ_CHECK(Succeeds(bitfetch_cache_fork(from->cache.get(), &fork)));
    Cache made{decltype(from->cache)(fork), from->shape, from->lengths};
    caches_.push_back(std::move(made));
  }

  void AppendToCache() {
    Cache* to = PickCache();
    if (to == nullptr) return;
    const int layer = input_.ConsumeIntegralInRange(-1, to->shape.layers);
    const auto count = input_.ConsumeIntegralInRange<int64_t>(-2, 120);
    const std::vector<float> floats = Floats(count * to->shape.kv_heads * to->shape.head_dim);
    const bool appended = Succeeds(
        bitfetch_cache_append(to->cache.get(), layer, count, floats.data(), floats.data()));
    FUZZ_CHECK(!appended || (layer >= 0 && layer < to->shape.layers && count >= 0));
    if (appended) to->lengths[layer] += count;
    CheckLength(*to);
  }

  void CutOrPrefetchCache() {
    Cache* cache = PickCache();
    if (cache == nullptr) return;
    const auto length = input_.ConsumeIntegral<int64_t>();
    if (input_.ConsumeBool()) {
      const bool cut = Succeeds(bitfetch_cache_truncate(cache->cache.get(), length));
      FUZZ_CHECK(cut == (length >= 0));
      if (!cut) return;
      for (int64_t& held : cache->lengths) held = std::min(length, held);
    } else {
      const int layer = input_.ConsumeIntegralInRange(-1, cache->shape.layers);
      size_t requested = 0;
      FUZZ_CHECK(Succeeds(bitfetch_cache_prefetch(cache->cache.get(), layer, length, &requested)) ==
                 (layer >= 0 && layer < cache->shape.layers));
    }
    CheckLength(*cache);
  }

  void Attend() {
    const Cache* cache = PickCache();
    if (cache == nullptr) return;
    const int layer = input_.ConsumeIntegralInRange(-1, cache->shape.layers);
    const int group = input_.ConsumeIntegralInRange(-1, 6);
    const auto tokens = input_.ConsumeIntegralInRange<int64_t>(-1, 120);
    const bool possible = layer >= 0 && layer < cache->shape.layers && group > 0 && tokens > 0 &&
                          tokens <= cache->lengths[layer];
    const std::vector<float> queries =
        Floats(group * tokens * cache->shape.kv_heads * cache->shape.head_dim);
    std::vector<float> out(queries.size(), NAN);
    FUZZ_CHECK(Succeeds(bitfetch_attention_run(attention_, cache->cache.get(), layer, group,
                                               queries.data(), tokens, out.data())) == possible);
    if (!possible) return;
    // A mean of values that are all from -1 to 1.
    FUZZ_CHECK(std::ranges::all_of(out, [](float x) { return std::abs(x) <= 1.01f; }));
  }

  static void CheckLength(const Cache& cache) {
    FUZZ_CHECK(bitfetch_cache_length(cache.cache.get()) ==
               *std::ranges::min_element(cache.lengths));
  }

  // So many and no more, so that a read beyond them is seen; never none, which would be null.
  static std::vector<float> Floats(int64_t count) {
    std::vector<float> floats(static_cast<size_t>(std::max<int64_t>(count, 1)));
    for (size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(i % 17) / 8 - 1;
    return floats;
  }

  FuzzedDataProvider input_;
  bitfetch_session* session_;
  bitfetch_attention* attention_;
  int64_t length_ = 0;
  int has_logits_ = 0;  // -1: not known
  std::vector<Cache> caches_;
};

}  // namespace
}  // namespace bitfetch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bitfetch::Calls(data, size).Run();
  return 0;
}
