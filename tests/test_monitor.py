"""What probes and Prometheus are told: `--health` and `--metrics`."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

import finetuning
from digits import feedback, model
from digits.feedback import verdicts
from digits.home import Home
from digits.jobs import monitor, progress
from tests.homes import add_misread, make_home


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path / "home")


def samples(home):
    """Return each sample of the metrics: name and labels -> value."""
    families = list(text_string_to_metric_families(monitor.metrics(home) + "\n"))
    assert all(family.documentation and family.type == "gauge" for family in families)
    return {
        (one.name, *one.labels.values()): one.value for family in families for one in family.samples
    }


def main(home, option):
    return finetuning.main(["--root", str(home.folder), option])


def test_health_network_that_reads_serves(home, capsys):
    assert main(home, "--health") == finetuning.DONE
    assert "v1 serves" in capsys.readouterr().out


def test_health_empty_home_is_well_and_stays_empty(tmp_path, capsys):
    assert main(Home.at(tmp_path / "volume"), "--health") == finetuning.DONE
    assert "is empty" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"", b"no network"])
def test_health_without_a_network_that_loads_fails_and_writes_nothing(home, capsys, content):
    home.model.unlink()
    if content is not None:
        home.model.write_bytes(content)
    before = sorted(home.folder.rglob("*"))
    assert main(home, "--health") == finetuning.BAD_DATA
    assert "model.h5" in capsys.readouterr().err
    assert sorted(home.folder.rglob("*")) == before
    assert samples(home)["digits_up",] == 0


def test_metrics_count_corrections_by_state_and_what_people_said(home):
    net = model.load_light(home.model)
    add_misread(home, net, 3)
    feedback.remove(home, feedback.load(home)[0][0])
    for verdict in ("right", "right", "wrong"):
        verdicts.judge(home, verdicts.shown(home, 3, 0.9, "v1"), verdict)
    found = samples(home)
    assert found["digits_up",] == found["digits_version",] == 1
    assert found["digits_corrections", "waiting"] == 2
    assert found["digits_corrections", "removed"] == 1
    assert found["digits_live_accuracy_ratio",] == pytest.approx(2 / 3)
    assert "digits_run_code" not in {name for name, *_ in found}


def test_metrics_after_a_run_tell_how_it_ended(home, capsys):
    add_misread(home, model.load_light(home.model), 1)
    code = finetuning.main(["--root", str(home.folder)])
    found = samples(home)
    assert found["digits_run_code",] == code == 0
    assert found["digits_run_age_seconds",] >= 0
    assert found["digits_version",] == 2
    assert found["digits_corrections", "learned"] == 1
    capsys.readouterr()
    assert main(home, "--metrics") == finetuning.DONE
    assert "digits_run_code 0" in capsys.readouterr().out


def test_metrics_of_a_run_that_was_killed_say_that_none_runs(home):
    progress.Reporter(home, "cron").progress("Training", 0.5)
    assert samples(home)["digits_run_running",] == 0
    with home.run_lock():
        assert samples(home)["digits_run_running",] == 1
