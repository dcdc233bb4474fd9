"""SIGKILL at the calls of a migration: the secret is in the keyring or in the file, at every moment, and nowhere else.

One complete run is counted, its moments are spread over that count, and strace ends the real program at each.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from keyring_daemon import KeyringDaemon
from modelkeep.core.credentials import open_vault

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

PASSWORD, S3 = "canary-of-the-server", "canary-of-the-bucket"
ADDRESS = "me@lab.example:22"
KILLS, AT_LEAST = 22, 20
#: What changes a disk, and what goes to the keyring.
_CALLS = "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,fsync,fchmod,ftruncate,write,sendmsg,sendto"
_LINE = re.compile(r"(\d+)\s+(\w+)\(")
_DRIVER = """
import os, signal, sys
import keyring.backends.SecretService, secretstorage
from modelkeep.core.project import Project
from modelkeep.core.workflows import secrets
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        try:
            project = Project.open(sys.argv[1])
            found = secrets.scan(project, history=False).found
            print(os.getpid(), flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
            secrets.migrate(project, found)
            os._exit(0)
        finally:
            os._exit(1)
    print(os.waitpid(pid, 0)[1], flush=True)
"""
REPO = f"""\
[core]
    remote = lab
['remote "lab"']
    url = ssh://me@lab.example/srv
['remote "bucket"']
    url = s3://b/x
    secret_access_key = {S3}
"""
LOCAL = f"""\
['remote "lab"']
    password = {PASSWORD}
"""


@pytest.fixture
def shop(project: Path, keyring: KeyringDaemon) -> Iterator[Path]:
    """A project with secrets in its config files, before the first run."""
    restore(project)
    yield project


def restore(project: Path) -> None:
    (project / ".dvc/config").write_text(REPO)
    (project / ".dvc/config.local").write_text(LOCAL)
    open_vault().forget(ADDRESS)


class Migrator:
    """The program, loaded once; each migration is a child of it that waits to be watched before it begins."""

    def __init__(self, project: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _DRIVER, str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str) -> int:
        """Migrate under strace with these options; how it ended: 0 or the signal."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        pid = self.pid = int(self._process.stdout.readline())
        strace = subprocess.Popen(
            ["strace", "-f", "-qq", "-p", str(pid), *options], stderr=subprocess.PIPE, text=True
        )
        while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
            if strace.poll() is not None:
                os.kill(pid, signal.SIGKILL)
                pytest.skip("strace is not allowed here")
            time.sleep(0.005)
        os.kill(pid, signal.SIGCONT)
        status = int(self._process.stdout.readline())
        strace.communicate(timeout=60)
        return status

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture
def migrator(shop: Path) -> Iterator[Migrator]:
    one = Migrator(shop)
    yield one
    one.close()


def moments(migrator: Migrator, log: Path) -> list[tuple[str, int]]:
    """(call, its number in its thread) of KILLS moments of a complete run."""
    assert migrator.run("-o", str(log), "-e", f"trace={_CALLS}") == 0
    seen: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, int], None] = {}
    calls = [call for line in log.read_text().splitlines() if (call := _LINE.match(line))]
    own = {
        str(migrator.pid),
        *(call[1] for call in calls if call[2] in ("sendmsg", "sendto")),
    }  # not those of git
    for call in calls:
        if call[1] in own:
            seen[call[1], call[2]] = seen.get((call[1], call[2]), 0) + 1
            found[call[2], seen[call[1], call[2]]] = None
    points = list(found)

    assert len(points) >= KILLS, points
    return [points[number * (len(points) - 1) // (KILLS - 1)] for number in range(KILLS)]


def places(project: Path) -> tuple[set[str], set[str]]:
    """Where the password and the key of the bucket are now."""
    texts = {name: (project / ".dvc" / name).read_text() for name in ("config", "config.local")}
    secret = open_vault().get(ADDRESS)
    password = {name for name, text in texts.items() if PASSWORD in text}
    if secret is not None and secret.reveal() == PASSWORD:
        password.add("keyring")
    return password, {name for name, text in texts.items() if S3 in text}


def test_a_killed_migration_leaves_the_secret_in_one_place_at_least(
    shop: Path, migrator: Migrator, tmp_path: Path
) -> None:
    migrator.run(
        "-o", "/dev/null", "-e", "trace=fsync"
    )  # what Python compiles at a first run is no moment of it
    restore(shop)
    points = moments(migrator, tmp_path / "calls")
    assert places(shop) == ({"keyring"}, {"config.local"})
    killed, seen = [], set()
    for call, number in points:
        restore(shop)
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        if migrator.run("-o", "/dev/null", "-e", f"trace={call}", "-e", inject) == signal.SIGKILL:
            killed.append((call, number))
        password, bucket = places(shop)
        assert password and password <= {"keyring", "config.local"}, (call, number)
        assert bucket and bucket <= {"config", "config.local"}, (call, number)
        seen.add((tuple(sorted(password)), tuple(sorted(bucket))))
    assert len(killed) >= AT_LEAST and len(seen) > 2, (set(points) - set(killed), seen)
    migrator.run("-o", "/dev/null", "-e", "trace=fsync")
    assert places(shop) == ({"keyring"}, {"config.local"})
    found = [
        path for path in (shop / ".dvc").rglob("*") if path.is_file() and S3.encode() in path.read_bytes()
    ]
    ignored = builders.git(shop, "check-ignore", *(str(path) for path in found)).splitlines()
    assert set(ignored) == {str(path) for path in found}, "Git must not take what a kill leaves"
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    for path in found:
        os.utime(path, (0, 0))
    restore(shop)
    migrator.run("-o", "/dev/null", "-e", "trace=fsync")
    assert {path.name for path in found if path.exists()} == {"config.local"}
