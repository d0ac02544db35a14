/* SPDX-License-Identifier: Apache-2.0 */
/* Four ways to go on from a text, written together: batch MODEL.gguf "In the beginning" */
#include <bitfetch/bitfetch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kTexts = 4, kSteps = 24, kMaxTokens = 1024 };

static void fail(const char* message) {
  fprintf(stderr, "error: %s\n", message);
  exit(1);
}

static void check(bitfetch_status status) {
  if (status != BITFETCH_OK) fail(bitfetch_last_error());
}

static int32_t likeliest(const float* logits, int64_t vocab) {
  int32_t best = 0;
  for (int32_t id = 1; id < vocab; ++id) {
    if (logits[id] > logits[best]) best = id;
  }
  return best;
}

static void print_text(const bitfetch_model* model, const bitfetch_sequence* sequence) {
  static int32_t tokens[kMaxTokens];
  static char text[16 * kMaxTokens];
  size_t count = 0, bytes = 0;
  check(bitfetch_sequence_tokens(sequence, tokens, kMaxTokens, &count));
  check(bitfetch_model_detokenize(model, tokens, count, text, sizeof(text), &bytes));
  printf("- %.*s\n", (int)(bytes < sizeof(text) ? bytes : sizeof(text)), text);
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL.gguf PROMPT\n", argv[0]);
    return 2;
  }
  bitfetch_model* model = NULL;
  check(bitfetch_model_open(argv[1], NULL, &model));
  const int64_t vocab = bitfetch_model_vocab(model);
  float* logits = malloc(kTexts * (size_t)vocab * sizeof(float));
  if (logits == NULL) fail("out of memory");

  /* The prompt is computed once, and its keys and values are shared by all that go on from it. */
  int32_t prompt[kMaxTokens - kSteps];
  size_t count = 0;
  check(bitfetch_model_tokenize(model, argv[2], strlen(argv[2]), /*first=*/1, /*special=*/0, prompt,
                                kMaxTokens - kSteps, &count));
  if (count > kMaxTokens - kSteps) fail("the prompt is too long");
  bitfetch_sequence* texts[kTexts] = {NULL};
  check(bitfetch_sequence_create(model, /*salt=*/NULL, &texts[0]));
  check(bitfetch_sequence_append(texts[0], prompt, count));
  for (int i = 1; i < kTexts; ++i) check(bitfetch_sequence_fork(texts[0], &texts[i]));

  /* Each begins with another one of the likeliest tokens. */
  int32_t next[kTexts];
  check(bitfetch_sequence_logits(texts[0], logits));
  for (int i = 0; i < kTexts; ++i) {
    next[i] = likeliest(logits, vocab);
    logits[next[i]] = -INFINITY;
  }

  /* A step appends a token to each, and reads the weights once for all of them. A text that has
   * ended changes places with the last that has not. */
  int running = kTexts;
  for (int step = 0; step < kSteps && running > 0; ++step) {
    bitfetch_piece pieces[kTexts];
    for (int i = 0; i < running; ++i) {
      pieces[i] = (bitfetch_piece){.struct_size = sizeof(bitfetch_piece),
                                   .sequence = texts[i],
                                   .tokens = &next[i],
                                   .count = 1};
    }
    check(bitfetch_batch_run(model, pieces, (size_t)running));
    for (int i = 0; i < running; ++i) {
      if (pieces[i].status != BITFETCH_OK) fail(pieces[i].message);
    }
    check(bitfetch_batch_logits(model, texts, (size_t)running, logits));
    for (int i = running - 1; i >= 0; --i) {
      next[i] = likeliest(logits + i * vocab, vocab);
      if (!bitfetch_model_is_stop(model, next[i])) continue;
      bitfetch_sequence* const ended = texts[i];
      texts[i] = texts[--running];
      next[i] = next[running];
      texts[running] = ended;
    }
  }

  for (int i = 0; i < kTexts; ++i) {
    print_text(model, texts[i]);
    bitfetch_sequence_free(texts[i]);
  }
  bitfetch_model_close(model);
  free(logits);
  return 0;
}
