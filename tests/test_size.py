"""The sizes that `make size` prints, and the bounds that it holds, on trees made up here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import size


def write(root: Path, **lines: int) -> Path:
    """Write files of so many lines, named with __ for /; return root."""
    for name, n in lines.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n" * n)
    return root


def test_main_small_project_prints_each_room(tmp_path, capsys):
    root = write(tmp_path, app=20, finetuning=30, digits__rows=4, digits__images__ink=50)
    assert size.main(root) == 0
    printed = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert printed == {
        "app.py": "20",
        "finetuning.py": "30",
        "digits": "4",
        "digits/images": "50",
        "spine": "20",
        "in all": "104",
    }


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"app": 201}, "app.py: 201 lines, at most 200"),
        ({"finetuning": 351}, "finetuning.py: 351 lines, at most 350"),
        ({"digits__images__ink": 351}, "digits/images/ink.py: 351 lines, at most 350"),
        (
            {f"digits__m{i}": 350 for i in range(40)},
            f"in all: 14,000 lines, at most {size.TOTAL:,}",
        ),
        ({"app": 200, "digits__learning__run": 801}, "spine: 1,001 lines, at most 1,000"),
    ],
)
def test_main_bound_broken_is_named_and_fails(tmp_path, capsys, files, complaint):
    assert size.main(write(tmp_path, **files)) == 1
    assert complaint in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("body", "code"), [(39, 0), (40, 1)])
def test_main_function_longer_than_a_screen_fails(tmp_path, capsys, body, code):
    source = "\n\n@cache\ndef long():\n" + "    x = 1\n" * body
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "rows.py").write_text(source)
    assert size.main(tmp_path) == code
    assert ("digits/rows.py:4: long: 41 lines, at most 40" in capsys.readouterr().out) == bool(code)
