// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bitfetch/bitfetch.hpp>
#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/temp_dir.h"
#include "model/test_model.h"

namespace bitfetch {
namespace {

using testing::HasSubstr;

const std::string kModel = BITFETCH_SOURCE_DIR "/models/tiny.gguf";

bitfetch_session_options Quiet() {
  bitfetch_session_options options = bitfetch_session_default_options();
  options.threads = 2;
  options.prefetch = "off";
  return options;
}

constexpr bitfetch_cache_shape kShape = {.struct_size = sizeof(kShape),
                                         .layers = 2,
                                         .kv_heads = 2,
                                         .head_dim = 32,
                                         .limit = 64,
                                         .kv_type = "f32",
                                         .pages = "4k"};

std::string TextOf(LanguageModel& model, std::string_view prompt, bitfetch_sampling sampling) {
  std::string text;
  EXPECT_TRUE(model.Generate(prompt, sampling, [&](std::string_view piece) {
    text += piece;
    return true;
  }));
  return text;
}

TEST(CApi, GeneratesTheSameTextFromTheSameSeed) {
  bitfetch_sampling sampling = bitfetch_default_sampling();
  sampling.max_tokens = 20;
  sampling.seed = 5;
  LanguageModel one(kModel, Quiet());
  LanguageModel other(kModel, Quiet());
  const std::string text = TextOf(one, "In the beginning", sampling);
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text, TextOf(other, "In the beginning", sampling));
  // What was made is part of the text so far.
  const LanguageModel fresh(kModel, Quiet());
  EXPECT_EQ(one.length(), static_cast<int64_t>(fresh.Tokenize("In the beginning").size()) + 20);
}

TEST(CApi, LogitsAreThoseOfTheTextSoFar) {
  LanguageModel model(kModel, Quiet());
  const std::vector<int32_t> tokens = model.Tokenize("And God said, Let there be");
  model.Append(tokens);
  const std::vector<float> logits = model.Logits();
  ASSERT_EQ(static_cast<int64_t>(logits.size()), model.vocab());
  model.Append(std::vector<int32_t>{1, 2, 3});
  model.Truncate(static_cast<int64_t>(tokens.size()) - 1);
  EXPECT_THROW(model.Logits(), Exception);
  model.Append(std::span(tokens).last(1));
  EXPECT_EQ(model.Logits(), logits);
  std::string text;
  for (const int32_t token : tokens) text += model.TokenBytes(token);
  EXPECT_EQ(text, "And God said, Let there be");
}

TEST(CApi, BytesThatAreNoTextAreTokensToo) {
  const LanguageModel model(kModel, Quiet());
  std::string text;
  for (const int32_t token : model.Tokenize("\xff\xff\xff")) text += model.TokenBytes(token);
  EXPECT_EQ(text, "\uFFFD\uFFFD\uFFFD");
}

TEST(CApi, ControlTokensAreReadOnlyWhenAsked) {
  LanguageModel model(kModel, Quiet());
  const std::string text = "In the beginning<|end_of_text|>";
  std::string written;
  for (const int32_t token : model.Tokenize(text)) written += model.TokenBytes(token);
  EXPECT_EQ(written, text);

  const std::vector<int32_t> special = model.TokenizeSpecial(text);
  std::vector<int32_t> expected = model.Tokenize("In the beginning");
  expected.push_back(special.back());
  EXPECT_EQ(special, expected);
  EXPECT_EQ(model.TokenBytes(special.back()), "");
  EXPECT_EQ(model.TokenizeSpecial("<|begin_of_text|>In the beginning"),
            model.Tokenize("In the beginning"));

  model.Append(special);
  bitfetch_sampling sampling = bitfetch_default_sampling();
  sampling.max_tokens = 3;
  TextOf(model, "", sampling);
  EXPECT_EQ(model.length(), static_cast<int64_t>(special.size()) + 3);
  EXPECT_EQ(bitfetch_tokenize_special(nullptr, "", 0, nullptr, 0, nullptr),
            BITFETCH_INVALID_ARGUMENT);
}

TEST(CApi, AnEmptyPromptGoesOnWithTheText) {
  bitfetch_sampling sampling = bitfetch_default_sampling();
  sampling.temperature = 0;
  sampling.max_tokens = 6;
  LanguageModel model(kModel, Quiet());
  std::string text = TextOf(model, "In the beginning", sampling);
  text += TextOf(model, "", sampling);
  sampling.max_tokens = 12;
  LanguageModel other(kModel, Quiet());
  EXPECT_EQ(TextOf(other, "In the beginning", sampling), text);
}

TEST(CApi, ACallbackStopsTheText) {
  LanguageModel model(kModel, Quiet());
  int calls = 0;
  EXPECT_FALSE(model.Generate("In", bitfetch_default_sampling(),
                              [&](std::string_view) { return ++calls < 3; }));
  EXPECT_EQ(calls, 3);
}

TEST(CApi, AFullContextSaysSo) {
  bitfetch_session_options options = Quiet();
  options.context = 16;
  bitfetch_sampling sampling = bitfetch_default_sampling();
  sampling.temperature = 0;
  for (const int64_t more : {0, 1, 100}) {  // than there is room for
    LanguageModel model(kModel, options);
    const auto prompt = static_cast<int64_t>(model.Tokenize("In the beginning").size());
    sampling.max_tokens = 16 - prompt + more;
    std::string text;
    const auto on_text = [&](std::string_view piece) {
      text += piece;
      return true;
    };
    if (more == 0) {
      EXPECT_TRUE(model.Generate("In the beginning", sampling, on_text));
    } else {
      try {
        model.Generate("In the beginning", sampling, on_text);
        ADD_FAILURE() << "said nothing";
      } catch (const Exception& full) {
        EXPECT_EQ(full.status(), BITFETCH_CONTEXT_FULL);
        EXPECT_THAT(full.what(), HasSubstr("16"));
      }
    }
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(model.length(), 16);
  }
}

void ExpectInvalid(bitfetch_status status, const std::string& message) {
  EXPECT_EQ(status, BITFETCH_INVALID_ARGUMENT);
  EXPECT_THAT(bitfetch_last_error(), HasSubstr(message));
}

TEST(CApi, BadArgumentsAreErrorsThatSayWhich) {
  bitfetch_session* session = nullptr;
  ExpectInvalid(bitfetch_session_open(nullptr, nullptr, &session), "path is a null pointer");
  ExpectInvalid(bitfetch_session_open("x", nullptr, nullptr), "session is a null pointer");
  bitfetch_session_options options = Quiet();
  options.kv_type = "f8";
  ExpectInvalid(bitfetch_session_open(kModel.c_str(), &options, &session), "kv_type: ");
  options = Quiet();
  options.threads = -1;
  ExpectInvalid(bitfetch_session_open(kModel.c_str(), &options, &session), "threads: -1");
  options = Quiet();
  options.context = -1;
  ExpectInvalid(bitfetch_session_open(kModel.c_str(), &options, &session), "context: -1");
  EXPECT_EQ(session, nullptr);

  const TempDir folder;
  const std::string none = folder.Path("none.gguf");
  EXPECT_EQ(bitfetch_session_open(none.c_str(), nullptr, &session), BITFETCH_FAILED);
  EXPECT_THAT(bitfetch_last_error(), HasSubstr("none.gguf"));

  const bitfetch_session_options quiet = Quiet();
  ASSERT_EQ(bitfetch_session_open(kModel.c_str(), &quiet, &session), BITFETCH_OK);
  const int32_t unknown = 1 << 20;
  ExpectInvalid(bitfetch_append(session, &unknown, 1), "token 1048576 is out of range");
  EXPECT_EQ(bitfetch_session_length(session), 0);
  ExpectInvalid(bitfetch_append(session, nullptr, 1), "tokens is a null pointer");
  EXPECT_EQ(bitfetch_append(session, nullptr, 0), BITFETCH_OK);
  ExpectInvalid(bitfetch_truncate(session, -1), "length: -1");
  const char* data = nullptr;
  size_t bytes = 0;
  ExpectInvalid(bitfetch_token_bytes(session, unknown, &data, &bytes), "out of range");
  bitfetch_sampling sampling = bitfetch_default_sampling();
  sampling.top_p = 2;
  const auto on_text = [](const char*, size_t, void*) { return 1; };
  bitfetch_sampling fewer_than_none = bitfetch_default_sampling();
  fewer_than_none.max_tokens = -2;
  ExpectInvalid(bitfetch_generate(session, "a", 1, &fewer_than_none, on_text, nullptr),
                "max_tokens: -2");
  EXPECT_EQ(bitfetch_generate(session, "a", 1, &sampling, on_text, nullptr),
            BITFETCH_INVALID_ARGUMENT);
  bitfetch_session_close(session);
  bitfetch_session_close(nullptr);
}

// A struct of a newer header, as this library sees it.
template <class Struct>
struct NewerStruct {
  explicit NewerStruct(Struct known) : known(known) { this->known.struct_size = sizeof(*this); }
  Struct known;
  int64_t added = 0;
};

TEST(CApi, StructsMayBeThoseOfANewerHeader) {
  NewerStruct options(Quiet());
  bitfetch_session* session = nullptr;
  ASSERT_EQ(bitfetch_session_open(kModel.c_str(), &options.known, &session), BITFETCH_OK);
  bitfetch_session* other = nullptr;
  options.added = 1;
  ExpectInvalid(bitfetch_session_open(kModel.c_str(), &options.known, &other),
                "options: has 88 bytes, of which this version knows 80");
  EXPECT_EQ(other, nullptr);

  NewerStruct sampling(bitfetch_default_sampling());
  sampling.known.max_tokens = 1;
  const auto on_text = [](const char*, size_t, void*) { return 1; };
  EXPECT_EQ(bitfetch_generate(session, "a", 1, &sampling.known, on_text, nullptr), BITFETCH_OK);
  sampling.added = 1;
  const int64_t length = bitfetch_session_length(session);
  ExpectInvalid(bitfetch_generate(session, "a", 1, &sampling.known, on_text, nullptr),
                "sampling: has 80 bytes");
  EXPECT_EQ(bitfetch_session_length(session), length);
  bitfetch_session_close(session);

  NewerStruct shape(kShape);
  bitfetch_cache* cache = nullptr;
  EXPECT_EQ(bitfetch_cache_create(&shape.known, &cache), BITFETCH_OK);
  bitfetch_cache_free(cache);
  shape.added = 1;
  ExpectInvalid(bitfetch_cache_create(&shape.known, &cache), "shape: has 56 bytes");
}

// The sizes of the first version of the header, which stay the least: whoever was compiled against
// it is still understood.
TEST(CApi, StructsMayBeThoseOfTheFirstHeader) {
  bitfetch_session_options options;
  bitfetch_sampling sampling;
  EXPECT_EQ(bitfetch_session_options_init(&options, 56), BITFETCH_OK);
  EXPECT_EQ(bitfetch_sampling_init(&sampling, 64), BITFETCH_OK);
  EXPECT_EQ(options.struct_size, 56u);
  EXPECT_STREQ(options.kv_type, "f16");
  EXPECT_EQ(options.mmap, 1);
  EXPECT_EQ(sampling.struct_size, 64u);
  EXPECT_EQ(sampling.max_tokens, -1);
  EXPECT_EQ(sampling.temperature, 0.8);
  bitfetch_cache_shape shape = kShape;
  shape.struct_size = 48;
  bitfetch_cache* cache = nullptr;
  EXPECT_EQ(bitfetch_cache_create(&shape, &cache), BITFETCH_OK);
  bitfetch_cache_free(cache);

  ExpectInvalid(bitfetch_session_options_init(&options, 55), "options: struct_size is 55");
  ExpectInvalid(bitfetch_sampling_init(&sampling, 63), "sampling: struct_size is 63");
  ExpectInvalid(bitfetch_session_options_init(nullptr, 56), "options is a null pointer");
  ExpectInvalid(bitfetch_sampling_init(nullptr, 64), "sampling is a null pointer");
  shape.struct_size = 47;
  ExpectInvalid(bitfetch_cache_create(&shape, &cache), "shape: struct_size is 47");
}

TEST(CApi, AStructWithoutItsSizeIsAnError) {
  bitfetch_session_options options = Quiet();
  options.struct_size = 0;
  bitfetch_session* session = nullptr;
  ExpectInvalid(bitfetch_session_open(kModel.c_str(), &options, &session),
                "options: struct_size is 0");
  EXPECT_EQ(session, nullptr);
  bitfetch_cache_shape shape = kShape;
  shape.struct_size = 0;
  bitfetch_cache* cache = nullptr;
  ExpectInvalid(bitfetch_cache_create(&shape, &cache), "shape: struct_size is 0");
  EXPECT_EQ(cache, nullptr);
}

TEST(CApi, AModelWithoutATokenizerIsAnError) {
  const TempDir folder;
  const std::string path = folder.Path("m.gguf");
  ASSERT_TRUE(WriteTestModel(path));
  const bitfetch_session_options quiet = Quiet();
  bitfetch_session* session = nullptr;
  EXPECT_EQ(bitfetch_session_open(path.c_str(), &quiet, &session), BITFETCH_FAILED);
  EXPECT_EQ(session, nullptr);
  EXPECT_THAT(bitfetch_last_error(), HasSubstr("m.gguf: metadata key tokenizer.ggml.model"));
}

TEST(CApi, TellsItsVersionAndIsa) {
  EXPECT_STREQ(bitfetch_version(), BITFETCH_VERSION);
  setenv("BITFETCH_ISA", "scalar", 1);
  EXPECT_STREQ(bitfetch_isa(), "scalar");
  setenv("BITFETCH_ISA", "pentium", 1);
  EXPECT_STREQ(bitfetch_isa(), "none");
  unsetenv("BITFETCH_ISA");
}

TEST(CApi, AttentionAloneIsTheMeanOfEqualScores) {
  Cache cache(kShape);
  Attention attention(2);
  const std::vector<float> k(64, 0.5f);
  for (int token = 0; token < 20; ++token) {
    const std::vector<float> v(64, static_cast<float>(token));
    for (int layer = 0; layer < 2; ++layer) cache.Append(layer, 1, k.data(), v.data());
  }
  EXPECT_GT(cache.Prefetch(0, 20), 0u);
  const std::vector<float> queries(size_t{2} * 3 * 64, 1.0f);
  std::vector<float> out(queries.size(), NAN);
  attention.Run(cache, 1, 3, queries.data(), 2, out.data());
  for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], i < 192 ? 9.0f : 9.5f, 1e-5);

  Cache fork = cache.Fork();
  fork.Truncate(5);
  EXPECT_EQ(fork.length(), 5);
  EXPECT_EQ(cache.length(), 20);
}

TEST(CApi, AttentionTakesMoreTokensThanABatchHas) {
  constexpr int64_t kTokens = 150;
  bitfetch_cache_shape shape = kShape;
  shape.limit = kTokens;
  Cache cache(shape);
  Attention attention(2);
  const std::vector<float> k(64, 0.5f);
  for (int token = 0; token < kTokens; ++token) {
    const std::vector<float> v(64, static_cast<float>(token));
    for (int layer = 0; layer < 2; ++layer) cache.Append(layer, 1, k.data(), v.data());
  }
  const std::vector<float> queries(kTokens * 64, 1.0f);
  std::vector<float> out(queries.size(), NAN);
  attention.Run(cache, 1, 1, queries.data(), kTokens, out.data());
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_NEAR(out[i], static_cast<float>(i / 64) / 2, 1e-4);
  }
}

template <class Call>
void ExpectRefused(bitfetch_status status, Call call) {
  try {
    call();
    ADD_FAILURE() << "was accepted";
  } catch (const Exception& refused) {
    EXPECT_EQ(refused.status(), status) << refused.what();
  }
}

TEST(CApi, CacheAndAttentionRefuseWhatIsNotPossible) {
  bitfetch_cache_shape shape = kShape;
  shape.head_dim = 20;
  ExpectRefused(BITFETCH_INVALID_ARGUMENT, [&] { Cache{shape}; });
  Cache cache(kShape);
  const std::vector<float> floats(65 * 64, 1.0f);
  const float* data = floats.data();
  ExpectRefused(BITFETCH_INVALID_ARGUMENT, [&] { cache.Append(2, 1, data, data); });
  ExpectRefused(BITFETCH_INVALID_ARGUMENT, [&] { cache.Prefetch(-1, 1); });
  ExpectRefused(BITFETCH_INVALID_ARGUMENT, [&] { cache.Truncate(-1); });
  ExpectRefused(BITFETCH_FAILED, [&] { cache.Append(0, 65, data, data); });
  ExpectRefused(BITFETCH_INVALID_ARGUMENT, [&] { cache.Append(0, -1, data, data); });
  cache.Append(0, 3, floats.data(), floats.data());
  Attention attention(1);
  std::vector<float> out(floats.size());
  for (const int64_t tokens : {0, 4}) {
    ExpectRefused(BITFETCH_INVALID_ARGUMENT,
                  [&] { attention.Run(cache, 0, 1, data, tokens, out.data()); });
  }
  ExpectRefused(BITFETCH_INVALID_ARGUMENT,
                [&] { attention.Run(cache, 0, 0, data, 1, out.data()); });
  ExpectRefused(BITFETCH_INVALID_ARGUMENT,
                [&] { attention.Run(cache, 0, 1 << 28, data, 3, out.data()); });
  ExpectRefused(BITFETCH_INVALID_ARGUMENT,
                [&] { attention.Run(cache, 5, 1, data, 1, out.data()); });
  ExpectRefused(BITFETCH_INVALID_ARGUMENT, [] { Attention{-1}; });
}

TEST(CApi, ErrorsAreOneLine) {
  bitfetch_session* session = nullptr;
  EXPECT_EQ(bitfetch_session_open("a\n\x1b[2Jb.gguf", nullptr, &session), BITFETCH_FAILED);
  EXPECT_THAT(bitfetch_last_error(), HasSubstr("a\\x0a\\x1b[2Jb.gguf"));
}

TEST(CApi, EachThreadHasItsOwnLastError) {
  ExpectInvalid(bitfetch_truncate(nullptr, 0), "session is a null pointer");
  std::thread([] {
    EXPECT_STREQ(bitfetch_last_error(), "");
    ExpectInvalid(bitfetch_logits(nullptr, nullptr), "session");
  }).join();
  EXPECT_THAT(bitfetch_last_error(), HasSubstr("session is a null pointer"));
}

}  // namespace
}  // namespace bitfetch
