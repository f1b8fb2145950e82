#!/usr/bin/env python3
"""Draws a running book: plays a recording into an exchange of its own, reads `GET /orderbook` and
`GET /trades`, and writes them as a picture. The recording that comes with the repository is made up; the
same recording gives the same picture, to the byte.

    docs/book_picture.py PROGRAM              writes docs/book.svg
    docs/book_picture.py PROGRAM --check      compares with what stands there
    docs/book_picture.py PROGRAM --recording FILE --out FILE

PROGRAM is the built `shardbook`. Standard library only."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVELS = 12
TRADES = 60
TAPE = 2 * LEVELS + 1
PATIENCE_SECONDS = 300

BID, ASK, INK, GREY, LINE, PAPER = "#1a7f4b", "#c0392b", "#1f2933", "#6b7785", "#dde2e7", "#ffffff"
WIDTH, ROW, TOP, LEFT = 960, 20, 74, 24
LADDER, CHART, TAPE_AT = 420, 476, 724


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program", type=Path)
    arguments.add_argument("--recording", type=Path, default=ROOT / "fixtures/binance_samples.lines")
    arguments.add_argument("--out", type=Path, default=ROOT / "docs/book.svg")
    arguments.add_argument("--check", action="store_true")
    arguments = arguments.parse_args()
    picture = draw(*play(arguments.program.resolve(), arguments.recording.resolve()))
    if not arguments.check:
        arguments.out.write_text(picture, encoding="utf-8")
    elif picture != arguments.out.read_text(encoding="utf-8"):
        sys.exit(f"{arguments.out} is not what the recording gives; docs/book_picture.py draws it anew")


def play(program, recording):
    """The book and its newest trades, oldest first, once the recording has been played."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder]
        command += ["--feed", f"file:{recording}", "--feed-speed", "max"]
        environment = os.environ | {"RUST_LOG": "error"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as exchange:
            try:
                address = exchange.stdout.readline().removeprefix("listening on ").strip()
                until = time.monotonic() + PATIENCE_SECONDS
                while get(f"{address}/healthz")["feed"]["status"] != "finished":
                    assert time.monotonic() < until, "the recording does not end"
                    time.sleep(0.1)
                trades = get(f"{address}/trades?limit={TRADES}")
                return get(f"{address}/orderbook?levels={LEVELS}"), trades[::-1]
            finally:
                exchange.terminate()


def get(address):
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def draw(book, trades):
    height = TOP + ROW * TAPE + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="12" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{PAPER}" stroke="{LINE}"/>',
        text(LEFT, 34, book["instrument"], INK, size=18, weight="bold"),
        text(LEFT + 110, 34, f'sequence {book["sequence"]}', GREY),
        *ladder(book),
        *chart(trades),
        *tape(trades),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def ladder(book):
    """Asks above the spread, bids below, the best next to it; bars show how much rests up to each level."""
    yield from headings([(LEFT + 90, "price"), (LEFT + 190, "quantity"), (LEFT + 250, "orders"), (LADDER, "in sum")])
    deepest = max(Decimal(level["cumulative_quantity"]) for side in ("asks", "bids") for level in book[side])
    rows = [(level, ASK) for level in reversed(book["asks"])] + [None] + [(level, BID) for level in book["bids"]]
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        if row is None:
            yield text(LEFT + 90, y + 14, f'spread {book["spread"]}', GREY, anchor="end")
            yield text(LADDER, y + 14, f'middle {book["mid_price"]}', GREY, anchor="end")
            continue
        level, colour = row
        share = Decimal(level["cumulative_quantity"]) / deepest * (LADDER - LEFT)
        yield f'<rect x="{LADDER - share:.1f}" y="{y}" width="{share:.1f}" height="{ROW - 2}" fill="{colour}" opacity="0.16"/>'
        yield text(LEFT + 90, y + 14, level["price"], colour, anchor="end", weight="bold")
        yield text(LEFT + 190, y + 14, level["quantity"], INK, anchor="end")
        yield text(LEFT + 250, y + 14, level["orders"], GREY, anchor="end")
        yield text(LADDER, y + 14, level["cumulative_quantity"], GREY, anchor="end")


def chart(trades):
    """The trades' prices, one after the other; a mark is as large as what was traded."""
    prices = [Decimal(trade["price"]) for trade in trades]
    low, high = min(prices), max(prices)
    spread = max(high - low, Decimal("0.01"))
    most = max(Decimal(trade["quantity"]) for trade in trades)
    right, bottom = TAPE_AT - 34, TOP + ROW * TAPE - 8
    place = lambda number, price: (
        CHART + 60 + (right - CHART - 60) * Decimal(number) / max(len(trades) - 1, 1),
        TOP + 8 + (bottom - TOP - 8) * (high - price) / spread,
    )
    yield from headings([(CHART + 46, "price")])
    yield text(right, 58, f"the last {len(trades)} trades", GREY, anchor="end")
    marks = sorted(set(prices))
    if len(marks) > 8:
        marks = [low + spread * step / 4 for step in range(5)]
    for price in marks:
        _, y = place(0, price)
        yield f'<line x1="{CHART + 54}" x2="{right + 6}" y1="{y:.1f}" y2="{y:.1f}" stroke="{LINE}"/>'
        yield text(CHART + 46, y + 4, f"{price:.2f}", GREY, anchor="end", size=11)
    points = [place(number, price) for number, price in enumerate(prices)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{line}" fill="none" stroke="{GREY}" stroke-width="1" opacity="0.6"/>'
    for (x, y), trade in zip(points, trades):
        radius = 2 + 5 * (Decimal(trade["quantity"]) / most).sqrt()
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour_of(trade)}" opacity="0.75"/>'


def tape(trades):
    """The newest trades, the newest first."""
    yield from headings([(TAPE_AT + 30, "taker"), (TAPE_AT + 118, "price"), (WIDTH - LEFT, "quantity")])
    for number, trade in enumerate(trades[: -TAPE - 1 : -1]):
        y = TOP + ROW * number + 14
        yield text(TAPE_AT, y, trade["taker_side"], colour_of(trade))
        yield text(TAPE_AT + 118, y, trade["price"], INK, anchor="end")
        yield text(WIDTH - LEFT, y, trade["quantity"], GREY, anchor="end")


def headings(columns):
    return [text(x, 58, name, GREY, anchor="end", size=11) for x, name in columns]


def colour_of(trade):
    return BID if trade["taker_side"] == "buy" else ASK


def text(x, y, content, colour, anchor="start", size=12, weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{content}</text>'
    )


if __name__ == "__main__":
    main()
