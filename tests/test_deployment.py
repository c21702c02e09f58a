"""Dockerfile, compose.yaml, Kubernetes manifest and systemd unit: what they name exists and fits.

No container is built here: the image's files are laid out as COPY says, and are run as they lie.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from streamlit import config

import finetuning
from digits.home.address import parse
from tests.homes import PROJECT

KUBERNETES = list(yaml.safe_load_all((PROJECT / "docs" / "kubernetes.yaml").read_text("utf-8")))
COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text("utf-8"))
UNIT = (PROJECT / "docs" / "digits-page@.service").read_text("utf-8")
ANALYZE = shutil.which("systemd-analyze")
PLACE = "/opt/digits"  # of the code, in the image and on a host
HOUR = 3600  # s
PAGE = """
import digits
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app.py", default_timeout=60).run()
assert not page.exception and not page.error, page
print(digits.__file__, len(page.button))
"""


def instructions(name: str) -> list[str]:
    """Return what follows that word in the Dockerfile, line by line."""
    text = (PROJECT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return re.findall(rf"^{name} +(.*)", text, re.MULTILINE)


def pods() -> dict[str, dict]:
    """Return what the manifest's page and job run, by kind."""
    specs = {one["kind"]: one.get("spec", {}) for one in KUBERNETES}
    return {
        "Deployment": specs["Deployment"]["template"]["spec"],
        "CronJob": specs["CronJob"]["jobTemplate"]["spec"]["template"]["spec"],
    }


def commands() -> list[list[str]]:
    """Return every command of this project that one of the files runs, as words."""
    (page,), (job,) = (one["containers"] for one in pods().values())
    shells = [instructions("HEALTHCHECK")[0].partition("CMD ")[2]]
    shells += COMPOSE["services"]["nightly"]["command"][2:]
    own = re.findall(r"python finetuning\.py[^&;]*", " ; ".join(shells))
    unit = re.search(r"^ExecStart=(.*)", UNIT, re.MULTILINE)[1].replace(f"{PLACE}/.venv/bin/", "")
    return [
        json.loads(instructions("CMD")[0]),
        *map(shlex.split, [*own, unit]),
        page["readinessProbe"]["exec"]["command"],
        job["command"],
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_command_names_script_and_options_that_exist(words):
    program, *rest = words
    options = [word.removeprefix("--").partition("=")[0] for word in rest if word[:2] == "--"]
    assert options
    if program == "python":
        assert rest[0] == "finetuning.py"
        known = {name for one in finetuning.command.params for name in one.opts}
        assert {f"--{option}" for option in options} <= known
    else:
        assert words[:3] == ["streamlit", "run", "app.py"]
        assert set(options) <= set(config.get_config_options())


def test_image_holds_all_that_page_and_run_need(tmp_path):
    place, home = tmp_path / "opt", tmp_path / "home"
    place.mkdir()
    for line in instructions("COPY"):
        *sources, target = line.split()
        for name in sources:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            copy(PROJECT / name, place / target)
    env = os.environ | {"DIGITS_HOME": str(home)}
    env.pop("PYTHONPATH", None)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=place,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stderr
        return done.stdout

    assert "is empty" in run("finetuning.py", "--health")
    (place / "page.py").write_text(PAGE)
    where, buttons = run("page.py").split()
    assert Path(where).is_relative_to(place)
    assert int(buttons) > 0
    assert "v1 serves" in run("finetuning.py", "--health")


def test_volume_is_the_home_or_the_cache_wherever_the_image_runs():
    (home,) = instructions("VOLUME")
    assert f"DIGITS_HOME={home}" in instructions("ENV")
    assert any(f"--home-dir {home} " in line for line in instructions("RUN"))  # of ~/.cache
    for name in ("page", "nightly"):
        assert COMPOSE["services"][name]["volumes"] == [f"cache:{home}"]
    for pod in pods().values():
        mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
        assert mounts["cache"] == home
        assert set(mounts) == {one["name"] for one in pod["volumes"]}
    assert f"Environment=DIGITS_HOME={home}\n" in UNIT
    assert home.endswith(re.search(r"^StateDirectory=(.*)", UNIT, re.MULTILINE)[1])


def test_home_is_a_database_whose_libraries_the_image_has():
    installed = instructions("RUN")[0]
    assert set(re.findall(r"-r (\S+)", installed)) <= set(instructions("COPY")[0].split())
    assert "requirements-postgres.txt" in installed
    services = COMPOSE["services"]
    for name in ("page", "nightly"):
        known = services[name]["environment"]
        url = parse(known["DIGITS_HOME"])
        server = services[url.host]["environment"]
        assert url.username == url.database == server["POSTGRES_USER"]
        password = server["POSTGRES_PASSWORD"].rstrip("}")
        assert known["PGPASSWORD"].startswith(f"{password}:?")
    (secret,) = (one for one in KUBERNETES if one["kind"] == "Secret")
    assert parse(secret["stringData"]["DIGITS_HOME"]).password
    assert secret["stringData"]["DIGITS_PASSWORD"]
    for pod in pods().values():
        (known,) = pod["containers"][0]["envFrom"]
        assert known["secretRef"]["name"] == secret["metadata"]["name"]


def test_nobody_runs_as_root():
    (user,) = instructions("USER")
    assert int(user) > 0
    assert any(f"useradd --uid {user} " in line for line in instructions("RUN"))
    for pod in pods().values():
        context = pod["securityContext"]
        assert (context["runAsUser"], context["fsGroup"]) == (int(user), int(user))
    assert "\nUser=digits\n" in UNIT


def test_manifest_parts_find_one_another():
    page = next(one["spec"] for one in KUBERNETES if one["kind"] == "Deployment")
    service = next(one["spec"] for one in KUBERNETES if one["kind"] == "Service")
    labels = page["template"]["metadata"]["labels"]
    assert page["selector"]["matchLabels"] == service["selector"] == labels
    port = page["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
    assert service["ports"][0]["targetPort"] == port == int(instructions("EXPOSE")[0])
    for pod in pods().values():
        assert pod["containers"][0]["image"] == COMPOSE["services"]["page"]["image"]


def test_compose_nightly_waits_until_two_then_learns(tmp_path):
    for name, does in (("sleep", 'echo "$1"; exec test ! -e ran'), ("python", 'echo "$@" > ran')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    shell = [word.replace("$$", "$") for word in COMPOSE["services"]["nightly"]["command"]]
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run(
        shell, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, check=False
    ).stdout
    assert all(HOUR <= int(seconds) <= 27 * HOUR for seconds in told.split())  # summer time, too
    assert (tmp_path / "ran").read_text().split() == ["finetuning.py", "--trigger", "cron"]


def test_unit_temporary_files_of_a_fine_tuning_outlive_its_server():
    kept = re.search(r"^CacheDirectory=(.*)", UNIT, re.MULTILINE)[1]
    assert "\nKillMode=process\n" in UNIT
    assert f"\nEnvironment=TMPDIR=/var/cache/{kept}\n" in UNIT


@pytest.mark.skipif(
    not ANALYZE and not os.environ.get("CI"),
    reason="needs systemd-analyze: apt-get install systemd",
)
def test_unit_is_what_systemd_takes(tmp_path):
    unit = tmp_path / "digits-page@8501.service"
    unit.write_text(UNIT.replace(f"{PLACE}/.venv/bin/streamlit", sys.executable))
    done = subprocess.run(
        [ANALYZE, "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
