#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws `bitfetch bench distance --json FILE` as SVG: for each place a panel into L1 and one into L2, a line for each
number of streams, the same attention without prefetch, and the law's choice.

    bitfetch bench distance --json distance.json && tools/plot_distance.py distance.json docs/prefetch-distance.svg
"""
import argparse
import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, GAP, LEFT, TOP = 330, 190, 44, 64, 78
COLOURS = ["#1b6ca8", "#2a9d5c", "#c77d0a", "#b03a6f", "#6b5bb5", "#555555"]
PLACE = ("threads", "pages", "layout", "kv_type", "n_kv")


class PlotError(Exception):
    """What is wrong with the rows."""


def place_name(place):
    threads, pages, layout, kv_type, n_kv = place
    return f"{kv_type}, {layout}, {pages} pages, {threads} thread{'' if threads == 1 else 's'}, {n_kv} tokens"


def bytes_name(count):
    return f"{count >> 10} KiB" if count >= 1024 else f"{count} B"


class Panel:
    """Axes at (x, y): distance on a logarithmic scale, speed as a part of the streaming read."""

    def __init__(self, x, y, distances, top):
        self.x, self.y, self.top = x, y, top
        self.low, self.high = math.log2(min(distances)), math.log2(max(distances))
        self.distances = distances

    def at(self, distance, fraction):
        along = (math.log2(distance) - self.low) / max(self.high - self.low, 1)
        return self.x + along * WIDTH, self.y + HEIGHT * (1 - fraction / self.top)

    def axes(self, title):
        yield f'<rect x="{self.x}" y="{self.y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>'
        yield f'<text x="{self.x}" y="{self.y - 8}">{escape(title)}</text>'
        for step in range(int(self.top * 10) + 1):
            _, y = self.at(self.distances[0], step / 10)
            if step % 2 == 0:
                yield f'<line x1="{self.x}" y1="{y:.1f}" x2="{self.x + WIDTH}" y2="{y:.1f}" stroke="#e4e4e4"/>'
                yield f'<text x="{self.x - 6}" y="{y + 4:.1f}" text-anchor="end">{step / 10:.1f}</text>'
        for distance in self.distances[::2]:
            x, _ = self.at(distance, 0)
            yield f'<text x="{x:.1f}" y="{self.y + HEIGHT + 15}" text-anchor="middle">{bytes_name(distance)}</text>'

    def line(self, rows, colour):
        points = " ".join("{:.1f},{:.1f}".format(*self.at(r["distance_bytes"], r["fraction"])) for r in rows)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>'

    def level(self, fraction):
        _, y = self.at(self.distances[0], fraction)
        yield (f'<line x1="{self.x}" y1="{y:.1f}" x2="{self.x + WIDTH}" y2="{y:.1f}" stroke="#000" '
               'stroke-dasharray="2 3"/>')

    def mark(self, row):
        x, y = self.at(min(max(row["distance_bytes"], self.distances[0]), self.distances[-1]), row["fraction"])
        yield (f'<path d="M{x - 6:.1f},{y:.1f} l6,-6 l6,6 l-6,6 z" fill="#d00000" stroke="#fff">'
               f'<title>law: {row["distance_bytes"]} bytes, {row["streams"]} streams</title></path>')


def legend(streams):
    x = LEFT
    for count, colour in zip(streams, COLOURS):
        yield f'<line x1="{x}" y1="38" x2="{x + 22}" y2="38" stroke="{colour}" stroke-width="1.8"/>'
        yield f'<text x="{x + 27}" y="42">{count} stream{"" if count == 1 else "s"}</text>'
        x += 100
    yield f'<line x1="{x}" y1="38" x2="{x + 22}" y2="38" stroke="#000" stroke-dasharray="2 3"/>'
    yield f'<text x="{x + 27}" y="42">off</text>'
    yield f'<path d="M{x + 62},38 l6,-6 l6,6 l-6,6 z" fill="#d00000"/><text x="{x + 79}" y="42">the law</text>'


def svg(rows):
    rows = [row for row in rows if row.get("bench") == "distance"]
    swept = [row for row in rows if row["prefetch"] not in ("law", "off")]
    if not swept:
        raise PlotError("there are no rows of bench distance in it")
    places = list(dict.fromkeys(tuple(row[key] for key in PLACE) for row in rows))
    streams = sorted({row["streams"] for row in swept})
    if len(streams) > len(COLOURS):
        raise PlotError(f"{len(streams)} breadths are more than there are colours")
    distances = sorted({row["distance_bytes"] for row in swept})
    top = max(1.0, math.ceil(10 * max(row["fraction"] for row in rows)) / 10)
    parts = [f'<text x="{LEFT}" y="20" font-size="14">Decode attention, as a part of the streaming read, by how far '
             'ahead it prefetches</text>', *legend(streams)]
    for number, place in enumerate(places):
        here = [row for row in rows if tuple(row[key] for key in PLACE) == place]
        for column, hint in enumerate(("l1", "l2")):
            panel = Panel(LEFT + column * (WIDTH + GAP), TOP + number * (HEIGHT + 60), distances, top)
            parts += panel.axes(f"into {hint.upper()}: {place_name(place)}")
            parts += panel.level(next(row["fraction"] for row in here if row["prefetch"] == "off"))
            for count, colour in zip(streams, COLOURS):
                line = [row for row in here if row in swept and row["hint"] == hint and row["streams"] == count]
                parts += panel.line(sorted(line, key=lambda row: row["distance_bytes"]), colour)
            for row in here:
                if row["prefetch"] == "law" and row["hint"] == hint:
                    parts += panel.mark(row)
    width, height = LEFT + 2 * WIDTH + GAP + 30, TOP + len(places) * (HEIGHT + 60)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">\n'
            f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", help="what `bitfetch bench distance --json` wrote")
    parser.add_argument("svg", help="the drawing")
    arguments = parser.parse_args()
    try:
        with open(arguments.json, encoding="utf-8") as file:
            drawing = svg(json.load(file))
        with open(arguments.svg, "w", encoding="utf-8") as file:
            file.write(drawing)
    except (OSError, ValueError, KeyError, PlotError) as error:
        sys.exit(f"error: {arguments.json}: {error}")


if __name__ == "__main__":
    main()
