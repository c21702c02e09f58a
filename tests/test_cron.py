"""A real cron daemon runs the entry that a user of the machine has installed.

User and daemon are the test's own. The daemon lives in a mount namespace (unshare(1)), in which it
has its own crontabs and pid file, none of the machine's jobs, and in which the user may pass
through the folders to Python and the project, should these be closed (such as /root). Outside of
it nothing is changed but /etc/passwd, where the user comes and goes. Its crontabs look old, because
cron reads them again only when a time of change differs, in whole seconds: an entry installed in
the very second in which the daemon started would never be seen.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import finetuning
from digits.home import MODEL, Home
from digits.jobs import doctor, schedule
from digits.rows import TRAIN
from tests.homes import PROJECT

ODD = "a home, 100% 'ours' \u00fc"
NEEDS = "cron", "crontab", "useradd", "userdel", "runuser", "unshare", "nsenter"
MINUTE = 90  # s until a run must have come: cron looks once a minute, and a start takes a while
INSIDE = """
set -e
spool=/var/spool/cron/crontabs
mount -t tmpfs -o mode=755 tmpfs /run
for closed in "$@"; do
    top=$(mktemp -d) below=$(mktemp -d)
    mount -t overlay -o "lowerdir=$closed,upperdir=$top,workdir=$below" overlay "$closed"
    chmod o+rx "$closed"
done
mkdir /run/crontabs
chown --reference=$spool /run/crontabs
chmod --reference=$spool /run/crontabs
mount --bind /run/crontabs $spool
touch /run/none
mount --bind /run/none /etc/crontab
mount -t tmpfs tmpfs /etc/cron.d
touch -d @0 $spool /etc/crontab /etc/cron.d
exec cron -f
"""


@pytest.fixture
def user():
    """A user of this test's own, with a home."""
    lacking = [name for name in NEEDS if not shutil.which(name)]
    lacking += ["root's rights"] if os.geteuid() else []
    if lacking and not os.environ.get("CI"):  # on CI its absence is a failure
        pytest.skip(f"needs {', '.join(lacking)}: apt-get install cron, and run as root")
    assert not lacking
    name = f"digits-{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", "--force", "--remove", name], check=True, stderr=subprocess.DEVNULL)


@pytest.fixture
def as_user(user, tmp_path):
    """Runs a command as that user, where a cron daemon serves their crontab; returns its end."""
    closed = closed_folders(Path(sys.prefix), Path(sys.base_prefix), PROJECT)
    environment = os.environ | {"TMPDIR": "/run"}  # another file system than what lies closed
    daemon = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", INSIDE, "sh", *map(str, closed)], env=environment
    )
    while daemon.poll() is None and doctor.read_name(Path(f"/proc/{daemon.pid}/comm")) != "cron":
        time.sleep(0.01)
    assert daemon.poll() is None, "no cron daemon in a mount namespace: may root mount here?"

    def run(*words):
        inside = ["nsenter", f"--target={daemon.pid}", "--mount"]
        shell = ["runuser", "--login", user.pw_name, "--command", shlex.join(map(str, words))]
        return subprocess.run(inside + shell, capture_output=True, text=True, check=False)

    yield run
    daemon.terminate()
    daemon.wait()


def closed_folders(*paths: Path) -> list[Path]:
    """Return the folders on the way to paths that other users may not pass, outermost first."""
    way = {folder for path in paths for folder in (path, *path.parents)}
    return sorted(folder for folder in way if folder.stat().st_mode & 0o005 != 0o005)


@pytest.fixture
def home(user):
    """The user's home, with a name that shells and crontabs stumble over."""
    home = Home.at(Path(user.pw_dir, ODD))
    home.folder.mkdir()
    for name in (MODEL, TRAIN):
        shutil.copy(PROJECT / name, home.folder)
    for path in (home.folder, *home.folder.iterdir()):
        shutil.chown(path, user.pw_name)
    return home


def test_cron_entry_of_a_user_is_run_by_a_real_daemon(as_user, home, user):
    command = [sys.executable, PROJECT / "finetuning.py", "--root", home]
    installed = as_user(*command, "--install-cron", "* * * * *")
    assert (installed.returncode, installed.stderr) == (finetuning.DONE, "")
    checked = as_user(*command, "--check")
    assert checked.returncode == finetuning.DONE, checked.stdout
    ends = time.monotonic() + MINUTE
    while not schedule.remembered(home).when and time.monotonic() < ends:
        time.sleep(0.1)
    last = schedule.remembered(home)
    assert (last.code, last.message) == (0, "Nothing to learn: no corrections are stored.")
    assert "asked by cron" in home.log.read_text()
    assert home.log.stat().st_uid == user.pw_uid
    assert as_user(*command, "--remove-cron").stdout == "Removed.\n"
    assert "no entry" in as_user(*command, "--show-cron").stdout
