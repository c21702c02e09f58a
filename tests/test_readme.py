"""What the README and the other documents say is so: options, files, commands, Python, cron."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from digits import model, versions
from digits.jobs import schedule
from tests import crontabs, size
from tests.homes import PROJECT, add_misread, make_home

WORDS = 900  # of the README: what somebody reads before trying it
DOCUMENTS = {
    path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*sorted(PROJECT.glob("*.md")), *sorted(PROJECT.glob("docs/*.md"))]
}
README, UNATTENDED = DOCUMENTS["README.md"], DOCUMENTS["docs/unattended.md"]
TEXT = "\n".join(DOCUMENTS.values())


def found(pattern: str, text: str = TEXT) -> list[str]:
    """Return what the pattern's group finds in the text, each once."""
    return sorted(set(re.findall(pattern, text, re.M)))


def test_readme_is_read_in_a_few_minutes():
    assert len(README.split()) <= WORDS


def test_unattended_every_option_has_a_row_in_the_table():
    help_text = subprocess.run(
        [sys.executable, PROJECT / "finetuning.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    options = set(re.findall(r"--[a-z-]+", help_text)) - {"--help"}
    table = "\n".join(found(r"^\| (`--.*?) \|", UNATTENDED))
    assert options == set(re.findall(r"`(--[a-z-]+)", table))
    assert set(re.findall(r"finetuning\.py +(--[a-z-]+)", TEXT)) <= options


@pytest.mark.parametrize("name", found(r"`((?:digits|benchmarks|stress|tests|docs)/[\w./-]*)"))
def test_documents_every_file_named_is_there(name):
    assert (PROJECT / name).exists()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_every_link_leads_to_a_file_and_a_heading(document):
    folder = (PROJECT / document).parent
    for link in found(r"\]\(((?!https?:)[^)]+)\)", DOCUMENTS[document]):
        path, _, anchor = link.partition("#")
        target = (folder / path if path else PROJECT / document).resolve()
        assert target.exists(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.M) if anchor else []
        anchors = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
        assert not anchor or anchor in anchors, link


@pytest.mark.parametrize("command", found(r"((?:benchmarks|stress)/\w+\.py(?:\s+--[^`)|;]*)?)"))
def test_documents_every_command_that_measures_knows_its_options(command):
    script, *words = command.split()
    source = (PROJECT / script).read_text(encoding="utf-8")
    assert all(f'"{word}"' in source for word in words if word.startswith("--"))


def test_documents_every_make_target_is_in_the_makefile():
    targets = found(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"))
    assert set(found(r"(?:`|^)make ([a-z]+)")) <= set(targets)


def test_contributing_spine_is_what_is_measured_and_all_of_it_is_there():
    named = re.findall(r"^\| `(.+\.py)` \|", DOCUMENTS["CONTRIBUTING.md"], re.M)
    assert named == list(size.SPINE_FILES)
    assert all((PROJECT / name).exists() for name in named)


def test_readme_python_reads_the_picture(monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    code = re.search(r"```python\n(.*?)```", README, re.S)[1]
    exec(code, {})
    assert capsys.readouterr().out.strip() == re.search(r"print\(.*#\s(\d)$", code, re.M)[1]


def test_readme_cron_line_learns_from_crons_bare_environment(tmp_path, shipped, monkeypatch):
    home = make_home(tmp_path / "a project, 100% 'ours'")
    shutil.copy(PROJECT / "finetuning.py", home.folder)  # its folder is the home
    shutil.copytree(PROJECT / "digits", home.folder / "digits")
    (home.folder / ".venv").symlink_to(sys.prefix)
    add_misread(home, shipped, 3)
    table = crontabs.pretend(tmp_path, monkeypatch)

    line = re.search(r"^\.venv/bin/python .* --install-cron .*$", UNATTENDED, re.M)[0]
    subprocess.run(["/bin/sh", "-c", line], cwd=home.folder, check=True)
    assert table.read_text().startswith("0 2 * * * '/")
    done = schedule.run_as_cron(schedule.current(home).command)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "Published v2: " in home.log.read_text()
    assert versions.history(home)[-1].run.trigger == "cron"
    assert schedule.remembered(home).message.startswith("Published v2: ")
    model.load(home.model)
