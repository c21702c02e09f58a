"""What the page draws without a chart library: bars, tables and small pictures, light to send.

The HTML is styled by page.css; colours follow Streamlit's theme, light or dark.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from digits.images import Box
from digits.versions import PUBLISHED, Record, Report, short_name

RIM = 0.02  # share of a picture's side whose median colour is taken for its paper's
QUALITY = 90  # of JPEG, 1 to 95: no difference to be seen, a third of PNG's bytes on real pictures
Runs = list[tuple[Record, Report]]


def image(content: bytes, alt: str) -> str:
    """Return an HTML image of a PNG or JPEG file's content."""
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f'<img alt="{alt}" src="data:image/{kind};base64,{base64.b64encode(content).decode()}">'


def bars(probabilities: np.ndarray, alt: str) -> str:
    """Return ten upright bars, each over its digit, as HTML, of float (10,) in 0 to 1."""
    best = int(probabilities.argmax())
    columns = "".join(
        f'<span class="{"best" if digit == best else ""}"><i style="height:{p:.1%}"></i>'
        f"{digit}</span>"
        for digit, p in enumerate(probabilities.tolist())
    )
    return f'<div class="bars" role="img" aria-label="{alt}">{columns}</div>'


def history(runs: Runs) -> str:
    """Return every run as a row of an HTML table, under the accuracy before the first.

    runs: oldest first, at least one.
    """
    record, run = runs[0]
    first = short_name(record.parent or record.version)
    start = f"<td>first network</td><td>{run.accuracy_before:.2%}</td><td></td>"
    rows = [f"<tr><th scope=row>{first}</th>{start}</tr>"]
    for i, (record, run) in enumerate(runs, 1):
        low, high = run.interval_after
        rows.append(
            f"<tr><th scope=row>{record.short if record.decision == PUBLISHED else '✗'}</th>"
            f"<td>run {i}, {record.decision}</td>"
            f"<td>{run.accuracy_after:.2%} <small>[{low:.2%}, {high:.2%}]</small></td>"
            f"<td>{_meter(run.learned, run.corrections)} {run.learned} of {run.corrections}"
            "</td></tr>"
        )
    head = "".join(
        f"<th scope=col>{name}</th>" for name in ("Version", "", "Old digits", "Learned")
    )
    return f'<table class="grid history"><tr>{head}</tr>{"".join(rows)}</table>'


def confusion(matrix: np.ndarray) -> str:
    """Return int (10, 10), true digits by guesses, as an HTML table whose errors are buttons."""
    head = "".join(f"<th scope=col>{digit}</th>" for digit in range(len(matrix)))
    rows = [
        f"<tr><th scope=row>{actual}</th>"
        + "".join(
            f'<td class=error><button data-pick="{actual} → {guess}" aria-label='
            f'"{n} times a {actual} read as {guess}">{n}</button></td>'
            if n and guess != actual
            else f"<td>{n or ''}</td>"
            for guess, n in enumerate(row)
        )
        for actual, row in enumerate(matrix.tolist())
    ]
    return (
        f'<table class="grid"><caption>True digit by guess</caption><tr><td></td>{head}</tr>'
        + "".join(f"{row}</tr>" for row in rows)
        + "</table>"
    )


def curve(points: Sequence[Sequence[float]]) -> str:
    """Return a learning curve as HTML: an area for the corrections, a line for old digits.

    points: accuracy on both, 0 to 1, before the first epoch and after each, at least one.
    """
    names = "corrections learned", "a sample of old digits"
    pairs = zip(names, points[-1], strict=True)
    last = " · ".join(f"{name} {100 * part:.1f} %" for name, part in pairs)
    across = 100 / max(1, len(points) - 1)
    area, line = (
        [f"{i * across:.1f}% {100 - 100 * y:.1f}%" for i, y in enumerate(part)]
        for part in zip(*points, strict=True)
    )
    under = [f"{x} calc({y} + 3px)" for x, y in map(str.split, line[::-1])]
    shapes = [*area, "100% 100%", "0% 100%"], [*line, *under]  # an SVG would not get through
    drawn = "".join(f'<i style="clip-path:polygon({",".join(shape)})"></i>' for shape in shapes)
    return (
        f'<figure class="curve"><div>{drawn}</div>'
        f"<figcaption>Epoch {len(points) - 1}: {last}</figcaption></figure>"
    )


def _meter(part: int, whole: int) -> str:
    """Return a small bar, filled by the part of the whole."""
    return f'<i class="meter"><i style="width:{part / max(whole, 1):.0%}"></i></i>'


def squared(picture: Image.Image, side: int, across: int = 1) -> bytes:
    """Return the picture fitted into a square of `side` px on paper of its own colour, as JPEG.

    across: how many times as wide as high the square becomes.
    """
    picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    rim = max(1, round(RIM * max(picture.size)))
    edges = pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:]
    paper = np.median(np.concatenate([edge.reshape(-1, 3) for edge in edges]), axis=0)
    red, green, blue = (int(level) for level in paper)
    size, lanczos = (across * side, side), Image.Resampling.LANCZOS
    padded = ImageOps.pad(picture, size, lanczos, color=(red, green, blue))
    return _file(padded, "JPEG", quality=QUALITY)


def enlarged(digit: np.ndarray, side: int) -> bytes:
    """Return the digit, uint8 (28, 28), with `side` px, its pixels kept as squares, as PNG."""
    squares = cv2.resize(digit, (side, side), interpolation=cv2.INTER_NEAREST)
    # With a palette: Streamlit takes every other PNG for a photo, and makes a JPEG of it.
    return _file(Image.fromarray(squares).convert("P"), "PNG")


def boxed(
    picture: Image.Image,
    boxes: Sequence[tuple[Box, str, str]],
    others: Sequence[tuple[Box, str]],
    side: int,
    alt: str,
) -> str:
    """Return the picture with a numbered box around each digit, as HTML.

    boxes: of each digit its box in px of the picture; what stands behind its number, with which the
    box is dashed; the key of its guess, whose card opens at a tap (page.js). others: of what is no
    digit its box, and the key of its card, if it has one. side: px of the longer side of the
    picture as it is sent.
    """
    shown = ImageOps.contain(picture.convert("RGB"), (side, side))
    numbered = [
        (box, "unsure" if mark else "", key, f"<b>{i}{mark}</b>")
        for i, (box, mark, key) in enumerate(boxes, 1)
    ]
    frames = "".join(
        f'<i class="{kind}" data-judge="{escape(key)}" style="{_place(box, picture)}">{label}</i>'
        for box, kind, key, label in [*((box, "other", key, "") for box, key in others), *numbered]
    )
    return f'<div class="boxed">{image(_file(shown, "JPEG", quality=QUALITY), alt)}{frames}</div>'


def _place(box: Box, picture: Image.Image) -> str:
    """Return as CSS where a box of the picture lies: shares of its sides."""
    left, top, width, height = box
    across, down = 100 / picture.width, 100 / picture.height  # % of the picture for each px
    return (
        f"left:{left * across:.2f}%;top:{top * down:.2f}%;"
        f"width:{width * across:.2f}%;height:{height * down:.2f}%"
    )


def shrunk(picture: Image.Image, width: int) -> bytes:
    """Return the picture, at most `width` px wide, as PNG of few colours."""
    picture = picture.convert("RGB")
    picture.thumbnail((width, picture.height))
    return _file(picture.quantize(32), "PNG")


def _file(picture: Image.Image, kind: str, **how: Any) -> bytes:
    """Return the picture as the bytes of a file of that kind."""
    stream = io.BytesIO()
    picture.save(stream, kind, **how)
    return stream.getvalue()
