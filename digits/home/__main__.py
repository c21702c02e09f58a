"""Carry a home elsewhere, from a folder to a database or back; change a home in a database by hand.

    python -m digits.home copy /srv/digits postgresql+psycopg://digits@db.example/digits
    python -m digits.home put train.csv postgresql+psycopg://digits@db.example/digits
    python -m digits.home delete incorrect_images/NAME.png postgresql+psycopg://...

`put` is for model.h5 and train.csv, `delete` for a picture that nobody is to see again. Of a copy:
all that is kept goes along: network, rows, corrections, pictures, verdicts, versions, receipts and
the schedule's notes; not the log, nor the last export. Both homes stand still meanwhile. The new
one is there whole or not at all, and every file of it was compared.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from filelock import Timeout

from digits import durable
from digits.home import MODEL, Home
from digits.rows import TRAIN


@click.group(help=__doc__.split("\n\n")[0])
def command() -> None:
    """Do one of what follows."""


@command.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy the home FROM to TO, which must be empty: a folder, or a database's address."""
    with telling():
        click.echo(copied(Home.at(source), Home.at(target)))


@command.command("put")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("place", metavar="HOME")
def put_by_hand(file: Path, place: str) -> None:
    """Put FILE, a model.h5 or a train.csv, into HOME, in the place of its own."""
    if file.name not in (MODEL, TRAIN):
        raise click.BadParameter(f"{file.name} is not named {MODEL} or {TRAIN}.")
    with telling():
        home = Home.at(place)
        with home.run_lock():
            durable.write(home.folder / file.name, file.read_bytes())
        click.echo(f"{file} is the {file.name} of {home} now.")


@command.command()
@click.argument("name")
@click.argument("place", metavar="HOME")
def delete(name: str, place: str) -> None:
    """Delete a picture by its NAME, such as incorrect_images/NAME.png, from HOME for good."""
    with telling():
        home = Home.at(place)
        home.follow()
        path = (home.folder / name).resolve()
        if path.parent != home.images or not path.exists():
            raise OSError(f"{home} has no picture {name!r}: the tab Corrections has their names.")
        with home.store_lock():
            durable.remove(path)
        click.echo(f"{name} is deleted from {home}.")


@contextmanager
def telling() -> Iterator[None]:
    """Turn what cannot be done meanwhile into a sentence and exit code 1."""
    try:
        yield
    except Timeout as error:
        raise click.ClickException("A run or a change is at work: try again later.") from error
    except OSError as error:
        raise click.ClickException(str(error)) from error


def copied(source: Home, target: Home) -> str:
    """Copy a home into an empty one; return a sentence on it. Raises OSError."""
    if source.is_empty:
        raise OSError(f"{source} is empty: name the home to copy.")
    if not target.is_empty:
        raise OSError(f"{target} is not empty: name a new folder or another database.")
    with source.run_lock(), source.store_lock():
        names = sorted(path.relative_to(source.folder) for path in kept(source))
        target.folder.mkdir(parents=True, exist_ok=True)
        with target.together():
            for name in sorted(names, key=lambda name: name == Path(target.model.name)):
                put(target, source.folder / name, target.folder / name)
    target.follow()
    unlike = [name for name in names if not alike(source.folder / name, target.folder / name)]
    if unlike:
        raise OSError(f"{target} is not what {source} is: {unlike[0]} differs. Do not use it.")
    size = sum((target.folder / name).stat().st_size for name in names)
    return f"Copied {len(names):,} files, {size:,} bytes, and compared them: {target}."


def kept(home: Home) -> Iterator[Path]:
    """Yield the files of a home that are its content, not its workings."""
    verdicts = home.folder.glob(f"{home.verdicts.stem}*{home.verdicts.suffix}")  # older ones too
    for path in (home.model, home.train, home.table, home.tries, *verdicts):
        if path.exists():
            yield path
    for folder in (home.images, home.versions):
        for path in folder.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden and path.suffix != ".lock":
                yield path


def put(home: Home, path: Path, new: Path) -> None:
    """Write a file to a home, with its time: that of a picture says when it was stored."""
    new.parent.mkdir(parents=True, exist_ok=True)
    written = path.stat().st_mtime_ns
    if home.database:
        home.database.write(new, path.read_bytes(), written / 1e9)
    else:
        durable.write(new, path.read_bytes())
        os.utime(new, ns=(written, written))


def alike(one: Path, other: Path) -> bool:
    """Return whether two files have the same content."""
    return other.exists() and one.read_bytes() == other.read_bytes()


if __name__ == "__main__":
    sys.exit(command(prog_name="python -m digits.home"))
