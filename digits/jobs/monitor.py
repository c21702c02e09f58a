"""What a machine asks of this one: can the page serve, and how does the loop fare?

`finetuning.py --health` is for probes of containers and proxies: Streamlit's own health check says
that the server runs, also when no network can serve. `--metrics` is for node_exporter's textfile
collector (https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from digits import feedback, model, versions
from digits.feedback import verdicts
from digits.home import Home
from digits.jobs import progress
from digits.learning import states

Sample = tuple[str, str, str, float]  # name behind `digits_`, what it is, labels or "", value


def health(home: Home) -> str:
    """Return a sentence on what serves. Raises ModelError when no network can."""
    if home.is_empty:  # a new volume: were it ill until a visitor came, none would be let through
        return f"{home} is empty; at the first visit the page copies the network shipped there."
    serving = versions.serving(home, model.load_serving)
    return serving.problem or f"{serving.version.short} serves."


def metrics(home: Home) -> str:
    """Return what is known of the loop, in Prometheus' text format; nothing is changed.

    Raises StoreError when the store cannot be read.
    """
    lines, named = [], ""
    for name, what, labels, value in (*_serving(home), *_people(home), *_run(home)):
        if name != named:
            lines += [f"# HELP digits_{name} {what}", f"# TYPE digits_{name} gauge"]
            named = name
        lines.append(f"digits_{name}{labels} {value:g}")
    return "\n".join(lines)


def _serving(home: Home) -> Iterator[Sample]:
    """Yield whether a network serves; if so which, and what became of each correction with it."""
    try:
        version = versions.serving(home, model.load_serving).version
    except model.ModelError:
        yield "up", "Whether a network can serve.", "", 0
        return
    yield "up", "Whether a network can serve.", "", 1
    number = int(version.short.removeprefix("v"))
    yield "version", "Number of the version that serves.", "", number
    stored = feedback.load(home)[0] + feedback.removed(home)
    found = states.of_each(home, stored, version)
    for state in states.STATES:
        labels = f'{{state="{state}"}}'
        yield (
            "corrections",
            "Stored corrections by what became of them.",
            labels,
            found.count(state),
        )


def _people(home: Home) -> Iterator[Sample]:
    """Yield what people say of the answers."""
    tally = verdicts.live_accuracy(home)
    for verdict, n in (("right", tally.right), ("wrong", tally.wrong), ("none", tally.no_digit)):
        what = "Latest guesses that people judged: right, wrong, or of no digit."
        yield "guesses_judged", what, f'{{verdict="{verdict}"}}', n
    if tally.right + tally.wrong:
        share = tally.right / (tally.right + tally.wrong)
        yield "live_accuracy_ratio", "Share right of the latest judged digits.", "", share


def _run(home: Home) -> Iterator[Sample]:
    """Yield how and when the last run ended."""
    status = progress.read(home)
    yield "run_running", "Whether a fine-tuning runs.", "", home.is_running()
    if status.code is None:
        return
    age = (datetime.now(UTC) - datetime.fromisoformat(status.at)).total_seconds()
    yield "run_age_seconds", "Time since the last run ended.", "", age
    yield "run_code", "Exit code of the last run.", "", status.code
    yield "run_duration_seconds", "How long the last run took.", "", status.seconds or 0
