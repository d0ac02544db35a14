/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bitfetch for C: ternary language models on CPUs, and the KV cache and attention of that alone.
 *
 * Errors: a function that can fail returns a bitfetch_status. Where that is not BITFETCH_OK,
 * nothing was changed (but see ..._append, ..._generate and bitfetch_batch_run), output parameters
 * are untouched, and bitfetch_last_error() has one line that says what was wrong and where. Nothing
 * is thrown, and nothing is printed but warnings, to stderr.
 *
 * Threads: a model, its sequences and its sessions may be used from any threads at once: the model
 * has a lock, and their calls take turns in the order in which they come. Those of the model that
 * only look things up (its vocabulary, tokens to text and back) wait for nobody. While a callback
 * of ..._generate runs, it and other threads may call anything; but until ..._generate returns, the
 * sequence or session that it writes to can only be asked for its length and tokens: other calls
 * with it are BITFETCH_FAILED, and to free it there stops it and takes effect then. Otherwise
 * nothing may be freed while a call with it has not returned. A cache and all its forks together
 * belong to one thread at a time, and so does an attention. What has no model or cache in common
 * works at the same time. A model and an attention have worker threads of their own.
 *
 * Memory: what a ..._open, _create or _fork gave is given back by the _close or _free of its kind;
 * a null pointer is fine there. A file that somebody cuts while it is mapped, or whose disk fails,
 * raises SIGBUS in whichever thread reads it, and the library leaves signals to its host: where
 * that may happen, set `mmap` to 0, and the file is read once, into memory, with an error if that
 * fails.
 *
 * Versions: structs that the caller fills grow at their ends. `struct_size` says how far the
 * caller's go, sizeof the struct; what a caller's version lacks has its default. It is an error
 * where it is less than the first version had (a 0 that was forgotten), or where a newer version
 * has more than this library knows and uses it, which is what is not zero.
 */
#ifndef BITFETCH_BITFETCH_H_
#define BITFETCH_BITFETCH_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BITFETCH_API __attribute__((visibility("default")))

typedef enum bitfetch_status {
  BITFETCH_OK = 0,
  BITFETCH_INVALID_ARGUMENT = 1, /* a null pointer, a name or number that is not possible */
  BITFETCH_FAILED = 2,           /* the file, the system or what there is so far did not allow it */
  BITFETCH_OUT_OF_MEMORY = 3,
  BITFETCH_STOPPED = 4,     /* a callback asked for it */
  BITFETCH_CONTEXT_FULL = 5 /* the sequence has no room for so many tokens */
} bitfetch_status;

/* Of the last call of this thread that failed; valid until the next one that does. */
BITFETCH_API const char* bitfetch_last_error(void);

BITFETCH_API const char* bitfetch_version(void); /* "0.1.0" */
BITFETCH_API const char* bitfetch_isa(void); /* of the kernels in use: "avx512vnni"; or "none" */

/* ---- A model, which many texts share ---- */

typedef struct bitfetch_model bitfetch_model;

typedef struct bitfetch_model_options {
  size_t struct_size;   /* sizeof(bitfetch_model_options) */
  int threads;          /* 0: what affinity and cgroup allow */
  int64_t context;      /* tokens of a sequence; 0: the model's, or what half of the free memory
                           holds */
  int64_t kv_tokens;    /* of all sequences together, in blocks of 16, those that they share counted
                           once; 0: what half of the free memory holds; one context at least */
  const char* kv_type;  /* "f32", "f16", "bf16", "q8_0", "q4_0", or K:V as "q8_0:q4_0" */
  const char* pages;    /* under the KV cache: "huge" or "4k" */
  const char* prefetch; /* inside attention: "auto", "off", or so many bytes: "4096" */
  int prefetch_ahead;   /* before attention: 1 auto, 0 off */
  int mmap;             /* 1: map the file; 0: read it into memory */
  const char* cache_dir; /* a folder that keeps KV for later processes; null: none */
  int64_t cache_disk;    /* bytes that it may hold; 0: 16 GB, at most half of what is free */
  const char* kv_store;  /* Redis that keeps KV for all who use it: "redis://host:6379/0", or
                            several with commas between; null: none */
} bitfetch_model_options;

/* The defaults: what fits most. `struct_size` is what the caller's header gives the struct. */
BITFETCH_API bitfetch_status bitfetch_model_options_init(bitfetch_model_options* options,
                                                         size_t struct_size);
static inline bitfetch_model_options bitfetch_model_default_options(void) {
  bitfetch_model_options options;
  bitfetch_model_options_init(&options, sizeof(options));
  return options;
}

/* Loads a GGUF file. `options` may be null. Costs a look at every weight; measures the memory for
 * the prefetch law, 150 ms at most, where no profile is kept. */
BITFETCH_API bitfetch_status bitfetch_model_open(const char* path,
                                                 const bitfetch_model_options* options,
                                                 bitfetch_model** model);

/* What the model holds lives on until the last of its sequences and sessions is freed. */
BITFETCH_API void bitfetch_model_close(bitfetch_model* model);

BITFETCH_API int64_t bitfetch_model_vocab(const bitfetch_model* model);
BITFETCH_API int64_t bitfetch_model_hidden(const bitfetch_model* model); /* an embedding's floats */
BITFETCH_API int64_t bitfetch_model_context(const bitfetch_model* model); /* tokens of a sequence */

/* The tokens of `text` [bytes]. Writes up to `capacity` of them to `tokens`, and to `count` how
 * many there are. `first`: 1 where the text begins a sequence, BOS in front where the model wants
 * one; else 0. `special`: 1 reads the names of control tokens in the text, such as "<|eot_id|>", as
 * these tokens, and a text that begins with BOS gets no second one; never for what a user typed. */
BITFETCH_API bitfetch_status bitfetch_model_tokenize(const bitfetch_model* model, const char* text,
                                                     size_t bytes, int first, int special,
                                                     int32_t* tokens, size_t capacity,
                                                     size_t* count);

/* The bytes of one token, maybe a part of a character, none of a control token; valid until
 * bitfetch_model_close. */
BITFETCH_API bitfetch_status bitfetch_model_token_bytes(const bitfetch_model* model, int32_t token,
                                                        const char** data, size_t* bytes);

/* The bytes of `count` tokens in a row, without the space that some tokenizers put in front of a
 * text. Writes up to `capacity` of them to `text`, without a 0 at the end, and to `bytes` how many
 * there are. */
BITFETCH_API bitfetch_status bitfetch_model_detokenize(const bitfetch_model* model,
                                                       const int32_t* tokens, size_t count,
                                                       char* text, size_t capacity, size_t* bytes);

/* 1 where the model ends an answer with this token, as bitfetch_sequence_generate does; else 0. */
BITFETCH_API int bitfetch_model_is_stop(const bitfetch_model* model, int32_t token);

/* ---- Sequences: texts with one model ---- */

typedef struct bitfetch_sequence bitfetch_sequence;

/* An empty sequence, in microseconds; memory comes with the tokens. Sequences that begin with the
 * same tokens share what was computed for them, if they have the same `salt`, of which null is "":
 * whoever can time an answer learns whether its first tokens were computed before. */
BITFETCH_API bitfetch_status bitfetch_sequence_create(const bitfetch_model* model, const char* salt,
                                                      bitfetch_sequence** sequence);
/* Another sequence with the same content and logits, in microseconds: what both hold is shared. */
BITFETCH_API bitfetch_status bitfetch_sequence_fork(const bitfetch_sequence* sequence,
                                                    bitfetch_sequence** fork);
BITFETCH_API void bitfetch_sequence_free(bitfetch_sequence* sequence);

BITFETCH_API int64_t bitfetch_sequence_length(const bitfetch_sequence* sequence); /* tokens */

/* Writes up to `capacity` of the tokens so far to `tokens`, and to `count` how many there are. */
BITFETCH_API bitfetch_status bitfetch_sequence_tokens(const bitfetch_sequence* sequence,
                                                      int32_t* tokens, size_t capacity,
                                                      size_t* count);

/* Runs the model over `count` more tokens. If it fails, the text is as before, but there may be no
 * logits until the next append. */
BITFETCH_API bitfetch_status bitfetch_sequence_append(bitfetch_sequence* sequence,
                                                      const int32_t* tokens, size_t count);

/* Forgets all but the first `length` tokens; there are no logits then until the next append. */
BITFETCH_API bitfetch_status bitfetch_sequence_truncate(bitfetch_sequence* sequence,
                                                        int64_t length);

/* What the model says of the token that comes next: logits [vocab]. */
BITFETCH_API bitfetch_status bitfetch_sequence_logits(const bitfetch_sequence* sequence,
                                                      float* logits);

/* What the text means, as models of embeddings say it: the state behind its last token, scaled to
 * length 1: embedding [hidden]. Such models want their end token behind a text. */
BITFETCH_API bitfetch_status bitfetch_sequence_embedding(const bitfetch_sequence* sequence,
                                                         float* embedding);

typedef struct bitfetch_sampling {
  size_t struct_size;    /* sizeof(bitfetch_sampling) */
  int64_t max_tokens;    /* -1: until the model stops */
  double temperature;    /* 0: always the likeliest token */
  int top_k;             /* 0: all */
  double top_p;          /* 1: all */
  double min_p;          /* 0: all */
  double repeat_penalty; /* 1: none */
  uint64_t seed;
  const char* draft; /* how many tokens ..._generate guesses ahead, which changes its speed and not
                        the text: "auto" (or null), "off", or "1" to "63" */
} bitfetch_sampling;

/* temperature 0.8, top_k 40, top_p 0.95, min_p 0.05, no penalty, seed 0, until the model stops,
 * draft "auto" */
BITFETCH_API bitfetch_status bitfetch_sampling_init(bitfetch_sampling* sampling,
                                                    size_t struct_size);
static inline bitfetch_sampling bitfetch_default_sampling(void) {
  bitfetch_sampling sampling;
  bitfetch_sampling_init(&sampling, sizeof(sampling));
  return sampling;
}

/* Gets text as it is made, whole characters only; returns 0 to stop, which is BITFETCH_STOPPED, and
 * is not called again. */
typedef int (*bitfetch_on_text)(const char* text, size_t bytes, void* user);

/* Appends the prompt, or nothing to a text that has begun, and lets the model go on. `sampling` may
 * be null. The same prompt, options and seed give the same text on every machine, whoever else is
 * served. What was made is then part of the text so far, also where the callback stopped it; but
 * where the context filled up, which is BITFETCH_CONTEXT_FULL, the last token that was made is not,
 * and a prompt that does not fit is not begun. */
BITFETCH_API bitfetch_status bitfetch_sequence_generate(bitfetch_sequence* sequence,
                                                        const char* prompt, size_t bytes,
                                                        const bitfetch_sampling* sampling,
                                                        bitfetch_on_text on_text, void* user);

/* What draws tokens one by one, for those who append them on their own: a batch, or a loop in place
 * of a callback. It goes on in its random numbers from token to token, and belongs to one thread at
 * a time. */
typedef struct bitfetch_sampler bitfetch_sampler;

/* `sampling` may be null; max_tokens and draft mean nothing here. */
BITFETCH_API bitfetch_status bitfetch_sampler_create(const bitfetch_sampling* sampling,
                                                     bitfetch_sampler** sampler);
BITFETCH_API void bitfetch_sampler_free(bitfetch_sampler* sampler);

/* The token that comes next, which is not appended. Who appends each until bitfetch_model_is_stop
 * gets the tokens of bitfetch_sequence_generate with this sampling. Costs less than
 * bitfetch_sequence_logits where few of these can matter. */
BITFETCH_API bitfetch_status bitfetch_sampler_sample(bitfetch_sampler* sampler,
                                                     const bitfetch_sequence* sequence,
                                                     int32_t* token);

/* ---- Batches: many sequences in one pass over the weights ---- */

/* Tokens to append to one sequence, and what became of them. */
typedef struct bitfetch_piece {
  size_t struct_size; /* sizeof(bitfetch_piece), the same in all of a batch */
  bitfetch_sequence* sequence;
  const int32_t* tokens;
  size_t count;           /* of them, at least 1 */
  float* logits;          /* out: those behind each token, [count][vocab]; null: not wanted */
  bitfetch_status status; /* out */
  const char* message;    /* out: why, where status is not BITFETCH_OK; else "". Valid until the
                             next batch of this thread */
} bitfetch_piece;

/* Appends to the sequence of each piece its tokens, whatever their number; the shortest pieces are
 * through first. Each sequence gets the bits that it would get alone. BITFETCH_OK says that the
 * batch ran: a piece may have failed, and then its sequence is as bitfetch_sequence_append would
 * leave it, and other pieces don't notice. BITFETCH_INVALID_ARGUMENT, with nothing done: a null
 * pointer, a sequence of another model, or one that stands there twice. BITFETCH_OUT_OF_MEMORY: the
 * sequences that have grown got their tokens, the others are as before. */
BITFETCH_API bitfetch_status bitfetch_batch_run(const bitfetch_model* model, bitfetch_piece* pieces,
                                                size_t count);

/* What bitfetch_sequence_logits gives for each of `count` sequences, with one read of the model's
 * output head: logits [count][vocab]. */
BITFETCH_API bitfetch_status bitfetch_batch_logits(const bitfetch_model* model,
                                                   bitfetch_sequence* const* sequences,
                                                   size_t count, float* logits);

/* ---- Sessions: a model and one sequence, for those who want no more ---- */

typedef struct bitfetch_session bitfetch_session;

typedef struct bitfetch_session_options {
  size_t struct_size; /* sizeof(bitfetch_session_options) */
  int threads;        /* these are as in bitfetch_model_options */
  int64_t context;
  const char* kv_type;
  const char* pages;
  const char* prefetch;
  int prefetch_ahead;
  int mmap;
  const char* cache_dir;
  int64_t cache_disk;
  const char* kv_store;
} bitfetch_session_options;

/* The defaults: what fits most. `struct_size` is what the caller's header gives the struct. */
BITFETCH_API bitfetch_status bitfetch_session_options_init(bitfetch_session_options* options,
                                                           size_t struct_size);
static inline bitfetch_session_options bitfetch_session_default_options(void) {
  bitfetch_session_options options;
  bitfetch_session_options_init(&options, sizeof(options));
  return options;
}

/* Loads a GGUF file for this session alone, as bitfetch_model_open does. `options` may be null. */
BITFETCH_API bitfetch_status bitfetch_session_open(const char* path,
                                                   const bitfetch_session_options* options,
                                                   bitfetch_session** session);
/* A session that shares the weights, the threads and the KV cache of an open model. */
BITFETCH_API bitfetch_status bitfetch_session_create(const bitfetch_model* model,
                                                     bitfetch_session** session);
BITFETCH_API void bitfetch_session_close(bitfetch_session* session);

BITFETCH_API int64_t bitfetch_session_vocab(const bitfetch_session* session);
BITFETCH_API int64_t bitfetch_session_context(const bitfetch_session* session); /* tokens */
BITFETCH_API int64_t bitfetch_session_length(const bitfetch_session* session);  /* so far */

/* The tokens of `text` [bytes], BOS in front where the model wants one and the text so far is
 * empty. Writes up to `capacity` of them to `tokens`, and to `count` how many there are. */
BITFETCH_API bitfetch_status bitfetch_tokenize(const bitfetch_session* session, const char* text,
                                               size_t bytes, int32_t* tokens, size_t capacity,
                                               size_t* count);

/* The same, but the names of control tokens in the text are read as these tokens, as by
 * bitfetch_model_tokenize. bitfetch_append and then bitfetch_generate without a prompt go on from
 * such a text. */
BITFETCH_API bitfetch_status bitfetch_tokenize_special(const bitfetch_session* session,
                                                       const char* text, size_t bytes,
                                                       int32_t* tokens, size_t capacity,
                                                       size_t* count);

/* What bitfetch_model_token_bytes does, valid as long as the session, and what
 * bitfetch_sequence_append, _truncate, _logits and _generate do, for the sequence of the session.
 */
BITFETCH_API bitfetch_status bitfetch_token_bytes(const bitfetch_session* session, int32_t token,
                                                  const char** data, size_t* bytes);
BITFETCH_API bitfetch_status bitfetch_append(bitfetch_session* session, const int32_t* tokens,
                                             size_t count);
BITFETCH_API bitfetch_status bitfetch_truncate(bitfetch_session* session, int64_t length);
BITFETCH_API bitfetch_status bitfetch_logits(bitfetch_session* session, float* logits);
BITFETCH_API bitfetch_status bitfetch_generate(bitfetch_session* session, const char* prompt,
                                               size_t bytes, const bitfetch_sampling* sampling,
                                               bitfetch_on_text on_text, void* user);

/* ---- The KV cache and attention alone, for other engines ---- */

typedef struct bitfetch_cache bitfetch_cache;

typedef struct bitfetch_cache_shape {
  size_t struct_size; /* sizeof(bitfetch_cache_shape) */
  int layers;
  int kv_heads;
  int head_dim;        /* a multiple of 16; of 32 for quantised types */
  int64_t limit;       /* tokens, of this cache and all its forks, in blocks of 16: a fork that
                          goes on in a block that others have too takes one more */
  const char* kv_type; /* null: "f16" */
  const char* pages;   /* null: "huge" */
} bitfetch_cache_shape;

BITFETCH_API bitfetch_status bitfetch_cache_create(const bitfetch_cache_shape* shape,
                                                   bitfetch_cache** cache);
/* Another cache with the same content, in microseconds: blocks are shared until written to. */
BITFETCH_API bitfetch_status bitfetch_cache_fork(const bitfetch_cache* cache,
                                                 bitfetch_cache** fork);
BITFETCH_API void bitfetch_cache_free(bitfetch_cache* cache);

/* Stores `count` tokens behind what `layer` holds; k, v: [count][kv_heads][head_dim]. */
BITFETCH_API bitfetch_status bitfetch_cache_append(bitfetch_cache* cache, int layer, int64_t count,
                                                   const float* k, const float* v);
BITFETCH_API bitfetch_status bitfetch_cache_truncate(bitfetch_cache* cache, int64_t length);
BITFETCH_API int64_t bitfetch_cache_length(const bitfetch_cache* cache); /* that all layers hold */

/* Requests the first bytes that attention over `seq_len` tokens of `layer` will read, as far as a
 * core's L2 has room; `requested` may be null. Call it while something else computes. */
BITFETCH_API bitfetch_status bitfetch_cache_prefetch(bitfetch_cache* cache, int layer,
                                                     int64_t seq_len, size_t* requested);

typedef struct bitfetch_attention bitfetch_attention;

/* Attention with so many threads (0: what affinity and cgroup allow), which fetches ahead by the
 * law. Reads the machine profile that `bitfetch tune` keeps, or assumes a machine. */
BITFETCH_API bitfetch_status bitfetch_attention_create(int threads, bitfetch_attention** attention);
BITFETCH_API void bitfetch_attention_free(bitfetch_attention* attention);

/* Causal attention of the last `tokens` tokens that `layer` holds over all of them. `group` query
 * heads share a KV head; queries, out: [tokens][kv_heads * group][head_dim]. Scores are scaled by
 * 1 / sqrt(head_dim). */
BITFETCH_API bitfetch_status bitfetch_attention_run(bitfetch_attention* attention,
                                                    const bitfetch_cache* cache, int layer,
                                                    int group, const float* queries, int64_t tokens,
                                                    float* out);

#ifdef __cplusplus
}
#endif

#endif /* BITFETCH_BITFETCH_H_ */
