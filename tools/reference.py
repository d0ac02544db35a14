#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A forward pass in numpy, written to be read and to check the engine against: no cache, no batches, no tricks.

It takes the architectures below; norms are computed where the file has them. Activations are float32 between operations
and sums are float64 within; integer products are exact.
"""
import argparse
import math
import struct
import sys

import numpy as np

import bpe
import gguf

MIN_COSINE = 0.9999
NEAR_TIE = 0.05  # of the logits' RMS; below it, rounding may decide which token is first


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def squared_relu(x):
    return np.maximum(x, 0) ** 2


# What the gate of the feed-forward layer goes through, and whether RoPE turns adjacent elements of a head.
ARCHITECTURES = {"bitnet-b1.58": (squared_relu, False), "bitnet-25": (squared_relu, False), "bitnet": (silu, False), "llama": (silu, True),
                 "qwen3": (silu, False), "gemma3": (gelu, False)}
# The norms of one projection's input, where they stand.
OWN_NORMS = {"attn_output": ["attn_sub_norm"], "ffn_down": ["ffn_sub_norm"]}


class Reference:
    def __init__(self, path):
        self.file = gguf.Reader(path)
        self.architecture = self.file.metadata["general.architecture"]
        if self.architecture not in ARCHITECTURES:
            raise gguf.GgufError(f"{path}: architecture {self.architecture} is not known here")
        self.activation, adjacent = ARCHITECTURES[self.architecture]
        self.layers = self._key("block_count")
        self.heads = self._key("attention.head_count")
        self.kv_heads = self._key("attention.head_count_kv", self.heads)
        self.head_dim = self._key("attention.key_length", self._key("embedding_length") // self.heads)
        self.epsilon = self._key("attention.layer_norm_rms_epsilon")
        self.embedding = self.file.array("token_embd.weight")
        self.head = self._optional("output.weight", self.embedding)

        pairs = np.arange(self.head_dim // 2)

        def frequencies(theta):
            return theta ** (-2.0 * pairs / self.head_dim) / self._optional("rope_freqs.weight", 1)

        self.frequencies = frequencies(self._key("rope.freq_base", 10000.0))
        # Gemma's layers with a window turn otherwise: all but each sixth.
        self.window_period, self.window_frequencies = 1, None
        if self.architecture == "gemma3" and self._key("attention.sliding_window", 0):
            self.window_period = self._key("attention.sliding_window_pattern", 6)
            self.window_frequencies = frequencies(self._key("rope.freq_base_swa", 10000.0))
        self.magnitude = 1.0
        if self._key("rope.scaling.type", "none") == "yarn":
            self._scale_by_yarn(pairs)
        # The two halves of each rotated pair.
        self.first = 2 * pairs if adjacent else pairs
        self.second = self.first + (1 if adjacent else self.head_dim // 2)

    def _scale_by_yarn(self, pairs):
        factor = self._key("rope.scaling.factor")
        original, theta = self._key("rope.scaling.original_context_length"), self._key("rope.freq_base", 10000.0)

        def pair_that_turns(times):  # in the original context
            return self.head_dim * math.log(original / (times * 2 * math.pi)) / (2 * math.log(theta))

        low = max(0, math.floor(pair_that_turns(32)))
        high = min(self.head_dim - 1, math.ceil(pair_that_turns(1)))
        slowed = np.clip((pairs - low) / max(0.001, high - low), 0, 1)
        self.frequencies *= slowed / factor + (1 - slowed)
        self.magnitude = 1 + 0.1 * math.log(factor)

    def _key(self, name, default=None):
        value = self.file.metadata.get(f"{self.architecture}.{name}", default)
        if value is None:
            raise gguf.GgufError(f"{self.file.path}: no {self.architecture}.{name}")
        return value

    def _optional(self, name, default):
        return self.file.array(name) if name in self.file.tensors else default

    def _norm(self, x, name):
        if name not in self.file.tensors:
            return x
        inverse = 1 / np.sqrt(np.mean(x.astype(np.float64) ** 2, -1, keepdims=True) + self.epsilon)
        return (x * inverse * self.file.array(name)).astype(np.float32)

    def _project(self, x, layer, name):
        """Behind the norms of its own: x [tokens][in] -> [tokens][out]; W1.58A8, but for weights by group"""
        for norm in [*OWN_NORMS.get(name, []), f"{name}_norm_in"]:
            x = self._norm(x, f"{layer}.{norm}.weight")
        if self.file.tensors[f"{layer}.{name}.weight"].type in gguf.GROUPS:  # trained with float activations
            weights = self.file.array(f"{layer}.{name}.weight")
            return (x.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.float32)
        weights, scale = self.file.ternary(f"{layer}.{name}.weight")
        scale = scale * self._optional(f"{layer}.{name}.scale", np.float32(1))
        m = np.maximum(np.abs(x).max(-1, keepdims=True), np.float32(1e-5))
        q = np.clip(np.rint(x * (np.float32(127) / m)), -128, 127)
        total = q.astype(np.float64) @ weights.T.astype(np.float64)  # integers far below 2^53: exact
        return total.astype(np.float32) * (m / np.float32(127)) * scale

    def _rope(self, x, frequencies):
        """x [tokens][heads][head_dim], the token's index its position"""
        angle = np.arange(len(x))[:, None, None] * frequencies
        cos, sin = np.cos(angle) * self.magnitude, np.sin(angle) * self.magnitude
        a, b = x[..., self.first], x[..., self.second]
        rotated = np.empty_like(x)
        rotated[..., self.first] = a * cos - b * sin
        rotated[..., self.second] = a * sin + b * cos
        return rotated

    def _attention(self, h, layer, frequencies):
        q, k, v = [self._project(h, layer, f"attn_{c}").reshape(len(h), -1, self.head_dim) for c in "qkv"]
        q, k = self._norm(q, f"{layer}.attn_q_norm.weight"), self._norm(k, f"{layer}.attn_k_norm.weight")
        q, k = [self._rope(x, frequencies).astype(np.float64) for x in (q, k)]
        future = np.triu(np.full((len(h), len(h)), -np.inf), 1)
        out = np.empty(q.shape, np.float32)
        for head in range(self.heads):
            kv_head = head // (self.heads // self.kv_heads)
            scores = q[:, head] @ k[:, kv_head].T / math.sqrt(self.head_dim) + future
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            out[:, head] = weights @ v[:, kv_head] / weights.sum(-1, keepdims=True)
        return self._project(out.reshape(len(h), -1), layer, "attn_output")

    def _feed_forward(self, h, layer):
        gate, up = self._project(h, layer, "ffn_gate"), self._project(h, layer, "ffn_up")
        return self._project((self.activation(gate.astype(np.float64)) * up).astype(np.float32), layer, "ffn_down")

    def logits(self, tokens):
        """float32 [tokens][vocab]"""
        if not all(0 <= t < len(self.embedding) for t in tokens):
            raise gguf.GgufError(f"{self.file.path}: token ids go from 0 to {len(self.embedding) - 1}")
        x = self.embedding[tokens]
        if self.architecture == "gemma3":
            x = x * np.float32(math.sqrt(x.shape[1]))
        for i in range(self.layers):
            layer = f"blk.{i}"
            has_window = (i + 1) % self.window_period
            a = self._attention(self._norm(x, f"{layer}.attn_norm.weight"), layer,
                                self.window_frequencies if has_window else self.frequencies)
            x = x + self._norm(a, f"{layer}.post_attention_norm.weight")
            a = self._feed_forward(self._norm(x, f"{layer}.ffn_norm.weight"), layer)
            x = x + self._norm(a, f"{layer}.post_ffw_norm.weight")
        return self._norm(x, "output_norm.weight") @ self.head.T

    def tokenizer(self):
        keys = self.file.metadata
        tokens, types = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
        return bpe.Tokenizer(tokens, [merge.split(" ") for merge in keys["tokenizer.ggml.merges"]],
                             [t for t, type_ in zip(tokens, types) if type_ == 3])


def compare(expected, path):
    """Checks the engine's logits in a file against the reference's; returns what is wrong, or None."""
    actual = np.fromfile(path, "<f4")
    if actual.size != expected.size:
        return f"{path}: {actual.size} values, where {expected.shape[0]} tokens x {expected.shape[1]} logits belong"
    if not np.isfinite(actual).all():
        return f"{path}: not every logit is finite"
    a, e = actual.reshape(expected.shape).astype(np.float64), expected.astype(np.float64)
    cosine = (a * e).sum(-1) / np.sqrt((a * a).sum(-1) * (e * e).sum(-1))
    worst = int(cosine.argmin())
    print(f"worst cosine {cosine[worst]:.7f} at position {worst} of {len(cosine)}; "
          f"largest difference {np.abs(a - e).max():.4g}")
    if not cosine[worst] >= MIN_COSINE:
        return f"{path}: position {worst}: cosine {cosine[worst]:.7f} is below {MIN_COSINE}"
    top = np.sort(e, -1)
    differs = (a.argmax(-1) != e.argmax(-1)) & (top[:, -1] - top[:, -2] > NEAR_TIE * np.sqrt((e * e).mean(-1)))
    if differs.any():
        at = int(differs.argmax())
        return f"{path}: position {at}: token {a[at].argmax()} is first, where {e[at].argmax()} should be"
    return None


def perplexity(model, text, context):
    """(perplexity, bits per byte): windows of `context` tokens, BOS in place of the first, the second half scored."""
    tokenizer, bos = model.tokenizer(), model.file.metadata["tokenizer.ggml.bos_token_id"]
    tokens = [bos] + tokenizer.encode(text)
    if len(tokens) < context:
        raise gguf.GgufError(f"the text has {len(tokens)} tokens, fewer than one window of {context}")
    nats = scored = scored_bytes = 0
    for start in range(0, len(tokens) - context + 1, context):
        window = [bos] + tokens[start + 1:start + context]
        logits = model.logits(window)[context // 2:-1].astype(np.float64)
        targets = window[context // 2 + 1:]
        logits -= logits.max(-1, keepdims=True)
        nats += (np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(targets)), targets]).sum()
        scored += len(targets)
        scored_bytes += sum(len(tokenizer.token_bytes(t)) for t in targets)
    return math.exp(nats / scored), nats / math.log(2) / scored_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example: bitfetch logits -m M --tokens 1,2,3 --kv-type f32 --out F && "
                                            "tools/reference.py --model M --tokens 1,2,3 --compare F")
    parser.add_argument("--model", required=True, metavar="M")
    parser.add_argument("--tokens", metavar="1,2,3")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--out", metavar="F", help="write logits: float32, little-endian, [tokens][vocab]")
    action.add_argument("--compare", metavar="F", help="check such a file made by the engine; exit 1 if it is wrong")
    action.add_argument("--perplexity", metavar="TEXTFILE", help="score a text instead")
    parser.add_argument("--ctx", type=int, default=512, help="tokens in a window of --perplexity (%(default)s)")
    args = parser.parse_args()
    if (args.tokens is None) != (args.perplexity is not None):
        parser.error("--out and --compare need --tokens; --perplexity takes none")
    try:
        model = Reference(args.model)
        if args.perplexity:
            with open(args.perplexity, encoding="utf-8") as file:
                score, bits = perplexity(model, file.read(), args.ctx)
            print(f"perplexity {score:.4f}, {bits:.4f} bits per byte")
            return
        logits = model.logits([int(t) for t in args.tokens.split(",")])
        if args.out:
            logits.astype("<f4").tofile(args.out)
            return
        wrong = compare(logits, args.compare)
    except (gguf.GgufError, OSError, ValueError, KeyError, struct.error) as error:
        sys.exit(f"error: {error}")
    if wrong:
        sys.exit(f"error: {wrong}")


if __name__ == "__main__":
    main()
