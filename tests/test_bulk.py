"""Bulk reading: real worker processes, a real Dask cluster, a real S3 server, and kills."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer
from PIL import Image

from digits import images, model
from digits.bulk.__main__ import command
from digits.bulk.places import pictures
from digits.rows import read_rows
from tests.homes import PROJECT

MANY = 2_000  # pictures: ten parts, so that a kill leaves some undone
WAIT = 120  # s, for anything; a machine may be busy


@pytest.fixture(scope="module")
def digits():
    return read_rows(PROJECT / "train.csv")[0]


@pytest.fixture
def few(tmp_path, digits):
    """A folder of three pictures, a damaged and a hidden one."""
    folder = tmp_path / "few"
    (folder / "deeper").mkdir(parents=True)
    for name, digit in zip(("b.png", "a.png", "deeper/c.png"), digits[::1000], strict=False):
        Image.fromarray(digit).save(folder / name)
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / ".hidden.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory, digits):
    """A folder of many pictures, every hundredth damaged."""
    folder = tmp_path_factory.mktemp("many")
    for i in range(MANY):
        path = folder / f"{i:04}.png"
        if i % 100:
            Image.fromarray(digits[i]).save(path, compress_level=0)
        else:
            path.write_bytes(b"no picture")
    return folder


def run(*arguments, code=0):
    """Run the command in this process; return what it said."""
    result = CliRunner().invoke(command, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    return result.output


def start(*arguments):
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "digits.bulk", *map(str, arguments)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows(out: Path) -> list[dict]:
    return pq.read_table(out).to_pylist()


def parts(out: Path) -> list[Path]:
    return list(out.glob("part-*"))


def until(condition) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def assert_each_once(out: Path) -> None:
    """Each of the many pictures has its first digit or its error once, and no row is twice."""
    found = rows(out)
    firsts = [Path(row["path"]).name for row in found if not row["place"]]
    assert sorted(firsts) == [f"{i:04}.png" for i in range(MANY)]
    assert len({(row["path"], row["place"]) for row in found}) == len(found)
    assert sum(row["error"] is not None for row in found) == MANY // 100


# --- What is written ---


def test_command_folder_gives_what_read_digits_gives(few, tmp_path):
    said = run(few, tmp_path / "out", "--workers", 1)
    assert "4 pictures: 3 read, 1 refused" in said
    found = {Path(row["path"]).name: row for row in rows(tmp_path / "out")}
    assert sorted(found) == ["a.png", "b.png", "bad.png", "c.png"]
    assert "not a picture" in found["bad.png"]["error"]
    net = model.load_light(PROJECT / "model.h5")
    (one,) = images.read_digits(images.open_picture(few / "a.png"), net)
    row = found["a.png"]
    assert (row["left"], row["top"], row["width"], row["height"]) == one.box
    assert row["digit"] == one.probabilities.argmax()
    assert row["text"] == str(row["digit"])
    np.testing.assert_allclose([row[f"p{i}"] for i in range(10)], one.probabilities, atol=1e-6)


def test_command_csv_has_the_rows_of_all_parts(few, tmp_path):
    run(few, tmp_path / "out", "--workers", 1, "--csv", tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["path"] for line in lines] == [row["path"] for row in rows(tmp_path / "out")]


def test_command_again_reads_nothing_again_and_new_pictures_only(few, tmp_path, digits):
    said = run(few, tmp_path / "out", "--workers", 1)
    before = {part: part.stat().st_mtime_ns for part in parts(tmp_path / "out")}
    assert run(few, tmp_path / "out", "--workers", 1).endswith(said.splitlines()[-1] + "\n")
    assert before == {part: part.stat().st_mtime_ns for part in parts(tmp_path / "out")}
    Image.fromarray(digits[7]).save(few / "new.png")
    run(few, tmp_path / "out", "--workers", 1)
    assert len(rows(tmp_path / "out")) == 5


def test_command_with_another_network_is_refused_and_changes_nothing(few, tmp_path):
    run(few, tmp_path / "out", "--workers", 1)
    net = model.load(PROJECT / "model.h5")
    net.set_weights([weights * 0.99 for weights in net.get_weights()])
    model.save(net, tmp_path / "other.h5")
    before = rows(tmp_path / "out")
    said = run(few, tmp_path / "out", "--model", tmp_path / "other.h5", code=2)
    assert "another job" in said
    assert rows(tmp_path / "out") == before


def test_command_missing_file_in_a_list_is_a_row(few, tmp_path):
    paths = tmp_path / "paths.txt"
    paths.write_text(f"{few / 'a.png'}\n{few / 'gone.png'}\n")
    assert "1 read, 1 refused" in run(paths, tmp_path / "out", "--workers", 1)
    assert "does not exist" in rows(tmp_path / "out")[1]["error"]


def test_command_store_that_fails_stops_the_job_and_writes_no_part(few, tmp_path):
    paths = tmp_path / "paths.txt"
    paths.write_text(f"{few / 'a.png'}\n{few / 'deeper'}\n")  # a folder cannot be read as a file
    assert "to go on" in run(paths, tmp_path / "out", "--workers", 1, code=1)
    assert not parts(tmp_path / "out")


def test_command_source_that_is_not_there_says_so(tmp_path):
    assert "does not exist" in run(tmp_path / "nothing", tmp_path / "out", code=1)


def test_command_cluster_without_dask_names_the_remedy(few, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    said = run(few, tmp_path / "out", "--cluster", "tcp://127.0.0.1:1", code=2)
    assert "pip install -r requirements-cluster.txt" in said


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("", ["a.png", "b.png", "bad.png", "c.png"]),
        ("/a.png", ["a.png"]),
        ("/?.png", ["a.png", "b.png"]),
        ("/*/*.png", ["c.png"]),
    ],
)
def test_pictures_of_a_source_come_in_one_order(few, source, names):
    for _ in range(2):
        _, found = pictures(f"{few}{source}")
        assert [Path(path).name for path in found] == names


# --- Kills ---


def test_driver_killed_ends_its_workers_and_goes_on_where_it_was(many, tmp_path):
    driver = start(many, tmp_path / "out", "--workers", 2)
    until(lambda: parts(tmp_path / "out"))
    workers = psutil.Process(driver.pid).children(recursive=True)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    psutil.wait_procs(workers, timeout=WAIT)
    assert not [worker for worker in workers if worker.is_running()]
    before = {part: part.stat().st_mtime_ns for part in parts(tmp_path / "out")}
    assert 0 < len(before) < MANY / 200
    run(many, tmp_path / "out", "--workers", 2)
    assert before.items() <= {p: p.stat().st_mtime_ns for p in parts(tmp_path / "out")}.items()
    assert_each_once(tmp_path / "out")


def test_worker_killed_stops_with_a_sentence_and_goes_on_where_it_was(many, tmp_path):
    driver = start(many, tmp_path / "out", "--workers", 2)
    until(lambda: parts(tmp_path / "out"))
    for worker in psutil.Process(driver.pid).children(recursive=True):
        if "spawn_main" in " ".join(worker.cmdline()):
            worker.kill()
            break
    _, said = driver.communicate(timeout=WAIT)
    assert driver.returncode == 1
    assert "A worker was killed" in said
    run(many, tmp_path / "out", "--workers", 2)
    assert_each_once(tmp_path / "out")


# --- A cluster, a bucket ---


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def dask(*arguments):
    """A process of Dask's command line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def cluster(tmp_path):
    """A scheduler's address, and two worker processes with one thread each."""
    address = f"tcp://127.0.0.1:{free_port()}"
    one = ["--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path), "--no-nanny"]
    with ExitStack() as stack:
        stack.enter_context(dask("scheduler", "--port", address.split(":")[-1], "--no-dashboard"))
        workers = [stack.enter_context(dask("worker", address, *one)) for _ in range(2)]
        yield address, workers


def test_cluster_loses_nothing_when_a_worker_is_killed(many, tmp_path, cluster):
    address, (victim, _) = cluster
    driver = start(many, tmp_path / "out", "--cluster", address)
    until(lambda: parts(tmp_path / "out"))
    victim.kill()
    said, problem = driver.communicate(timeout=WAIT)
    assert driver.returncode == 0, problem
    assert f"{MANY:,} pictures" in said
    assert_each_once(tmp_path / "out")


def test_cluster_driver_and_worker_killed_goes_on_where_it_was(many, tmp_path, cluster):
    address, (victim, _) = cluster
    driver = start(many, tmp_path / "out", "--cluster", address)
    until(lambda: parts(tmp_path / "out"))
    victim.kill()
    driver.kill()
    driver.communicate()
    run(many, tmp_path / "out", "--cluster", address)
    assert_each_once(tmp_path / "out")


def test_bucket_is_read_and_written(few, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    server = ThreadedMotoServer(port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        bucket = boto3.resource("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        bucket = bucket.create_bucket(Bucket="scans")
        for path in few.rglob("*.png"):
            bucket.upload_file(str(path), f"in/{path.relative_to(few)}")
        query = f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
        for _ in range(2):
            said = run(f"s3://scans/in{query}", f"s3://scans/out{query}", "--workers", 1)
            assert "4 pictures: 3 read, 1 refused" in said
        names = [one.key for one in bucket.objects.filter(Prefix="out/part-")]
        assert len(names) == 1
    finally:
        server.stop()
