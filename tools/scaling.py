#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The model of docs/scaling.md: how fast machines are that nobody here has. Prints its tables; writes its picture.

    tools/scaling.py [docs/scaling.svg]
"""
import dataclasses
import math
import sys

WIRE_SHARE = 0.75  # of what the wires carry, a read of memory gets
SERIAL_MS = 0.65  # norms, quantising and storing keys and values of a token of 2B4T, on one core of a Zen 4 at 3.7 GHz


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    fours_gb: float  # a token reads, behind an empty cache
    fives_gb: float  # with five codes in a byte
    kv_gb: float  # of a token in the cache, f16
    layers: int
    products: float  # 10^9 multiply-adds of a token
    width: int  # hidden

    def serial_ms(self):
        return SERIAL_MS * self.layers * self.width / (30 * 2560)

    def forks(self):  # four products and two of attention a layer, four of the head
        return 6 * self.layers + 4


B2 = Model("BitNet b1.58 2B4T", 0.77, 0.66, 76.8e-6, 30, 2.08, 2560)
B8 = Model("Ternary-Bonsai 8B", 2.13, 2.13, 147.5e-6, 36, 7.57, 4096)


@dataclasses.dataclass(frozen=True)
class Machine:
    name: str
    cores: int
    ghz: float
    wire_gb: float  # a second, all channels
    core_gb: float  # that one core reads of memory
    fives: bool
    weights: float  # bytes a cycle of a core on hot data: ternary with one scale for a matrix,
    groups: float  # by group,
    attention: float  # attention over f16
    macs: float  # multiply-adds a cycle of a core with many tokens
    handover_us: float  # of a line from core to core
    serial: float = 1  # how many times a Zen 4's cycles

    def read_gb(self, threads):
        return min(threads * self.core_gb, WIRE_SHARE * self.wire_gb)

    def stage_ms(self, gb, hot, threads):
        """Reading and arithmetic hide each other but in part where both take equally long."""
        return math.hypot(gb / self.read_gb(threads), gb / (threads * hot * self.ghz)) * 1e3

    def token_ms(self, model, context, threads):
        gb = model.fives_gb if self.fives else model.fours_gb
        hot = self.groups if model is B8 else self.weights
        return (self.stage_ms(gb, hot, threads) + self.stage_ms(context * model.kv_gb, self.attention, threads) +
                model.serial_ms() * self.serial * 3.7 / self.ghz + model.forks() * self.fork_us(threads) / 1e3)

    def fork_us(self, threads):
        return 2 * threads * self.handover_us if threads > 1 else 0

    def tokens_per_s(self, model, context):
        """With the number of threads that is best, a power of two or all cores."""
        threads = [2**i for i in range(self.cores.bit_length()) if 2**i < self.cores] + [self.cores]
        return max((1e3 / self.token_ms(model, context, n), n) for n in threads)

    def rows_per_s(self, model):
        return 0.85 * self.cores * self.macs * self.ghz / model.products


# What was measured on 2 cores (docs/performance.md), whose memory gives what it gives.
ZEN4 = Machine("Zen 4", 2, 3.7, 34 / WIRE_SHARE, 31, False, 64 / 7.0, 33 / 3.7, 22.5 / 3.7, 206 / 3.7, 0.05)
CHECKS = [("busy neighbours", ZEN4, 0.852, 0, 38.5), ("busy neighbours", ZEN4, 0.852, 8192, 21.6),
          ("quiet neighbours", dataclasses.replace(ZEN4, wire_gb=65 / WIRE_SHARE, core_gb=33), 0.852, 0, 46.5),
          ("quiet neighbours", dataclasses.replace(ZEN4, wire_gb=65 / WIRE_SHARE, core_gb=33), 0.852, 8192, 23.9)]

# AVX2 and AVX-512 with VNNI as measured here, NEON as docs/arm.md has it from llvm-mca.
MACHINES = [
    Machine("laptop, 4 cores with AVX2, 2 channels of DDR5-5600", 4, 4.0, 89.6, 25, False, 64 / 9.5, 25 / 3.7, 23 / 3.7, 33, 0.05),
    Machine("desktop, 8 cores with AVX-512, 2 channels of DDR5-6000", 8, 5.0, 96, 35, True, 64 / 7.6, 33 / 3.7, 22.5 / 3.7, 52,
            0.05),
    Machine("server, 16 cores with AVX-512, 8 channels of DDR5-4800", 16, 3.5, 307.2, 17, True, 64 / 7.6, 33 / 3.7, 22.5 / 3.7, 52,
            0.08),
    Machine("Raspberry Pi 5, 4 Cortex-A76, LPDDR4X-4267 of 32 bits", 4, 2.4, 17.1, 9, False, 64 / 17.5, 64 / 24.5, 64 / 28, 32, 0.05,
            serial=2),
    Machine("Ampere Altra, 80 Neoverse N1, 8 channels of DDR4-3200", 80, 3.0, 204.8, 15, False, 64 / 17.5, 64 / 24.5, 64 / 28, 32,
            0.1, serial=2),
    Machine("Graviton3, 64 Neoverse V1, 8 channels of DDR5-4800", 64, 2.6, 307.2, 20, False, 64 / 8.4, 64 / 12.3, 64 / 14.5, 64, 0.1,
            serial=1.5),
]


def print_checks():
    print("| | tokens in the cache | measured, tokens/s | the model | |\n|---|---|---|---|---|")
    for name, machine, gb, context, measured in CHECKS:
        told = 1e3 / machine.token_ms(dataclasses.replace(B2, fours_gb=gb), context, 2)
        print(f"| {name} | {context} | {measured} | {told:.1f} | {told / measured:.2f} |")


def print_machines():
    print("| | read, GB/s | 2B4T, empty | at 8192 | 8B, empty | at 8192 | a prompt, 2B4T |\n|---|---|---|---|---|---|---|")
    for machine in MACHINES:
        speeds = [machine.tokens_per_s(model, context) for model in (B2, B8) for context in (0, 8192)]
        cells = [f"{speed:.{0 if speed >= 10 else 1}f} ({threads})" for speed, threads in speeds]
        print(f"| {machine.name} | {machine.read_gb(machine.cores):.0f} | " + " | ".join(cells) +
              f" | {machine.rows_per_s(B2):.0f} |")


STYLE = """:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --grid: #dfe3e8;
  --s0: #0b6bcb; --s1: #2a9d5c; --s2: #c77d0a; --s3: #b03a6f; --s4: #6b5bb5; --s5: #5c6670; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec; --grid: #30363d;
  --s0: #5aa9f7; --s1: #4cc38a; --s2: #eba53f; --s3: #e77aa8; --s4: #a294ee; --s5: #9aa5b0; } }
text { fill: var(--ink); font: 12px system-ui, sans-serif; } .grid { stroke: var(--grid); } polyline { fill: none; stroke-width: 2; }
"""
WIDTH, HEIGHT, LEFT, TOP, MAX_THREADS, MAX_SPEED = 470, 300, 40, 24, 80, 250


def picture():
    def x(threads):
        return LEFT + WIDTH * math.log2(threads) / math.log2(MAX_THREADS)

    def y(speed):
        return TOP + HEIGHT * (1 - speed / MAX_SPEED)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {TOP + HEIGHT + 40}" width="640">', f"<style>\n{STYLE}</style>",
           '<rect width="100%" height="100%" style="fill: var(--paper)"/>',
           '<text x="2" y="13" style="font-weight: 600">tokens/s of 2B4T with an empty cache, computed</text>']
    for speed in range(0, MAX_SPEED + 1, 50):
        out.append(f'<line class="grid" x1="{LEFT}" y1="{y(speed):.1f}" x2="{LEFT + WIDTH}" y2="{y(speed):.1f}"/>'
                   f'<text x="{LEFT - 5}" y="{y(speed) + 4:.1f}" text-anchor="end">{speed}</text>')
    for threads in (1, 2, 4, 8, 16, 32, 64):
        out.append(f'<text x="{x(threads):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{threads}</text>')
    out.append(f'<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 33}" text-anchor="middle">threads</text>')
    for i, machine in enumerate(MACHINES):
        ends = [(x(n), y(1e3 / machine.token_ms(B2, 0, n))) for n in range(1, machine.cores + 1)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in ends)
        name = machine.name.split(",", maxsplit=1)[0]
        out.append(f'<polyline points="{points}" style="stroke: var(--s{i})"/><text x="{ends[-1][0] + 5:.1f}" y="{ends[-1][1] + 4:.1f}" '
                   f'style="fill: var(--s{i})">{name}</text>')
    return "\n".join([*out, "</svg>\n"])


def main():
    print_checks()
    print()
    print_machines()
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(picture())


if __name__ == "__main__":
    main()
