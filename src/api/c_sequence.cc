// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "api/guarded.h"
#include "api/handles.h"
#include "bitfetch/bitfetch.h"
#include "engine/embedding.h"

using namespace bitfetch;  // NOLINT(google-build-using-namespace): what follows is outside of it

extern "C" {

bitfetch_status bitfetch_sequence_create(const bitfetch_model* model, const char* salt,
                                         bitfetch_sequence** sequence) {
  return Guarded([&] {
    BITFETCH_REQUIRE(model);
    BITFETCH_REQUIRE(sequence);
    const std::lock_guard turn(model->opened->turns);
    auto empty = model->opened->engine->NewSequence(salt == nullptr ? "" : salt);
    if (!empty) return Fails(BITFETCH_FAILED, empty.error().message);
    *sequence = new bitfetch_sequence(model->opened, *std::move(empty));
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_sequence_fork(const bitfetch_sequence* sequence,
                                       bitfetch_sequence** fork) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sequence);
    BITFETCH_REQUIRE(fork);
    const std::lock_guard turn(sequence->model->turns);
    BITFETCH_RETURN_IF_NOT_OK(CheckIdle(*sequence));
    *fork = new bitfetch_sequence(sequence->model, sequence->text.sequence().Fork());
    return BITFETCH_OK;
  });
}

void bitfetch_sequence_free(bitfetch_sequence* sequence) {
  if (sequence == nullptr) return;
  const std::shared_ptr<OpenedModel> outlives_the_turn = sequence->model;
  const std::lock_guard turn(outlives_the_turn->turns);
  if (sequence->generates) {
    sequence->freed = true;
  } else {
    delete sequence;
  }
}

int64_t bitfetch_sequence_length(const bitfetch_sequence* sequence) {
  if (sequence == nullptr) return 0;
  const std::lock_guard turn(sequence->model->turns);
  return sequence->text.length();
}

bitfetch_status bitfetch_sequence_tokens(const bitfetch_sequence* sequence, int32_t* tokens,
                                         size_t capacity, size_t* count) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sequence);
    BITFETCH_REQUIRE(count);
    if (capacity > 0) BITFETCH_REQUIRE(tokens);
    const std::lock_guard turn(sequence->model->turns);
    const std::vector<int>& all = sequence->text.tokens();
    std::copy_n(all.data(), std::min(capacity, all.size()), tokens);
    *count = all.size();
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_sequence_truncate(bitfetch_sequence* sequence, int64_t length) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sequence);
    BITFETCH_RETURN_IF_NOT_OK(CheckNotNegative("length", length));
    const std::lock_guard turn(sequence->model->turns);
    BITFETCH_RETURN_IF_NOT_OK(CheckIdle(*sequence));
    sequence->text.Truncate(length);
    return BITFETCH_OK;
  });
}

bitfetch_status bitfetch_sequence_embedding(const bitfetch_sequence* sequence, float* embedding) {
  return Guarded([&] {
    BITFETCH_REQUIRE(sequence);
    BITFETCH_REQUIRE(embedding);
    const std::lock_guard turn(sequence->model->turns);
    const auto found = Embedding(sequence->text.sequence());
    if (!found) return Fails(BITFETCH_FAILED, found.error().message);
    std::ranges::copy(*found, embedding);
    return BITFETCH_OK;
  });
}

}  // extern "C"
