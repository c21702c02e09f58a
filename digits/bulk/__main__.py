"""Read every picture of a folder, pattern, list or bucket; write a row for each digit.

    python -m digits.bulk SOURCE OUT

Given again after a kill or a crash, the same command goes on where it was. Exit code 0: every
picture was read or has a row that says why not; 1: stopped, and what is done stays; 2: wrong use.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from pathlib import Path

import click
import pyarrow.parquet as pq
from pyarrow import csv, fs

from digits import durable, model
from digits.bulk import engine
from digits.bulk.parts import ENDING, SIZE, Job, Summary, read_part, summary_of
from digits.bulk.places import Place, pictures
from digits.home import Home

NOTE = "_job.json"  # a _ hides it from who opens the folder as one Parquet table
REASONS = 10  # named in the summary, the most frequent first
NO_DASK = "A cluster needs Dask: pip install -r requirements-cluster.txt, here and on its workers."
AGAIN = "What is done stays: give the same command again to go on."


@click.command(help=__doc__.split("\n\n")[0])
@click.argument("source")
@click.argument("out")
@click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler's, such as tcp://host:8786.")
@click.option("--csv", "table", metavar="FILE", help="Write all rows to one CSV file, too.")
@click.option("--model", "network", metavar="FILE", help="The network [default: model.h5 at home].")
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes [default: one a core]."
)
def command(
    source: str,
    out: str,
    cluster: str | None,
    table: str | None,
    network: str | None,
    workers: int | None,
) -> None:
    """Do the job that was asked for."""
    try:
        system, _ = pictures(source)
        total = sum(1 for _ in pictures(source)[1])
        job = begin(system, source, Place.of(out), Path(network or _served()))
        with engine.workers(workers or os.cpu_count() or 1, cluster) as (executor, count):
            names, summary = read_all(job, source, total, executor, count)
        for name in job.out.names() - set(names):
            if name.endswith(ENDING):  # of pictures that were listed otherwise before
                job.out.delete(name)
        if table:
            write_csv(job.out, names, Path(table))
    except ImportError as error:
        raise click.UsageError(NO_DASK) from error
    except BrokenProcessPool as error:
        raise click.ClickException(f"A worker was killed, or had no memory. {AGAIN}") from error
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from error
    except (OSError, ValueError, model.ModelError) as error:
        raise click.ClickException(f"{str(error).rstrip('.')}. {AGAIN}") from error
    click.echo(told(summary))


def _served() -> Path:
    """Return the file of the network in service at home."""
    home = Home.default()
    home.follow()
    return home.model


def begin(system: fs.FileSystem, source: str, out: Place, network: Path) -> Job:
    """Return the job, noted in its folder with a copy of the network.

    Raises click.UsageError when the folder holds the answers of another one.
    """
    model.load_light(network)  # a damaged one is told now, in one sentence
    content = network.read_bytes()
    name = f"_network-{hashlib.sha256(content).hexdigest()[:16]}.h5"
    note = json.dumps({"source": source, "network": name}).encode()
    if NOTE not in out.names():
        out.write(name, content)
        out.write(NOTE, note)
    elif (found := out.read(NOTE)) != note:
        raise click.UsageError(
            f"{out.path} holds the answers of another job ({found.decode()}): give another folder."
        )
    return Job(system, out, name)


def read_all(
    job: Job, source: str, total: int, executor: Executor, count: int
) -> tuple[list[str], Summary]:
    """Read what is not read yet; return the names of all parts, in order, and the summary."""
    done, names = job.out.names(), []
    summary, resumed = Summary(), Summary()
    began = time.monotonic()
    with click.progressbar(length=total, label="Pictures", show_pos=True, file=sys.stderr) as bar:

        def waiting() -> Iterator[list[str]]:
            for paths in _cut(pictures(source)[1]):
                names.append(job.name(paths))
                if names[-1] in done:
                    resumed.add(summary_of(job.out, names[-1]))
                    bar.update(len(paths))
                else:
                    yield paths

        for part in engine.run(executor, count, partial(read_part, job), waiting()):
            summary.add(part)
            bar.label = f"{summary.pictures / (time.monotonic() - began):.0f} pictures/s"
            bar.update(part.pictures)
    summary.add(resumed)
    return names, summary


def _cut(paths: Iterator[str]) -> Iterator[list[str]]:
    """Yield the paths, a part's at a time."""
    while part := list(islice(paths, SIZE)):
        yield part


def write_csv(out: Place, names: list[str], path: Path) -> None:
    """Write the rows of all parts to one CSV file, a part at a time."""
    beside = path.with_name(f".{path.name}{durable.PARTIAL}")
    writer = None
    for name in names:
        with out.system.open_input_file(f"{out.path}/{name}") as file:
            rows = pq.read_table(file).replace_schema_metadata(None)
        writer = writer or csv.CSVWriter(beside, rows.schema)
        writer.write_table(rows)
    if writer:
        writer.close()
        beside.replace(path)


def told(summary: Summary) -> str:
    """Return the summary as text."""
    refused = sum(summary.refused.values())
    lines = [
        f"{summary.pictures:,} pictures: {summary.pictures - refused:,} read, {refused:,} refused. "
        f"{summary.digits:,} digits, {summary.unsure:,} of them not sure."
    ]
    lines += [f"{n:8,}  {reason}" for reason, n in summary.refused.most_common(REASONS)]
    return "\n".join(lines)


if __name__ == "__main__":
    command()
