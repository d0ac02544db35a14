#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the tiny BitNet b1.58 model in models/ and writes it as GGUF.

The model is BitNet b1.58 2B4T in small: ternary linear layers with one absmean scale each and a straight-through
estimator (Ma et al. 2024, "The Era of 1-bit LLMs"), int8 activations per token, sub-norms before the attention output
and the feed-forward's down projection, squared ReLU, grouped-query attention, RoPE, and an output head tied to the
embedding. The matrices are trained by Muon (Jordan 2024), which orthogonalises the momentum; the rest by Adam.

The text is the King James Bible, which is in the public domain in most of the world, as the Debian packages bible-kjv
and bible-kjv-text print it. Every 25th chapter is held out: it trains neither the model nor the vocabulary.
"""
import argparse
import concurrent.futures
import ctypes
import math
import os
import re
import subprocess
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads share out rows of the batch instead
PACKAGES = "bible-kjv bible-kjv-text python3-numpy python3-torch libopenblas0-pthread"
try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"error: {error}; install the Debian packages {PACKAGES} and run this with /usr/bin/python3")

import bpe
import gguf

CONTROL_TOKENS = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
VOCAB = 2048
LAYERS = 4
HIDDEN = 256
FEED_FORWARD = 512
HEADS = 4
KV_HEADS = 2
HEAD_DIM = 64
CONTEXT = 512
ROPE_THETA = 10000.0
EPSILON = 1e-5
TOKENS_PER_STEP = 4096


# ---------------------------------------------------------------------------------------------------------- the text


def chapters():
    """Every chapter as text: its name, an empty line, then one verse a line."""
    try:
        printed = subprocess.run(["bible", "-l9999", "gen1:1-rev22:21"], stdin=subprocess.DEVNULL, capture_output=True,
                                 check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: cannot print the text: {error}; install the Debian packages {PACKAGES}")
    verses = re.sub(r"(?m)^ +\d+ ", "", printed).strip()
    return [chapter + "\n\n" for chapter in re.split(r"\n\n(?=[^\n]+ \d+\n\n)", verses)]


def split(all_chapters):
    """(chapters to train on, chapters held out)"""
    held_out = all_chapters[12::25]
    return [c for i, c in enumerate(all_chapters) if i % 25 != 12], held_out


class Windows:
    """Random windows of the training text, each beginning with BOS; a quarter of them begin where a chapter does."""

    def __init__(self, encoded_chapters, bos, seed):
        self.stream = torch.tensor([t for c in encoded_chapters for t in c])
        self.starts = torch.tensor([0] + [len(c) for c in encoded_chapters]).cumsum(0)[:-1]
        self.bos = bos
        self.random = torch.Generator().manual_seed(seed)

    def batch(self, rows, length):
        """inputs and targets, both [rows][length]"""
        last = len(self.stream) - length
        at = torch.randint(last, (rows,), generator=self.random)
        chapter = self.starts[torch.randint(len(self.starts), (rows,), generator=self.random)]
        at = torch.where(torch.rand(rows, generator=self.random) < 0.25, chapter.clamp(max=last), at)
        targets = self.stream[at[:, None] + torch.arange(length)]
        return torch.cat([torch.full((rows, 1), self.bos), targets[:, :-1]], 1), targets


# --------------------------------------------------------------------------------------------------------- the model


class Ternary(torch.autograd.Function):
    """W -> scale * {-1, 0, +1}, scale = mean |W|; the gradient passes straight through."""

    @staticmethod
    def forward(context, weight):
        scale = weight.abs().mean().clamp(min=1e-8)
        return (weight / scale).round_().clamp_(-1, 1).mul_(scale)

    @staticmethod
    def backward(context, gradient):
        return gradient


class RmsNorm(torch.autograd.Function):
    """RMSNorm, rounded to int8 levels per token when asked; the gradient passes straight through the rounding."""

    @staticmethod
    def forward(context, x, weight, quantise):
        inverse = x.square().mean(-1, keepdim=True).add_(EPSILON).rsqrt_()
        normed = x * inverse
        context.save_for_backward(normed, inverse, weight)
        y = normed * weight
        if quantise:
            absmax = y.abs().amax(-1, keepdim=True).clamp_(min=1e-5)
            y.mul_(127 / absmax).round_().clamp_(-128, 127).mul_(absmax / 127)
        return y

    @staticmethod
    def backward(context, gradient):
        normed, inverse, weight = context.saved_tensors
        along = gradient * normed
        weight_gradient = along.flatten(0, -2).sum(0)
        mean = along.mul_(weight).mean(-1, keepdim=True)
        return (gradient * weight).sub_(normed * mean).mul_(inverse), weight_gradient, None


class SquaredReluGate(torch.autograd.Function):
    """relu(gate)^2 * up"""

    @staticmethod
    def forward(context, gate, up):
        relu = gate.relu()
        context.save_for_backward(relu, up)
        return relu.square().mul_(up)

    @staticmethod
    def backward(context, gradient):
        relu, up = context.saved_tensors
        half = gradient * relu
        return half.mul(up).mul_(2), half.mul_(relu)


def rope_table(length):
    """cos and sin, both [length][HEAD_DIM / 2]"""
    angle = torch.arange(length)[:, None] * ROPE_THETA ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    """RoPE in the half-split form on x [..][length][HEAD_DIM]."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Model(torch.nn.Module):
    """Parameters carry their GGUF names, with `_` for `.`; matrices are [rows out][columns in]."""

    MATRICES = {"attn_q": (HEADS * HEAD_DIM, HIDDEN), "attn_k": (KV_HEADS * HEAD_DIM, HIDDEN),
                "attn_v": (KV_HEADS * HEAD_DIM, HIDDEN), "attn_output": (HIDDEN, HEADS * HEAD_DIM),
                "ffn_gate": (FEED_FORWARD, HIDDEN), "ffn_up": (FEED_FORWARD, HIDDEN),
                "ffn_down": (HIDDEN, FEED_FORWARD)}
    NORMS = {"attn_norm": HIDDEN, "attn_sub_norm": HEADS * HEAD_DIM, "ffn_norm": HIDDEN, "ffn_sub_norm": FEED_FORWARD}

    def __init__(self):
        super().__init__()
        self.token_embd = torch.nn.Parameter(torch.randn(VOCAB, HIDDEN) / HIDDEN ** 0.5)
        self.output_norm = torch.nn.Parameter(torch.ones(HIDDEN))
        self.blk = torch.nn.ModuleList()
        for _ in range(LAYERS):
            layer = torch.nn.Module()
            for name, shape in self.MATRICES.items():
                spread = shape[1] ** -0.5 * (0.35 if name in ("attn_output", "ffn_down") else 1)
                setattr(layer, name, torch.nn.Parameter(torch.randn(shape) * spread))
            for name, size in self.NORMS.items():
                setattr(layer, name, torch.nn.Parameter(torch.ones(size)))
            self.blk.append(layer)

    def forward(self, tokens):
        """logits [rows][length][VOCAB] of tokens [rows][length]"""
        rows, length = tokens.shape
        cos, sin = rope_table(length)
        future = torch.full((length, length), -math.inf).triu(1)
        group = HEADS // KV_HEADS

        def heads(x):
            return x.view(rows, length, -1, HEAD_DIM).transpose(1, 2)

        x = F.embedding(tokens, self.token_embd)
        for layer in self.blk:
            w = {name: Ternary.apply(getattr(layer, name)) for name in self.MATRICES}
            h = RmsNorm.apply(x, layer.attn_norm, True)
            q, k, v = [heads(F.linear(h, w[name])) for name in ("attn_q", "attn_k", "attn_v")]
            q, k = rotate(q * HEAD_DIM ** -0.5, cos, sin), rotate(k, cos, sin)
            scores = q.reshape(rows, KV_HEADS, group * length, HEAD_DIM) @ k.transpose(-1, -2)
            weights = (scores.view(rows, KV_HEADS, group, length, length) + future).softmax(-1)
            a = weights.view(rows, KV_HEADS, group * length, length) @ v
            a = a.view(rows, HEADS, length, HEAD_DIM).transpose(1, 2).reshape(rows, length, -1)
            x = x + F.linear(RmsNorm.apply(a, layer.attn_sub_norm, True), w["attn_output"])

            h = RmsNorm.apply(x, layer.ffn_norm, True)
            a = SquaredReluGate.apply(F.linear(h, w["ffn_gate"]), F.linear(h, w["ffn_up"]))
            x = x + F.linear(RmsNorm.apply(a, layer.ffn_sub_norm, True), w["ffn_down"])
        return F.linear(RmsNorm.apply(x, self.output_norm, False), self.token_embd)

    def matrices(self):
        return [getattr(layer, name) for layer in self.blk for name in self.MATRICES]


# ------------------------------------------------------------------------------------------------------ the training


class Muon:
    """Momentum whose update is replaced by the nearest orthogonal matrix, found by a Newton-Schulz iteration."""

    def __init__(self, matrices, momentum=0.95):
        self.matrices, self.momentum = matrices, momentum
        self.buffers = [torch.zeros_like(m) for m in matrices]

    def step(self, rate, weight_decay, workers):
        @torch.no_grad()
        def move(matrix, buffer):
            buffer.lerp_(matrix.grad, 1 - self.momentum)
            update = self._orthogonal(matrix.grad.lerp(buffer, self.momentum))
            # 0.2 sqrt(longer side) makes an element move about as far as under Adam (Liu et al. 2025).
            matrix.mul_(1 - rate * weight_decay).sub_(update, alpha=rate * 0.2 * max(matrix.shape) ** 0.5)

        list(workers.map(move, self.matrices, self.buffers))

    @staticmethod
    def _orthogonal(x):
        tall = x.shape[0] > x.shape[1]
        x = x.t() if tall else x
        x = x / (x.norm() + 1e-7)
        for _ in range(5):
            a = x @ x.t()
            x = torch.addmm(3.4445 * x, torch.addmm(-4.7750 * a, a, a, alpha=2.0315), x)
        return x.t() if tall else x


def backward(model, inputs, targets, workers, parts):
    """Leaves the gradients in the parameters; returns the loss. Each part of the rows is one worker's."""
    parameters = list(model.parameters())

    def work(rows, expected):
        loss = F.cross_entropy(model(rows).flatten(0, 1), expected.flatten())
        return loss.item(), torch.autograd.grad(loss, parameters)

    losses, gradients = zip(*workers.map(work, inputs.chunk(parts), targets.chunk(parts)))
    for parameter, *shares in zip(parameters, *gradients):
        parameter.grad = sum(shares) / parts
    return sum(losses) / parts


@torch.no_grad()
def bits_per_byte(model, tokenizer, tokens, bos, windows=None):
    """Windows of CONTEXT tokens, BOS in place of the first, the second half scored; over the bytes of what is scored."""
    nats = count = 0
    for start in range(0, len(tokens) - CONTEXT + 1, CONTEXT)[:windows]:
        window = [bos] + tokens[start + 1:start + CONTEXT]
        scored = torch.tensor(window[CONTEXT // 2 + 1:])
        logits = model(torch.tensor([window]))[0, CONTEXT // 2:-1]
        nats += F.cross_entropy(logits, scored, reduction="sum").item()
        count += sum(len(tokenizer.token_bytes(t)) for t in scored.tolist())
    return nats / math.log(2) / count


def export(model, tokenizer, merges, path):
    half = lambda parameter: parameter.detach().numpy().astype("float16")
    tensors = [("token_embd.weight", gguf.F16, half(model.token_embd)),
               ("output_norm.weight", gguf.F32, model.output_norm.detach().numpy())]
    for i, layer in enumerate(model.blk):
        tensors += [(f"blk.{i}.{name}.weight", gguf.F32, getattr(layer, name).detach().numpy()) for name in model.NORMS]
        tensors += [(f"blk.{i}.{name}.weight", gguf.I2_S, Ternary.apply(getattr(layer, name)).detach().numpy())
                    for name in model.MATRICES]
    metadata = gguf.model_metadata(
        "bitfetch tiny", layers=LAYERS, context=CONTEXT, hidden=HIDDEN, feed_forward=FEED_FORWARD, heads=HEADS,
        kv_heads=KV_HEADS, head_dim=HEAD_DIM, vocab=VOCAB, rope_theta=ROPE_THETA, epsilon=EPSILON)
    metadata |= gguf.tokenizer_metadata(tokenizer.tokens, merges, tokenizer.control_ids,
                                        bos=tokenizer.id_of[CONTROL_TOKENS[0]], eos=tokenizer.id_of[CONTROL_TOKENS[1]])
    gguf.write(path, metadata, tensors)


def arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    models = os.path.join(os.path.dirname(here), "models")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example: tools/train_tiny.py --steps 200 --out /tmp/quick.gguf")
    parser.add_argument("--out", default=os.path.join(models, "tiny.gguf"), help="the model (%(default)s)")
    parser.add_argument("--heldout", default=os.path.join(models, "heldout.txt"),
                        help="the text that is not trained on (%(default)s)")
    parser.add_argument("--steps", type=int, default=450, help="steps of 4096 tokens (%(default)s)")
    parser.add_argument("--minutes", type=float, default=math.inf,
                        help="end the schedule early, after this time; what comes out then depends on the machine")
    parser.add_argument("--rate", type=float, default=4e-3, help="peak learning rate (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="each takes its part of a step's rows (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--checkpoint", metavar="FILE", help="save the state here now and then, and resume from it")
    return parser.parse_args()


def main():
    args = arguments()
    # Large tensors come and go all the time: keep their memory instead of faulting it in anew. glibc's numbers for
    # M_MMAP_MAX, M_TRIM_THRESHOLD and M_ARENA_MAX.
    for parameter, value in ((-4, 0), (-1, 2**31 - 1), (-8, 1)):
        ctypes.CDLL(None).mallopt(parameter, value)
    torch.set_num_threads(1)
    workers = concurrent.futures.ThreadPoolExecutor(args.threads, initializer=torch.set_num_threads, initargs=(1,))
    torch.manual_seed(args.seed)

    training, held_out = split(chapters())
    with open(args.heldout, "w", encoding="utf-8") as file:
        file.write("".join(held_out))
    print(f"{len(training)} chapters to train on, {len(held_out)} held out; training the vocabulary", flush=True)
    merges = bpe.train("".join(training), VOCAB - len(CONTROL_TOKENS))
    tokenizer = bpe.Tokenizer(bpe.vocabulary(merges, CONTROL_TOKENS), merges, CONTROL_TOKENS)
    bos = tokenizer.id_of[CONTROL_TOKENS[0]]
    windows = Windows([tokenizer.encode(c) for c in training], bos, args.seed)
    held_out_tokens = [bos] + tokenizer.encode("".join(held_out))
    print(f"{len(windows.stream)} tokens to train on, {len(held_out_tokens)} held out", flush=True)

    model = Model()
    matrices = model.matrices()
    others = [p for p in model.parameters() if not any(p is m for m in matrices)]
    muon = Muon(matrices)
    adam = torch.optim.Adam(others, betas=(0.9, 0.98), eps=1e-10)
    print(f"{sum(p.numel() for p in matrices)} ternary parameters, {sum(p.numel() for p in others)} others", flush=True)

    step, spent = 0, 0.0
    if args.checkpoint and os.path.exists(args.checkpoint):
        state = torch.load(args.checkpoint)
        step, spent = state["step"], state["spent"]
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        muon.buffers = state["muon"]
        windows.random.set_state(state["random"])
        print(f"resuming at step {step}", flush=True)
    started, average = time.monotonic() - spent, None

    def progress():
        return max(step / args.steps, (time.monotonic() - started) / 60 / args.minutes)

    while progress() < 1:
        done = progress()
        # As in BitNet b1.58's own training, the second half has no weight decay; short windows first are cheaper.
        rate = args.rate * min(1, (step + 1) / 50) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * done)))
        length = CONTEXT // 2 if done < 0.6 else CONTEXT
        inputs, targets = windows.batch(TOKENS_PER_STEP // length, length)
        loss = backward(model, inputs, targets, workers, args.threads)
        muon.step(rate, 0.1 if done < 0.5 else 0, workers)
        adam.param_groups[0]["lr"] = rate
        adam.step()
        step += 1

        average = loss if average is None else 0.95 * average + 0.05 * loss
        if step % 20 == 0:
            print(f"step {step} {100 * done:.1f} % loss {average:.3f} rate {rate:.2e} "
                  f"{(time.monotonic() - started) / 60:.1f} min", flush=True)
        if step % 100 == 0:
            print(f"held out: {bits_per_byte(model, tokenizer, held_out_tokens, bos, 24):.4f} bits per byte "
                  "(of its first 24 windows)", flush=True)
        if args.checkpoint and (step % 100 == 0 or progress() >= 1):
            torch.save({"step": step, "spent": time.monotonic() - started, "model": model.state_dict(),
                        "adam": adam.state_dict(), "muon": muon.buffers, "random": windows.random.get_state()},
                       args.checkpoint)
            export(model, tokenizer, merges, args.checkpoint + ".gguf")

    export(model, tokenizer, merges, args.out)
    print(f"{step} steps in {(time.monotonic() - started) / 60:.1f} minutes; held out: "
          f"{bits_per_byte(model, tokenizer, held_out_tokens, bos):.4f} bits per byte; wrote {args.out}")


if __name__ == "__main__":
    main()
