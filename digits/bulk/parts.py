"""A part of a job: some hundred pictures -> one Parquet file of answers, a row a digit."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from digits import images, model
from digits.bulk.places import Place
from digits.mnist import CLASSES

SIZE = 200  # pictures: some seconds of work, which is what a kill may cost
ENDING = ".parquet"
MISSING = "The file does not exist; it was listed, or it stood there when the job began."
DONE = b"summary"  # the key of a part's summary in the file's own metadata
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("line", pa.int16()),  # of the number, from 0, top to bottom
        ("place", pa.int16()),  # of the digit in the number, from 0
        *((side, pa.int32()) for side in ("left", "top", "width", "height")),
        ("digit", pa.int8()),
        *((f"p{digit}", pa.float32()) for digit in range(CLASSES)),
        ("sure", pa.bool_()),
        ("text", pa.string()),  # the whole number
        ("error", pa.string()),  # why nothing was read; all but the path is null then
    ]
)

_networks: dict[str, Any] = {}  # by name, which tells the content


@dataclass
class Summary:
    """What became of pictures: how many, their digits, how many unsure, refused by reason."""

    pictures: int = 0
    digits: int = 0
    unsure: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, other: Summary) -> None:
        """Count another one's pictures too."""
        self.pictures += other.pictures
        self.digits += other.digits
        self.unsure += other.unsure
        self.refused.update(other.refused)


@dataclass(frozen=True)
class Job:
    """What a worker must know: where pictures are, where answers go, and with which network."""

    system: fs.FileSystem
    out: Place
    network: str  # the name of its copy in `out`: workers of other machines have none

    def name(self, paths: Sequence[str]) -> str:
        """Return the file name of the part with these pictures, read by this network."""
        pictures = hashlib.sha256("\0".join([self.network, *paths]).encode()).hexdigest()
        return f"part-{pictures[:20]}{ENDING}"


def read_part(job: Job, paths: Sequence[str]) -> Summary:
    """Read the pictures and write their part; return its summary.

    Raises OSError when a store cannot be reached or the disk is full; nothing is written then.
    """
    net, summary = _network(job.out, job.network), Summary()
    rows = [row for path in paths for row in _rows(job.system, path, net, summary)]
    table = pa.Table.from_pylist(rows, SCHEMA)
    table = table.replace_schema_metadata({DONE: json.dumps(vars(summary))})
    file = io.BytesIO()
    pq.write_table(table, file)
    job.out.write(job.name(paths), file.getvalue())
    return summary


def summary_of(out: Place, name: str) -> Summary:
    """Return the summary of a part that was written before."""
    with out.system.open_input_file(f"{out.path}/{name}") as file:
        found = json.loads(pq.read_metadata(file).metadata[DONE])
    return Summary(**found | {"refused": Counter(found["refused"])})


def _rows(
    system: fs.FileSystem, path: str, net: Any, summary: Summary
) -> Iterator[dict[str, object]]:
    """Yield a row for each digit of a picture, or one with its error; count them in summary."""
    summary.pictures += 1
    try:
        with system.open_input_stream(path) as stream:
            data = stream.read(images.MAX_BYTES + 1)
        number = images.read_digits(images.open_picture(io.BytesIO(data)), net)
    except (images.ImageError, FileNotFoundError) as error:
        why = str(error) if isinstance(error, images.ImageError) else MISSING
        summary.refused[why] += 1
        yield {"path": path, "error": why}
        return
    text = number.text()
    for place, one in enumerate(number):
        sure = bool(one.probabilities.max() >= model.SURE)
        summary.digits, summary.unsure = summary.digits + 1, summary.unsure + (not sure)
        yield {
            **{"path": path, "line": one.line, "place": place, "text": text, "sure": sure},
            **dict(zip(("left", "top", "width", "height"), one.box, strict=True)),
            "digit": int(one.probabilities.argmax()),
            **{f"p{digit}": float(p) for digit, p in enumerate(one.probabilities)},
        }


def _network(out: Place, name: str) -> Any:
    """Return the network, loaded once a process."""
    if name not in _networks:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, name)
            copy.write_bytes(out.read(name))
            _networks[name] = model.load_light(copy)
    return _networks[name]
