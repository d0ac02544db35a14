#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What llvm-mca says of the NEON kernels on ARM cores: cycles for a line, 64 bytes of weights or KV, and what limits.

    tools/neon_mca.py [CORE:ISA...]    as in neoverse-n1:dotprod; without any, those of docs/arm.md

Needs build/arm64-sysroot, which tools/arm64_sysroot.sh makes. A figure is of one turn of the loop that reads, for one token or
four query heads, on data in L1. Beside it stands the unit that is busy all the time: `issue` where it is the core's width, and
`waits` where none is for more than four fifths of it.
"""
import heapq
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MCA = ["llvm-mca-19", "-mtriple=aarch64", "-mattr=+dotprod,+i8mm", "-iterations=200", "-json"]
CORES = ["cortex-a72:neon", "cortex-a55:dotprod", "neoverse-n1:dotprod", "neoverse-v1:i8mm", "neoverse-n2:i8mm",
         "neoverse-v2:i8mm", "ampere1:dotprod"]

# What is read, and for each ISA that has code of its own for it: the unit of src/kernels, the function, how many lines a turn
# of its loop reads, how many it prefetches, and how many of its instructions multiply, which tells it from other loops.
KERNELS = {
    "ternary, four codes in a byte": {
        "neon": ("ternary_simd", "bitfetch::neon::TernaryMatmul", 2, 2, 64),
        "dotprod": ("ternary_simd", "bitfetch::neon_dotprod::TernaryMatmul", 2, 2, 32)},
    "ternary, five codes in a byte": {
        "neon": ("ternary_simd", "bitfetch::neon::TernaryMatmul", 2, 2, 80),
        "dotprod": ("ternary_simd", "bitfetch::neon_dotprod::TernaryMatmul", 2, 2, 40)},
    "ternary by group": {
        "neon": ("ternary_groups_simd", "plain::TernaryGroupsMatmul", 2, 2, 68),
        "dotprod": ("ternary_groups_simd", "dotprod::TernaryGroupsMatmul", 2, 2, 36)},
    "the head's screen, four bits": {
        "neon": ("screen_simd", "plain::ScreenBits<4>", 4, 4, 128),
        "dotprod": ("screen_simd", "dotprod::ScreenBits<4>", 4, 4, 64)},
    "scores, f16": {"neon": ("attention_f16", "ScoreFloats<4,", 8, 8, 256)},
    "sums of V, f16": {"neon": ("attention_f16", "SumFloats<4,", 8, 8, 256)},
    "scores, q8_0": {
        "neon": ("attention_q8_0", "plain::ScoreCodes<4,", 8, 8, 272),
        "dotprod": ("attention_q8_0_dot", "dotprod::ScoreCodes<4,", 16, 16, 288),
        "i8mm": ("attention_q8_0_dot", "i8mm::ScoreCodes<4,", 16, 16, 160)},
    "sums of V, q8_0": {  # the passes after the first, which prefetches for all
        "neon": ("attention_q8_0", "plain::SumCodes<4,", 1, 0, 64),
        "dotprod": ("attention_q8_0_dot", "dotprod::SumCodes<4,", 2, 0, 64),
        "i8mm": ("attention_q8_0_dot", "i8mm::SumCodes<4,", 2, 0, 32)},
    "scores, q4_0": {
        "neon": ("attention_q4_0", "plain::ScoreCodes<4,", 4, 4, 272),
        "dotprod": ("attention_q4_0_dot", "dotprod::ScoreCodes<4,", 8, 8, 288),
        "i8mm": ("attention_q4_0_dot", "i8mm::ScoreCodes<4,", 8, 8, 160)},
    "sums of V, q4_0": {
        "neon": ("attention_q4_0", "plain::SumCodes<4,", 0.5, 0, 64),
        "dotprod": ("attention_q4_0_dot", "dotprod::SumCodes<4,", 1, 0, 64),
        "i8mm": ("attention_q4_0_dot", "i8mm::SumCodes<4,", 1, 0, 32)},
}

LABEL = re.compile(r"^(\.L\w+):")
BRANCH = re.compile(r"^\t(?:b|b\.?\w\w|cbn?z|tbn?z)\t(?:.*, *)?(\.L\w+)$")
NO_WAY_ON = re.compile(r"^\t(?:b\t|ret|br\t)")
PREFETCH = re.compile(r"^\tprfm pldl1keep")
PRODUCT = re.compile(r"^\t(?:sdot|smmla|smlal2?|smull2?|fmla)\t")


def count(pattern, lines):
    return sum(pattern.match(line) is not None for line in lines)


class McaError(Exception):
    """What was not as this program expects it."""


def run(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except FileNotFoundError as error:
        raise McaError(f"{error.filename}: not found") from error
    if done.returncode != 0:
        raise McaError(f"{command[0]}: {done.stderr.strip().splitlines()[0]}")
    return done.stdout


def functions_of(unit):
    """The functions of a unit by name: their labels and instructions."""
    include = ROOT / "build/arm64-sysroot/usr/include"
    with tempfile.NamedTemporaryFile(suffix=".s") as assembly:
        run(["aarch64-linux-gnu-g++", "-O3", "-DNDEBUG", "-std=c++20", "-ffp-contract=off", "-DHWY_SHARED_DEFINE", "-fPIC", "-S",
             "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-I", ROOT / "src", "-isystem", include, "-isystem", include / "aarch64-linux-gnu", "-o", assembly.name,
             ROOT / f"src/kernels/{unit}.cc"])
        text = run(["c++filt"], input=pathlib.Path(assembly.name).read_text(encoding="utf-8"))
    functions, lines = {}, []
    for line in text.splitlines():
        if re.match(r"^[^\s.].*:$", line):
            lines = functions.setdefault(line, [])
        elif LABEL.match(line) or re.match(r"^\t[a-z]", line):
            lines.append(line)
    return functions


class Flow:
    """The straight pieces of a function, and which follow each."""

    def __init__(self, lines):
        self.pieces, self.next = [[]], []
        labels = {}
        for line in lines:
            label = LABEL.match(line)
            last = self.pieces[-1][-1] if self.pieces[-1] else ""
            if label or BRANCH.match(last) or NO_WAY_ON.match(last):
                self.pieces.append([])
            if label:
                labels[label[1]] = len(self.pieces) - 1
            else:
                self.pieces[-1].append(line)
        for i, piece in enumerate(self.pieces):
            last = piece[-1] if piece else ""
            branch = BRANCH.match(last)
            to = [labels[branch[1]]] if branch and branch[1] in labels else []
            if not NO_WAY_ON.match(last) and i + 1 < len(self.pieces):
                to.append(i + 1)
            self.next.append(to)
        self.prefetches = [count(PREFETCH, piece) for piece in self.pieces]
        self.products = [count(PRODUCT, piece) for piece in self.pieces]

    def turn(self, prefetches, products):
        """The shortest turn of a loop that has so many of both: its instructions."""
        turns = [self.turn_from(start, prefetches, products) for start in range(len(self.pieces)) if self.products[start]]
        return min((turn for turn in turns if turn), key=len, default=None)

    def turn_from(self, start, prefetches, products):
        """The shortest way from a piece to itself, by Dijkstra's algorithm; places are pieces with what was met before them."""
        came_from = {}
        queue = [(0, (start, 0, 0), None)]
        while queue:
            length, place, before = heapq.heappop(queue)
            if place in came_from:
                continue
            came_from[place] = before
            piece, prefetched, multiplied = place
            if piece == start and length > 0:
                return self.way_to(before, came_from)
            prefetched += self.prefetches[piece]
            multiplied += self.products[piece]
            if prefetched > prefetches or multiplied > products:
                continue
            for to in self.next[piece]:
                if to != start or (prefetched, multiplied) == (prefetches, products):
                    heapq.heappush(queue, (length + len(self.pieces[piece]), (to, prefetched, multiplied), place))
        return None

    def way_to(self, place, came_from):
        way = []
        while place is not None:
            way = self.pieces[place[0]] + way
            place = came_from[place]
        return way


def simulate(turn, core):
    """Cycles of a turn, and what limits it."""
    # A branch takes its slot wherever it goes.
    text = "\n".join(re.sub(r"\.L\w+$", "#8", line) for line in turn)
    told = json.loads(run([*MCA, f"-mcpu={core}"], input=text))
    region = told["CodeRegions"][0]
    summary = region["SummaryView"]
    cycles = summary["TotalCycles"] / summary["Iterations"]
    busy = {"issue": summary["TotaluOps"] / summary["Iterations"] / summary["DispatchWidth"]}
    for use in region["ResourcePressureView"]["ResourcePressureInfo"]:
        if use["InstructionIndex"] == len(region["Instructions"]):  # of all together
            unit = re.sub(r".*Unit(\w+).*", r"\1", told["TargetInfo"]["Resources"][use["ResourceIndex"]], flags=re.DOTALL)
            busy[unit] = max(busy.get(unit, 0), use["ResourceUsage"])
    limit = max(busy, key=busy.get)
    return cycles, limit if busy[limit] > 0.8 * cycles else "waits"


def main():
    cores = [core.split(":") for core in sys.argv[1:] or CORES]
    order = ["neon", "dotprod", "i8mm"]
    if any(len(core) != 2 or core[1] not in order for core in cores):
        sys.exit(__doc__)
    subprocess.run([ROOT / "tools/packages.sh", "arm64", "mca"], check=True)
    units = {}
    print("| | " + " | ".join(f"{core}, {isa}" for core, isa in cores) + " |")
    print("|---" * (len(cores) + 1) + "|")
    for what, by_isa in KERNELS.items():
        cells = []
        for core, isa in cores:
            best = max((each for each in by_isa if order.index(each) <= order.index(isa)), key=order.index)
            unit, name, lines, prefetches, products = by_isa[best]
            if unit not in units:
                units[unit] = functions_of(unit)
            function = next((lines for function, lines in units[unit].items() if name in function), [])
            turn = Flow(function).turn(prefetches, products)
            if turn is None:
                raise McaError(f"{unit}: {name} has no loop with {prefetches} prefetches and {products} products")
            cycles, limit = simulate(turn, core)
            cells.append(f"{cycles / lines:.1f} {limit}")
        print(f"| {what} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except McaError as error:
        sys.exit(f"error: {error}")
