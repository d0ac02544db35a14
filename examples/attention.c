/* SPDX-License-Identifier: Apache-2.0 */
/* For the author of another engine: its keys, values and queries, our cache and attention. One
 * sequence is decoded over two layers, then forked, and both go on by themselves. */
#include <bitfetch/bitfetch.h>
#include <stdio.h>
#include <stdlib.h>

enum { kLayers = 2, kKvHeads = 2, kGroup = 4, kHeadDim = 64, kTokens = 100 };

/* In place of the engine's own projections. */
static void project(int token, int layer, float* out, int count) {
  for (int i = 0; i < count; ++i) {
    out[i] = (float)((token * 31 + layer * 17 + i * 7) % 101) / 50.0f - 1.0f;
  }
}

static void check(bitfetch_status status) {
  if (status == BITFETCH_OK) return;
  fprintf(stderr, "error: %s\n", bitfetch_last_error());
  exit(1);
}

/* One token through all layers; returns the sum of what attention gave. */
static double decode(bitfetch_attention* attention, bitfetch_cache* cache, int token) {
  float k[kKvHeads * kHeadDim], v[kKvHeads * kHeadDim];
  float queries[kKvHeads * kGroup * kHeadDim], out[kKvHeads * kGroup * kHeadDim];
  double sum = 0;
  for (int layer = 0; layer < kLayers; ++layer) {
    /* While the engine computes the projections, the cache comes nearer. */
    check(bitfetch_cache_prefetch(cache, layer, bitfetch_cache_length(cache), NULL));
    project(token, layer, k, kKvHeads * kHeadDim);
    project(token + 1, layer, v, kKvHeads * kHeadDim);
    project(token + 2, layer, queries, kKvHeads * kGroup * kHeadDim);
    check(bitfetch_cache_append(cache, layer, 1, k, v));
    check(bitfetch_attention_run(attention, cache, layer, kGroup, queries, 1, out));
    for (int i = 0; i < kKvHeads * kGroup * kHeadDim; ++i) sum += out[i];
  }
  return sum;
}

int main(void) {
  const bitfetch_cache_shape shape = {.struct_size = sizeof(shape),
                                      .layers = kLayers,
                                      .kv_heads = kKvHeads,
                                      .head_dim = kHeadDim,
                                      .limit = 4096,
                                      .kv_type = "q8_0"};
  bitfetch_cache *cache = NULL, *fork = NULL;
  bitfetch_attention* attention = NULL;
  check(bitfetch_cache_create(&shape, &cache));
  check(bitfetch_attention_create(0, &attention));
  for (int token = 0; token < kTokens; ++token) decode(attention, cache, token);

  check(bitfetch_cache_fork(cache, &fork));
  const double one = decode(attention, cache, 1000);
  const double other = decode(attention, fork, 1000);
  printf("%s: %lld tokens; the fork %s\n", bitfetch_isa(), (long long)bitfetch_cache_length(cache),
         one == other ? "agrees" : "differs");
  bitfetch_attention_free(attention);
  bitfetch_cache_free(fork);
  bitfetch_cache_free(cache);
  return one == other ? 0 : 1;
}
