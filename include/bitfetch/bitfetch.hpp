// SPDX-License-Identifier: Apache-2.0
// bitfetch for C++20: bitfetch.h with owners and exceptions, and nothing else. Header only, so that
// the library's interface stays plain C.
#ifndef BITFETCH_BITFETCH_HPP_
#define BITFETCH_BITFETCH_HPP_

#include <bitfetch/bitfetch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bitfetch {
inline namespace cpp {  // so that nothing here is taken for what the library has of the same name

// What a call of bitfetch.h said. Rules of threads and of mapped files are those of that header.
class Exception : public std::runtime_error {
 public:
  Exception(bitfetch_status status, const char* message)
      : std::runtime_error(message), status_(status) {}
  bitfetch_status status() const { return status_; }

 private:
  bitfetch_status status_;
};

// Whether to go on; throws nothing.
using OnText = std::function<bool(std::string_view)>;

namespace detail {

inline void Check(bitfetch_status status) {
  if (status != BITFETCH_OK) throw Exception(status, bitfetch_last_error());
}

template <auto free>
struct Free {
  template <class T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};

// `tokenize` takes (tokens, capacity, count).
template <class Call>
std::vector<int32_t> Tokenize(std::string_view text, const Call& tokenize) {
  std::vector<int32_t> tokens(3 * text.size() + 1);  // three for a byte that is no UTF-8; and BOS
  size_t count = 0;
  Check(tokenize(tokens.data(), tokens.size(), &count));
  tokens.resize(count);
  return tokens;
}

// `generate` is bitfetch_generate or bitfetch_sequence_generate.
template <class Handle, class Call>
bool Generate(Call* generate, Handle* handle, std::string_view prompt,
              const bitfetch_sampling& sampling, const OnText& on_text) {
  const auto call = [](const char* text, size_t bytes, void* user) {
    return (*static_cast<const OnText*>(user))({text, bytes}) ? 1 : 0;
  };
  void* user = const_cast<OnText*>(&on_text);
  const bitfetch_status status =
      generate(handle, prompt.data(), prompt.size(), &sampling, call, user);
  if (status == BITFETCH_STOPPED) return false;
  Check(status);
  return true;
}

}  // namespace detail

class Sequence;

// A model, which many texts share.
class Model {
 public:
  explicit Model(const std::string& path,
                 const bitfetch_model_options& options = bitfetch_model_default_options()) {
    bitfetch_model* model = nullptr;
    detail::Check(bitfetch_model_open(path.c_str(), &options, &model));
    model_.reset(model);
  }

  int64_t vocab() const { return bitfetch_model_vocab(model_.get()); }
  int64_t hidden() const { return bitfetch_model_hidden(model_.get()); }  // floats of an embedding
  int64_t context() const { return bitfetch_model_context(model_.get()); }

  std::vector<int32_t> Tokenize(std::string_view text, bool first, bool special = false) const {
    return detail::Tokenize(text, [&](int32_t* tokens, size_t capacity, size_t* count) {
      return bitfetch_model_tokenize(model_.get(), text.data(), text.size(), first ? 1 : 0,
                                     special ? 1 : 0, tokens, capacity, count);
    });
  }

  // Valid as long as this.
  std::string_view TokenBytes(int32_t token) const {
    const char* data = nullptr;
    size_t bytes = 0;
    detail::Check(bitfetch_model_token_bytes(model_.get(), token, &data, &bytes));
    return {data, bytes};
  }
  std::string Detokenize(std::span<const int32_t> tokens) const {
    std::string text;
    for (const int32_t token : tokens) text += TokenBytes(token);
    return text;
  }
  bool IsStop(int32_t token) const { return bitfetch_model_is_stop(model_.get(), token) != 0; }

  // What became of each piece is in its status.
  void Run(std::span<bitfetch_piece> pieces) const {
    detail::Check(bitfetch_batch_run(model_.get(), pieces.data(), pieces.size()));
  }
  std::vector<float> Logits(
      std::span<const Sequence* const> sequences) const;  // [sequences][vocab]

  const bitfetch_model* get() const { return model_.get(); }

 private:
  std::unique_ptr<bitfetch_model, detail::Free<bitfetch_model_close>> model_;
};

// A text with a model, which it may outlive.
class Sequence {
 public:
  explicit Sequence(const Model& model, const std::string& salt = {}) {
    bitfetch_sequence* sequence = nullptr;
    detail::Check(bitfetch_sequence_create(model.get(), salt.c_str(), &sequence));
    sequence_.reset(sequence);
  }

  Sequence Fork() const {
    bitfetch_sequence* fork = nullptr;
    detail::Check(bitfetch_sequence_fork(sequence_.get(), &fork));
    return Sequence(fork);
  }

  int64_t length() const { return bitfetch_sequence_length(sequence_.get()); }
  std::vector<int32_t> tokens() const {
    std::vector<int32_t> tokens(static_cast<size_t>(length()));
    size_t count = 0;
    detail::Check(bitfetch_sequence_tokens(sequence_.get(), tokens.data(), tokens.size(), &count));
    return tokens;
  }

  void Append(std::span<const int32_t> tokens) {
    detail::Check(bitfetch_sequence_append(sequence_.get(), tokens.data(), tokens.size()));
  }
  void Truncate(int64_t length) {
    detail::Check(bitfetch_sequence_truncate(sequence_.get(), length));
  }
  void Logits(float* logits) const {  // [vocab]
    detail::Check(bitfetch_sequence_logits(sequence_.get(), logits));
  }

  void Embedding(float* embedding) const {  // [hidden], of length 1
    detail::Check(bitfetch_sequence_embedding(sequence_.get(), embedding));
  }

  // A part of a batch, which takes `tokens` and gives `logits` [tokens][vocab], if not null.
  bitfetch_piece Piece(std::span<const int32_t> tokens, float* logits = nullptr) {
    return {.struct_size = sizeof(bitfetch_piece),
            .sequence = sequence_.get(),
            .tokens = tokens.data(),
            .count = tokens.size(),
            .logits = logits,
            .status = BITFETCH_OK,
            .message = ""};
  }

  // Returns whether `on_text` did not stop it. A context that fills up is an Exception, after the
  // text.
  bool Generate(std::string_view prompt, const bitfetch_sampling& sampling, const OnText& on_text) {
    return detail::Generate(bitfetch_sequence_generate, sequence_.get(), prompt, sampling, on_text);
  }

  bitfetch_sequence* get() const { return sequence_.get(); }

 private:
  explicit Sequence(bitfetch_sequence* sequence) : sequence_(sequence) {}

  std::unique_ptr<bitfetch_sequence, detail::Free<bitfetch_sequence_free>> sequence_;
};

// Draws tokens one by one, for one thread at a time.
class Sampler {
 public:
  explicit Sampler(const bitfetch_sampling& sampling = bitfetch_default_sampling()) {
    bitfetch_sampler* sampler = nullptr;
    detail::Check(bitfetch_sampler_create(&sampling, &sampler));
    sampler_.reset(sampler);
  }

  // The token that comes next, which is not appended.
  int32_t Sample(const Sequence& sequence) {
    int32_t token = 0;
    detail::Check(bitfetch_sampler_sample(sampler_.get(), sequence.get(), &token));
    return token;
  }

  bitfetch_sampler* get() const { return sampler_.get(); }

 private:
  std::unique_ptr<bitfetch_sampler, detail::Free<bitfetch_sampler_free>> sampler_;
};

inline std::vector<float> Model::Logits(std::span<const Sequence* const> sequences) const {
  std::vector<bitfetch_sequence*> handles;
  for (const Sequence* sequence : sequences) handles.push_back(sequence->get());
  std::vector<float> logits(handles.size() * static_cast<size_t>(vocab()));
  detail::Check(bitfetch_batch_logits(model_.get(), handles.data(), handles.size(), logits.data()));
  return logits;
}

// A model and one text with it, for those who want no more.
class LanguageModel {
 public:
  explicit LanguageModel(const std::string& path, const bitfetch_session_options& options =
                                                      bitfetch_session_default_options()) {
    bitfetch_session* session = nullptr;
    detail::Check(bitfetch_session_open(path.c_str(), &options, &session));
    session_.reset(session);
  }
  // Shares an open model.
  explicit LanguageModel(const Model& model) {
    bitfetch_session* session = nullptr;
    detail::Check(bitfetch_session_create(model.get(), &session));
    session_.reset(session);
  }

  int64_t vocab() const { return bitfetch_session_vocab(session_.get()); }
  int64_t context() const { return bitfetch_session_context(session_.get()); }
  int64_t length() const { return bitfetch_session_length(session_.get()); }

  std::vector<int32_t> Tokenize(std::string_view text) const {
    return Tokenize(bitfetch_tokenize, text);
  }
  std::vector<int32_t> TokenizeSpecial(std::string_view text) const {
    return Tokenize(bitfetch_tokenize_special, text);
  }

  // Valid as long as this.
  std::string_view TokenBytes(int32_t token) const {
    const char* data = nullptr;
    size_t bytes = 0;
    detail::Check(bitfetch_token_bytes(session_.get(), token, &data, &bytes));
    return {data, bytes};
  }

  void Append(std::span<const int32_t> tokens) {
    detail::Check(bitfetch_append(session_.get(), tokens.data(), tokens.size()));
  }
  void Truncate(int64_t length) { detail::Check(bitfetch_truncate(session_.get(), length)); }

  std::vector<float> Logits() {  // [vocab]
    std::vector<float> logits(static_cast<size_t>(vocab()));
    detail::Check(bitfetch_logits(session_.get(), logits.data()));
    return logits;
  }

  // As Sequence::Generate.
  bool Generate(std::string_view prompt, const bitfetch_sampling& sampling, const OnText& on_text) {
    return detail::Generate(bitfetch_generate, session_.get(), prompt, sampling, on_text);
  }

 private:
  std::vector<int32_t> Tokenize(decltype(bitfetch_tokenize)* tokenize,
                                std::string_view text) const {
    return detail::Tokenize(text, [&](int32_t* tokens, size_t capacity, size_t* count) {
      return tokenize(session_.get(), text.data(), text.size(), tokens, capacity, count);
    });
  }

  std::unique_ptr<bitfetch_session, detail::Free<bitfetch_session_close>> session_;
};

// The KV cache of one text, for engines that have their own model.
class Cache {
 public:
  explicit Cache(const bitfetch_cache_shape& shape) {
    bitfetch_cache* cache = nullptr;
    detail::Check(bitfetch_cache_create(&shape, &cache));
    cache_.reset(cache);
  }

  Cache Fork() const {
    bitfetch_cache* fork = nullptr;
    detail::Check(bitfetch_cache_fork(cache_.get(), &fork));
    return Cache(fork);
  }
  void Append(int layer, int64_t count, const float* k, const float* v) {
    detail::Check(bitfetch_cache_append(cache_.get(), layer, count, k, v));
  }
  void Truncate(int64_t length) { detail::Check(bitfetch_cache_truncate(cache_.get(), length)); }
  int64_t length() const { return bitfetch_cache_length(cache_.get()); }
  size_t Prefetch(int layer, int64_t seq_len) {
    size_t requested = 0;
    detail::Check(bitfetch_cache_prefetch(cache_.get(), layer, seq_len, &requested));
    return requested;
  }

  const bitfetch_cache* get() const { return cache_.get(); }

 private:
  explicit Cache(bitfetch_cache* cache) : cache_(cache) {}

  std::unique_ptr<bitfetch_cache, detail::Free<bitfetch_cache_free>> cache_;
};

class Attention {
 public:
  explicit Attention(int threads = 0) {
    bitfetch_attention* attention = nullptr;
    detail::Check(bitfetch_attention_create(threads, &attention));
    attention_.reset(attention);
  }

  void Run(const Cache& cache, int layer, int group, const float* queries, int64_t tokens,
           float* out) {
    detail::Check(
        bitfetch_attention_run(attention_.get(), cache.get(), layer, group, queries, tokens, out));
  }

 private:
  std::unique_ptr<bitfetch_attention, detail::Free<bitfetch_attention_free>> attention_;
};

}  // namespace cpp
}  // namespace bitfetch

#endif  // BITFETCH_BITFETCH_HPP_
