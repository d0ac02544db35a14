#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a small model with random weights: every shape, weight type and embedding type that reference.py reads."""
import argparse
import sys

import numpy as np

import bpe
import gguf
import reference


def write_model(path, *, architecture="bitnet-b1.58", layers=2, hidden=256, feed_forward=384, heads=4, kv_heads=2,
                head_dim=64, vocab=300, context=512, rope_theta=10000.0, yarn_factor=1.0, ternary=gguf.I2_S,
                embedding=gguf.F16, own_head=False, rope_freqs=False, input_norms=False, window=0,
                own_scales=False, seed=1):
    if vocab < 258:
        raise gguf.GgufError("a vocabulary has the 256 bytes and two control tokens at least")
    random = np.random.default_rng(seed)

    def matrix_by_group(type_, rows, columns, size):
        codes = random.integers(-1, 2, (rows, columns // gguf.GROUPS[type_], gguf.GROUPS[type_]))
        codes[random.random(codes.shape) < 0.02] = 2  # legal, if rare
        scales = size * random.uniform(0.5, 1.5, (*codes.shape[:2], 1))
        return (codes * scales.astype(np.float16)).reshape(rows, columns)

    def ternary_matrix(name, rows, columns):
        # What a layer adds is smaller than what it is added to, as in a trained model: else one int8 value that rounds
        # the other way grows from layer to layer until two correct programs differ visibly. And a scale that f16 holds
        # exactly lets every ternary type describe the same model.
        size = (0.25 if name in ("attn_output", "ffn_down") else 1.2) / columns ** 0.5
        if ternary in gguf.GROUPS:
            return matrix_by_group(ternary, rows, columns, size)
        scale = np.float32(np.float16(size))
        return random.integers(-1, 2, (rows, columns)) * scale

    def norm(size):
        return random.uniform(0.5, 1.5, size).astype(np.float32)

    def table():
        if embedding in gguf.GROUPS:
            return matrix_by_group(embedding, vocab, hidden, 1.2)
        return random.normal(size=(vocab, hidden)).astype(np.float32)

    norm_type = gguf.F16 if input_norms else gguf.F32
    tensors = [("token_embd.weight", embedding, table()), ("output_norm.weight", norm_type, norm(hidden))]
    if own_head:
        tensors.append(("output.weight", embedding, table()))
    if rope_freqs:
        tensors.append(("rope_freqs.weight", gguf.F32, random.uniform(1, 8, head_dim // 2).astype(np.float32)))
    norms = {"attn_norm": hidden, "ffn_norm": hidden}
    if architecture.startswith("bitnet"):
        norms |= {"attn_sub_norm": heads * head_dim, "ffn_sub_norm": feed_forward}
    if architecture in ("qwen3", "gemma3"):
        norms |= {"attn_q_norm": head_dim, "attn_k_norm": head_dim}
    if architecture == "gemma3":
        norms |= {"post_attention_norm": hidden, "post_ffw_norm": hidden}
    matrices = {"attn_q": (heads * head_dim, hidden), "attn_k": (kv_heads * head_dim, hidden),
                "attn_v": (kv_heads * head_dim, hidden), "attn_output": (hidden, heads * head_dim),
                "ffn_gate": (feed_forward, hidden), "ffn_up": (feed_forward, hidden), "ffn_down": (hidden, feed_forward)}
    if input_norms:
        norms |= {f"{name}_norm_in": columns for name, (_, columns) in matrices.items()}
    for i in range(layers):
        tensors += [(f"blk.{i}.{name}.weight", norm_type, norm(size)) for name, size in norms.items()]
        tensors += [(f"blk.{i}.{name}.weight", ternary, ternary_matrix(name, *shape))
                    for name, shape in matrices.items()]
        if own_scales:
            tensors += [(f"blk.{i}.{name}.scale", gguf.F32, norm(1)) for name in matrices]

    control = ["<|begin_of_text|>", "<|end_of_text|>"]
    tokens = bpe.vocabulary([], [f"<unused {i}>" for i in range(vocab - 258)] + control)
    metadata = gguf.model_metadata("random", architecture=architecture, layers=layers, context=context, hidden=hidden,
                                   feed_forward=feed_forward, heads=heads, kv_heads=kv_heads, head_dim=head_dim,
                                   vocab=vocab, rope_theta=rope_theta, epsilon=1e-5)
    if window:
        metadata[f"{architecture}.attention.sliding_window"] = window
    if yarn_factor != 1:
        metadata |= {f"{architecture}.rope.scaling.{key}": value for key, value in
                     {"type": "yarn", "factor": yarn_factor, "original_context_length": context // 4}.items()}
    metadata |= gguf.tokenizer_metadata(tokens, [], {vocab - 2, vocab - 1}, bos=vocab - 2, eos=vocab - 1)
    gguf.write(path, metadata, tensors)


def main():
    types = {name.lower(): number for number, name in gguf.TYPE_NAMES.items()}
    weights = [name for name, number in types.items() if number in gguf.TERNARY or number in gguf.GROUPS]
    embeddings = [name for name, number in types.items() if number not in gguf.TERNARY]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter,
                                     epilog="example: tools/synth.py --out /tmp/m.gguf --heads 5 --kv-heads 1 "
                                            "--head-dim 128 --hidden 640")
    parser.add_argument("--out", required=True, metavar="FILE", help="the GGUF file to write")
    parser.add_argument("--architecture", default="bitnet-b1.58", choices=reference.ARCHITECTURES)
    for name, default in {"layers": 2, "hidden": 256, "feed-forward": 384, "heads": 4, "kv-heads": 2, "head-dim": 64,
                          "vocab": 300, "context": 512, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=" ")
    parser.add_argument("--rope-theta", type=float, default=10000.0, metavar="X", help=" ")
    parser.add_argument("--yarn-factor", type=float, default=1.0, metavar="X", help="of a quarter of the context")
    parser.add_argument("--ternary", default="i2_s", choices=weights, help="type of the linear layers")
    parser.add_argument("--embedding", default="f16", choices=embeddings, help="type of the embedding and the head")
    parser.add_argument("--own-head", action="store_true", help="an output head that is not the embedding")
    parser.add_argument("--rope-freqs", action="store_true", help="divide the RoPE frequencies by a tensor's values")
    parser.add_argument("--input-norms", action="store_true", help="a norm before every projection; norms are F16")
    parser.add_argument("--own-scales", action="store_true", help="scales in tensors of their own too")
    parser.add_argument("--window", type=int, default=0, metavar="N", help="tokens that layers with a window see")
    args = vars(parser.parse_args())
    args |= {"ternary": types[args["ternary"]], "embedding": types[args["embedding"]]}
    try:
        write_model(args.pop("out"), **args)
    except (gguf.GgufError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
