"""What the page draws from arrays alone: bars, curves, a confusion matrix, small pictures.

Altair and pandas are imported by the functions that need them: the page stands half a second
earlier without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import altair as alt

RIM = 0.02  # share of a picture's side whose median colour is taken for its paper's


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


def squared(picture: Image.Image, side: int) -> Image.Image:
    """Return the picture fitted into a square of `side` px on paper of its own colour, RGB."""
    pixels = np.asarray(picture.convert("RGB"))
    rim = max(1, round(RIM * max(pixels.shape)))
    edges = pixels[:rim], pixels[-rim:], pixels[:, :rim], pixels[:, -rim:]
    paper = np.median(np.concatenate([edge.reshape(-1, 3) for edge in edges]), axis=0)
    square = Image.new("RGB", (side, side), tuple(int(level) for level in paper))
    scale = side / max(picture.size)
    size = [max(1, round(edge * scale)) for edge in picture.size]
    fitted = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    square.paste(fitted, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def enlarged(digit: np.ndarray, side: int) -> np.ndarray:
    """Return the digit, uint8 (28, 28), with `side` px, its pixels kept as squares."""
    return cv2.resize(digit, (side, side), interpolation=cv2.INTER_NEAREST)


def over_versions(history: list[dict]) -> alt.VConcatChart:
    """Return held-out accuracy with its interval, and below it the corrections learned, run by run.

    history: records of runs, oldest first, as `versions.history` gives them.
    """
    import altair as alt
    import pandas as pd

    table = pd.DataFrame(
        {
            "run": i + 1,
            "version": one["version"].partition("-")[0],
            "decision": one["decision"],
            "accuracy": 100 * one["accuracy_after"],
            "low": 100 * one["interval_after"][0],
            "high": 100 * one["interval_after"][1],
            "learned": one["learned"],
            "corrections": one["corrections"],
        }
        for i, one in enumerate(history)
    )
    tooltip = ["version", "decision", "accuracy", "learned", "corrections"]
    x = alt.X("run:O", title=None, axis=alt.Axis(labelAngle=0))
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart(table, height=180, width="container").encode(x=x, tooltip=tooltip)
    intervals = base.mark_rule(opacity=0.5).encode(
        y=alt.Y("low:Q", scale=scale, title="held-out digits right, %"), y2="high:Q"
    )
    shapes = alt.Scale(domain=["published", "refused"], range=["circle", "cross"])
    points = base.mark_point(size=90, filled=True, opacity=1).encode(
        y=alt.Y("accuracy:Q", scale=scale), shape=alt.Shape("decision", scale=shapes, legend=None)
    )
    stored = base.mark_bar(opacity=0.25).encode(y=alt.Y("corrections:Q", title="learned"))
    learned = base.mark_bar().encode(y=alt.Y("learned:Q"), x=alt.X("run:O", title="run"))
    return (intervals + points) & (stored + learned).properties(height=90)


def confusion(matrix: np.ndarray) -> alt.LayerChart:
    """Return a table of int (10, 10), true digits by guesses, errors shaded by their number."""
    import altair as alt
    import pandas as pd

    rows, columns = np.indices(matrix.shape)
    table = pd.DataFrame({"true": rows.ravel(), "guess": columns.ravel(), "digits": matrix.ravel()})
    table["errors"] = np.where(table["true"] == table["guess"], 0, table["digits"])
    table["text"] = table["digits"].map(lambda n: str(n) if n else "")
    base = alt.Chart(table, height=340).encode(
        x=alt.X("guess:O", axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("true:O"),
        tooltip=["true", "guess", "digits"],
    )
    shade = alt.Color("errors:Q", scale=alt.Scale(scheme="oranges"), legend=None)
    return base.mark_rect().encode(color=shade) + base.mark_text(color="#1f2430").encode(
        text="text"
    )
