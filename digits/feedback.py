"""The store of corrections: `incorrect_images/` and `incorrect_predictions.csv`.

The only module that knows how corrections are kept. A picture is written and synced before the
row that names it, under a lock, so no row ever names a missing image and no answer is lost. The
CSV may have only the three columns of the original project; further columns are kept as they are.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image

from digits import files

TABLE = "incorrect_predictions.csv"
FOLDER = "incorrect_images"
COLUMNS = [
    "Predicted_Label",
    "Actual_Label",
    "Image_Path",
    "Confidence",  # the guess' probability, 0 to 1
    "Model_Version",
    "Added",  # ISO 8601, UTC
    "Answers",  # how often people gave this same answer
]
REQUIRED = COLUMNS[:3]
LOCK_WAIT = 30  # s; an append takes milliseconds, so whoever waits longer meets a hung disk
SAME_ANSWER = 60  # s within which the same answer again is a double click, not a second opinion


class StoreError(RuntimeError):
    """The store cannot be read or written; the message is fit for the page."""


@dataclass(frozen=True)
class Correction:
    """A picture whose guess was wrong, with the guess and the actual label.

    image: the PNG's path, relative to the root. predicted, actual: 0 to 9.
    confidence: the guess' probability or None. version: of the network that guessed, or "".
    added: ISO 8601, or "". answers: how often this same answer was given.
    """

    predicted: int
    actual: int
    image: str
    confidence: float | None = None
    version: str = ""
    added: str = ""
    answers: int = 1

    @property
    def key(self) -> tuple[str, int]:
        """What makes it another correction: the picture and its label."""
        return self.image, self.actual


def add(
    root: str | Path,
    picture: Image.Image,
    predicted: int,
    actual: int,
    *,
    confidence: float | None = None,
    version: str = "",
) -> Correction:
    """Store the picture with its guess and its actual label; return the correction kept.

    The same answer again is stored once (and counted, if it is no double click); another answer
    for the same picture replaces the earlier one.

    picture: as the person saw it. predicted, actual: 0 to 9; confidence: 0 to 1.
    Raises ValueError for a label out of range, StoreError when the disk refuses.
    """
    for name, label in (("predicted", predicted), ("actual", actual)):
        if label not in range(10):
            raise ValueError(f"The {name} label is {label!r}; a digit from 0 to 9 is expected.")
    root = Path(root)
    new = Correction(
        int(predicted),
        int(actual),
        f"{FOLDER}/incorrect_image_{_content_hash(picture)}.png",
        None if confidence is None else float(confidence),
        version,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with _locked(root):
        if (root / new.image).exists():
            return _revise(root, new)
        (root / FOLDER).mkdir(exist_ok=True)
        files.write(root / new.image, _png(picture))
        _append(root, new)
    return new


def load(root: str | Path) -> tuple[list[Correction], list[str]]:
    """Return the corrections, oldest first, and a warning for each row that was skipped.

    A row is skipped when its labels are no digits or its image is missing: the warning names it.
    Raises StoreError when the table is there but is no such table.
    """
    root = Path(root)
    corrections, warnings = {}, []
    for number, row in enumerate(_read_rows(root / TABLE), start=2):
        try:
            correction = _parse(root, row)
        except ValueError as error:
            warnings.append(f"{TABLE} line {number} skipped: {error}.")
        else:
            # The last answer for a picture wins, should the table hold several.
            corrections.pop(correction.image, None)
            corrections[correction.image] = correction
    return list(corrections.values()), warnings


def sweep(root: str | Path) -> None:
    """Remove half-written files that a killed process left in the store."""
    root = Path(root)
    if (root / FOLDER).is_dir():
        with _locked(root):
            files.sweep(root / FOLDER)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the store's lock; turn what the disk refuses into StoreError."""
    try:
        with FileLock(root / f"{TABLE}.lock", timeout=LOCK_WAIT):
            yield
    except Timeout as error:
        raise StoreError(
            f"The store is busy for over {LOCK_WAIT} s: your answer was not kept, try again."
        ) from error
    except OSError as error:
        raise StoreError(
            f"The store cannot be written ({error.strerror}: {error.filename or root}): "
            "your answer was not kept; free space or mend its permissions, then try again."
        ) from error


def _revise(root: Path, new: Correction) -> Correction:
    """Keep a further answer for a picture that is stored already; return what is kept."""
    rows = _read_rows(root / TABLE)
    places = [i for i, row in enumerate(rows) if row["Image_Path"] == new.image]
    if not places:  # the image was written, but its writer was killed before the row
        _append(root, new)
        return new
    try:
        old = _parse(root, rows[places[-1]])
    except ValueError:  # a row spoilt by hand: the new answer mends it
        old = None
    if old and old.actual == new.actual:
        if not old.added or _seconds_between(old.added, new.added) < SAME_ANSWER:
            return old
        new = replace(old, added=new.added, answers=old.answers + 1)
    kept = [row for i, row in enumerate(rows) if i not in places[:-1]]
    kept[kept.index(rows[places[-1]])] = rows[places[-1]] | _cells(new)
    _rewrite(root, kept)
    return new


def _append(root: Path, correction: Correction) -> None:
    """Add the correction's row; a table without our further columns gets them first."""
    header = _header(root / TABLE)
    if any(name not in header for name in COLUMNS):
        _rewrite(root, _read_rows(root / TABLE))
        header = _header(root / TABLE)
    cells = _cells(correction)
    files.append_line(root / TABLE, _line([cells.get(name, "") for name in header]))


def _rewrite(root: Path, rows: list[dict[str, str]]) -> None:
    """Replace the table in one step: our columns first, columns of others after them."""
    others = [name for name in _header(root / TABLE) if name not in COLUMNS]
    header = COLUMNS + others
    lines = [_line(header), *(_line([row.get(name) or "" for name in header]) for row in rows)]
    files.write(root / TABLE, "".join(line + "\n" for line in lines).encode())


def _header(path: Path) -> list[str]:
    """Return the table's column names, none when it does not exist or is empty."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8-sig", newline="") as stream:
        return next(csv.reader(stream), [])


def _read_rows(path: Path) -> list[dict[str, str]]:
    """Return the table's rows as they stand; BOM, CRLF and further columns are no obstacle."""
    if not path.exists() or path.stat().st_size == 0:
        return []
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            rows = [{k: v for k, v in row.items() if k is not None} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"{path} cannot be read ({error}): mend or move it.") from error
    missing = [name for name in REQUIRED if name not in (reader.fieldnames or [])]
    if missing:
        raise StoreError(
            f"{path} lacks the column {missing[0]}: its first line must begin with "
            f"{','.join(REQUIRED)}."
        )
    return rows


def _parse(root: Path, row: dict[str, str]) -> Correction:
    """Return the correction that a row holds; raise ValueError with what is wrong with it."""
    labels = [row["Predicted_Label"].strip(), row["Actual_Label"].strip()]
    for name, text in zip(REQUIRED, labels, strict=False):
        if text not in set("0123456789"):
            raise ValueError(f"{name} is {text!r}, not a digit from 0 to 9")
    image = row["Image_Path"].strip()
    if not image or not _is_file(root / image):
        # Tables made elsewhere may hold that machine's paths; the file's name is what counts.
        beside = f"{FOLDER}/{Path(image.replace(chr(92), '/')).name}"
        if not image or not _is_file(root / beside):
            raise ValueError(f"its image {image or '(none)'} is missing")
        image = beside
    return Correction(
        int(labels[0]),
        int(labels[1]),
        image,
        _number(row.get("Confidence")),
        row.get("Model_Version") or "",
        row.get("Added") or "",
        int(_number(row.get("Answers")) or 1),
    )


def _is_file(path: Path) -> bool:
    """Return whether path is a file; a name that no disk can hold is none."""
    try:
        return path.is_file()
    except OSError:  # longer than names may be: cells run together by a stray quotation mark
        return False


def _number(text: str | None) -> float | None:
    """Return the finite number a cell holds, or None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _cells(correction: Correction) -> dict[str, str]:
    """Return the correction as the cells of its row."""
    confidence = "" if correction.confidence is None else f"{correction.confidence:.4f}"
    values = [correction.predicted, correction.actual, correction.image, confidence]
    values += [correction.version, correction.added, correction.answers]
    return dict(zip(COLUMNS, map(str, values), strict=True))


def _line(cells: list[str]) -> str:
    """Return cells as one line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two ISO times; no end of them when one is no time."""
    try:
        gap = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    except (ValueError, TypeError):
        return float("inf")
    return gap.total_seconds()


def _content_hash(picture: Image.Image) -> str:
    """Return 16 hex digits that name the picture by what it shows."""
    shape = f"{picture.mode} {picture.size}".encode()
    return hashlib.sha256(shape + picture.tobytes()).hexdigest()[:16]


def _png(picture: Image.Image) -> bytes:
    """Return the picture as the bytes of a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
