#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the engine's logits with reference.py on small random models of many shapes.

usage: logits_test.py PROGRAM
"""
import os
import subprocess
import sys
import tempfile

import gguf
import reference
import synth

TOKEN_COUNTS = (1, 2, 17, 70)
SHAPES = [
    dict(heads=4, kv_heads=2, head_dim=64, vocab=301),
    dict(heads=4, kv_heads=4, head_dim=64, hidden=128, vocab=277, embedding=gguf.F32),
    dict(heads=8, kv_heads=2, head_dim=128, hidden=384, own_head=True, rope_theta=500000.0),
    dict(heads=5, kv_heads=1, head_dim=128, hidden=640, feed_forward=256, vocab=259, embedding=gguf.BF16),
    dict(heads=5, kv_heads=1, head_dim=64, hidden=320, feed_forward=448, vocab=258),  # rows of no whole I2_S blocks
    dict(heads=12, kv_heads=3, head_dim=64, ternary=gguf.TQ1_0, hidden=256, feed_forward=512),
    dict(architecture="bitnet-25", heads=2, kv_heads=1, head_dim=128, rope_freqs=True),
    dict(architecture="llama", heads=4, kv_heads=1, head_dim=64, ternary=gguf.TQ2_0, feed_forward=512, vocab=333),
    dict(architecture="llama", heads=8, kv_heads=8, head_dim=96, own_head=True, embedding=gguf.Q8_0),
    dict(architecture="bitnet", heads=8, kv_heads=8, head_dim=96, own_scales=True, ternary=gguf.TQ2_0, feed_forward=512),
    dict(architecture="qwen3", heads=4, kv_heads=2, head_dim=128, hidden=384, rope_theta=1e6),
    dict(architecture="qwen3", heads=8, kv_heads=1, head_dim=64, own_head=True, context=80, yarn_factor=4.0),
    dict(architecture="qwen3", heads=4, kv_heads=4, head_dim=128, input_norms=True),
    dict(architecture="qwen3", heads=4, kv_heads=2, head_dim=128, hidden=320, ternary=gguf.Q2_0, embedding=gguf.Q2_0),
    dict(architecture="qwen3", heads=8, kv_heads=1, head_dim=64, ternary=gguf.Q2_0, embedding=gguf.Q2_0, own_head=True,
         context=80, yarn_factor=4.0),
    dict(architecture="qwen3", heads=3, kv_heads=3, head_dim=256, ternary=gguf.PQ2_0, embedding=gguf.PQ2_0, vocab=271),
    dict(architecture="llama", heads=6, kv_heads=2, head_dim=96, ternary=gguf.Q2_0, own_head=True, rope_freqs=True),
    dict(architecture="gemma3", heads=4, kv_heads=1, head_dim=256, hidden=640, feed_forward=512, input_norms=True),
    dict(architecture="gemma3", layers=6, heads=4, kv_heads=2, head_dim=64, rope_theta=1e6, window=512),
]


def engine_logits(program, model, tokens, out):
    subprocess.run([program, "logits", "-m", model, "--tokens", ",".join(map(str, tokens)), "--kv-type", "f32", "--out",
                    out, "--prefetch", "4096"], check=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = sys.argv[1]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        model, out = os.path.join(folder, "m.gguf"), os.path.join(folder, "logits")
        for seed, shape in enumerate(SHAPES):
            synth.write_model(model, seed=seed, **shape)
            expected = reference.Reference(model)
            for count in TOKEN_COUNTS:
                tokens = [(11 + 37 * i * i + seed) % shape.get("vocab", 300) for i in range(count)]
                engine_logits(program, model, tokens, out)
                print(shape, count, "tokens: ", end="", flush=True)
                wrong = reference.compare(expected.logits(tokens), out)
                if wrong:
                    print(f"error: {wrong}")
                    failures += 1
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
