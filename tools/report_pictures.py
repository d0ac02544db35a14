#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Takes pictures out of a report as SVG files that stand alone, each with its section's legend above it.

    bitfetch bench report --out docs/report
    tools/report_pictures.py docs/report/report.html Attention:1=docs/attention.svg Misses:2=docs/misses.svg

NAME:N=FILE: the N-th picture of the first section whose title begins with NAME.
"""
import re
import sys

LEGEND_HEIGHT = 40


class PictureError(Exception):
    """What is not in the report."""


def picture(page, name, number):
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
    section = next((s for s in re.findall(r"<section>.*?</section>", page, re.DOTALL) if f"<h2>{name}" in s), None)
    if section is None:
        raise PictureError(f"the report has no section {name}")
    figures = re.findall(r'(?:<figcaption>([^<]*)</figcaption>\s*)?<svg viewBox="0 0 (\d+) (\d+)"[^>]*>(.*?)</svg>',
                         section, re.DOTALL)
    if not 1 <= number <= len(figures):
        raise PictureError(f"section {name} has {len(figures)} pictures")
    caption, width, height, body = figures[number - 1]
    head = f'<text x="2" y="13" style="font-weight: 600">{caption}</text>\n'
    x = 2
    for series, text in re.findall(r'<i class="(s\d)"></i>([^<]*)</span>', section):
        head += f'<rect class="{series}" x="{x}" y="21" width="10" height="10"/><text x="{x + 14}" y="30">{text}</text>\n'
        x += 14 + 7 * len(text) + 14
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {int(height) + LEGEND_HEIGHT}" width="640">\n'
            f'<style>{style}</style>\n<rect width="100%" height="100%" style="fill: var(--paper)"/>\n{head}'
            f'<g transform="translate(0 {LEGEND_HEIGHT})">{body}</g></svg>\n')


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            page = file.read()
        for wanted in sys.argv[2:]:
            match = re.fullmatch(r"(.+):(\d+)=(.+)", wanted)
            if match is None:
                raise PictureError(f"{wanted}: wanted NAME:N=FILE")
            svg = picture(page, match[1], int(match[2]))
            with open(match[3], "w", encoding="utf-8") as file:
                file.write(svg)
    except (OSError, PictureError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
