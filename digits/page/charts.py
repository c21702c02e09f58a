"""What the page draws from arrays alone: bars, curves, a confusion matrix, small pictures.

Altair and pandas are imported by the functions that need them: the page stands half a second
earlier without.
"""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from digits.versions import Record, Report

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    from pandas.io.formats.style import Styler

Runs = list[tuple[Record, Report]]

BAR = 28  # px, the width of a run's bar
HEIGHT = 240  # px of a chart over all runs
RIM = 0.02  # share of a picture's side whose median colour is taken for its paper's
QUALITY = 90  # of JPEG, 1 to 95: no difference to be seen, a third of PNG's bytes on real pictures
ERROR = "background-color: rgba(234, 88, 12, 0.35); font-weight: bold"  # on light and dark alike


def bars(probabilities: np.ndarray) -> alt.Chart:
    """Return ten horizontal bars, named by digit and percentage, of float (10,) in 0 to 1."""
    import altair as alt
    import pandas as pd

    percent = 100 * probabilities
    table = pd.DataFrame({"digit": range(10), "percent": percent})
    # The numbers stand in the axis: its colour follows the page's theme, light or dark.
    table["name"] = [f"{digit}:  {value:.0f} %" for digit, value in enumerate(percent)]
    table["likeliest"] = percent == percent.max()
    return (
        alt.Chart(table)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False)),
            x=alt.X("percent:Q", scale=alt.Scale(domain=[0, 100]), axis=None),
            opacity=alt.condition("datum.likeliest", alt.value(1), alt.value(0.45)),
            tooltip=["digit", alt.Tooltip("percent", format=".2f")],
        )
    )


def squared(picture: Image.Image, side: int) -> bytes:
    """Return the picture fitted into a square of `side` px on paper of its own colour, as JPEG."""
    pixels = np.asarray(picture.convert("RGB"))
    rim = max(1, round(RIM * max(pixels.shape)))
    edges = pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:]
    paper = np.median(np.concatenate([edge.reshape(-1, 3) for edge in edges]), axis=0)
    square = Image.new("RGB", (side, side), tuple(int(level) for level in paper))
    scale = side / max(picture.size)
    size = [max(1, round(edge * scale)) for edge in picture.size]
    fitted = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    square.paste(fitted, ((side - size[0]) // 2, (side - size[1]) // 2))
    return _file(square, "JPEG", quality=QUALITY)


def enlarged(digit: np.ndarray, side: int) -> bytes:
    """Return the digit, uint8 (28, 28), with `side` px, its pixels kept as squares, as PNG."""
    squares = cv2.resize(digit, (side, side), interpolation=cv2.INTER_NEAREST)
    # With a palette: Streamlit takes every other PNG for a photo, and makes a JPEG of it.
    return _file(Image.fromarray(squares).convert("P"), "PNG")


def shrunk(picture: Image.Image, width: int) -> bytes:
    """Return the picture, at most `width` px wide, as PNG."""
    picture = picture.copy()
    picture.thumbnail((width, picture.height))
    return _file(picture, "PNG")


def _file(picture: Image.Image, kind: str, **how: Any) -> bytes:
    """Return the picture as the bytes of a file of that kind."""
    stream = io.BytesIO()
    picture.save(stream, kind, **how)
    return stream.getvalue()


def accuracy(runs: Runs) -> alt.LayerChart:
    """Return held-out accuracy with its 95 % interval, run by run; a cross was refused.

    runs: as `versions.runs` gives them.
    """
    import altair as alt

    tooltip = ["version", "decision", "accuracy", "held_out_rows", "fixed", "broken"]
    base = alt.Chart(_runs(runs), height=HEIGHT).encode(x=_run_axis(), tooltip=tooltip)
    scale = alt.Scale(zero=False, nice=True)
    intervals = base.mark_bar(opacity=0.4, size=4).encode(
        y=alt.Y("low:Q", scale=scale, title="percent right"), y2="high:Q"
    )
    signs = alt.Scale(domain=["published", "refused"], range=["circle", "cross"])
    points = base.mark_point(size=110, filled=True, opacity=1).encode(
        y=alt.Y("accuracy:Q", scale=scale), shape=alt.Shape("decision:N", scale=signs, legend=None)
    )
    return intervals + points


def learned(runs: Runs) -> alt.LayerChart:
    """Return how many corrections each run trained on, pale, and how many of them it learned."""
    import altair as alt

    tooltip = ["version", "decision", "learned", "corrections"]
    base = alt.Chart(_runs(runs), height=HEIGHT).encode(x=_run_axis(), tooltip=tooltip)
    count = alt.Y("corrections:Q", title="corrections", axis=alt.Axis(tickMinStep=1))
    pale, full = base.mark_bar(opacity=0.3, size=BAR), base.mark_bar(size=BAR)
    return pale.encode(y=count) + full.encode(y="learned:Q")


def _run_axis() -> alt.X:
    """Return the axis along which the runs stand."""
    import altair as alt

    return alt.X("run:O", title="run", sort=None, axis=alt.Axis(labelAngle=0))


def _runs(runs: Runs) -> pd.DataFrame:
    """Return the records as a table, shares as percentages."""
    import pandas as pd

    told = [{"version": one.version, "decision": one.decision} | asdict(run) for one, run in runs]
    table = pd.DataFrame(told)
    table["run"] = [f"{i}: {one.short}" for i, (one, _) in enumerate(runs, 1)]
    table["accuracy"] = 100 * table["accuracy_after"]
    table["low"], table["high"] = (100 * table["interval_after"].str[end] for end in (0, 1))
    wanted = ["decision", "learned", "corrections", "held_out_rows", "fixed", "broken"]
    return table[["run", "version", "accuracy", "low", "high", *wanted]]


def confusion(matrix: np.ndarray) -> Styler:
    """Return int (10, 10), true digits by guesses, as a table whose errors are shaded and bold."""
    import pandas as pd

    names = [str(digit) for digit in range(len(matrix))]
    table = pd.DataFrame(matrix, names, names)
    wrong = ~np.eye(len(matrix), dtype=bool) & (matrix > 0)
    styles = pd.DataFrame(np.where(wrong, ERROR, ""), names, names)
    return table.style.apply(lambda _: styles, axis=None).format(lambda n: str(n) if n else "")
