"""Print how long each room is, and what is longer than a reader should be asked to read.

    python tests/size.py [FOLDER]

One line a room with its lines, then one line for each bound that is broken; exit code 1 if any
is. Lines are counted as they stand, with docstrings and blanks: all of them are read.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

MODULE = 350  # lines of one file: what a reader keeps in mind at once
FUNCTION = 40  # lines from `def` to the end: one screen
PAGE = 200  # lines of app.py, which lays out and nothing else
SPINE = 1_000  # lines of SPINE_FILES: an hour's reading
TOTAL = 13_680  # lines in all; a commit that adds a feature may raise it, and says so

SPINE_FILES = (  # in the order in which one reads them; see CONTRIBUTING.md
    "digits/images/__init__.py",
    "digits/model/__init__.py",
    "digits/feedback/__init__.py",
    "digits/learning/run.py",
    "digits/learning/gate.py",
    "digits/versions/__init__.py",
    "app.py",
)


def main(root: Path) -> int:
    """Print the sizes of the project in root; return 1 if a bound is broken, else 0."""
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in _files(root)}
    rooms: Counter[str] = Counter()
    for path, n in lines.items():
        rooms[_room(path.relative_to(root))] += n
    spine = sum(lines.get(root / name, 0) for name in SPINE_FILES)
    for room, n in [*rooms.items(), ("spine", spine), ("in all", sum(lines.values()))]:
        print(f"{room:18}{n:6,}")
    broken = list(_broken(root, lines, spine))
    print(*broken, sep="\n", end="\n" if broken else "")
    return bool(broken)


def _files(root: Path) -> list[Path]:
    """Return the files that are counted: the two scripts and all of `digits/`."""
    scripts = [path for path in (root / "app.py", root / "finetuning.py") if path.exists()]
    return scripts + sorted((root / "digits").rglob("*.py"))


def _room(name: Path) -> str:
    """Return the room of a file: its folder, or the file itself on the ground floor."""
    return name.parent.as_posix() if name.parent != Path() else name.name


def _broken(root: Path, lines: dict[Path, int], spine: int) -> Iterator[str]:
    """Yield one line for each bound that is broken."""
    for path, n in lines.items():
        name = path.relative_to(root).as_posix()
        bound = PAGE if name == "app.py" else MODULE
        if n > bound:
            yield f"{name}: {n} lines, at most {bound}"
        for line, function, long in _functions(path):
            if long > FUNCTION:
                yield f"{name}:{line}: {function}: {long} lines, at most {FUNCTION}"
    for what, n, bound in (("spine", spine, SPINE), ("in all", sum(lines.values()), TOTAL)):
        if n > bound:
            yield f"{what}: {n:,} lines, at most {bound:,}"


def _functions(path: Path) -> Iterator[tuple[int, str, int]]:
    """Yield line, name and length of each function of a file, from `def` to its end."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent))
