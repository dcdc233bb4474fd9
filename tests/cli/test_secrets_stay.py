"""Over a real server, without a terminal: unknown hosts are refused, and a password is found nowhere afterwards."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import builders
import servers
from servers import SshServer

CANARY = "canary-7f3a-wrong"


def cli(project: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the program itself, with `text` on a standard input that is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "modelkeep", "-C", str(project), *words],
        input=text.encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def ready(project: Path, ssh_server: SshServer) -> Path:
    """A project with one object to push to the server."""
    if not ssh_server.shell.password:
        pytest.skip(servers.NO_ROOT)
    builders.set_default_remote(project, ssh_server.url())
    builders.track_file(project, "a.bin", "a")
    return project


def test_an_unknown_host_gets_nothing_until_its_fingerprint_is_given(
    ready: Path, ssh_server: SshServer, home: Path
) -> None:
    known = home / ".ssh/known_hosts"
    for words in (("push",), ("login", "--password-stdin"), ("remote", "test")):
        done = cli(ready, *words, text=f"{servers.PASSWORD}\n")
        assert done.returncode != 0 and b"Traceback" not in done.stderr, done.stderr
        assert b"SHA256:" in done.stderr + done.stdout and not known.exists()
    wrong = cli(ready, "remote", "trust", "storage", "--fingerprint", "SHA256:" + "A" * 43)
    assert wrong.returncode != 0 and not known.exists()
    assert cli(ready, "remote", "trust", "storage", "--fingerprint", ssh_server.fingerprint()).returncode == 0
    assert known.read_text().count("\n") == 1


def test_a_password_is_found_nowhere(ready: Path, ssh_server: SshServer, home: Path) -> None:
    builders.write_tree(home / ".ssh", {"known_hosts": ssh_server.known_hosts()})
    local = ready / ".dvc/config.local"
    local.write_text(f"['remote \"storage\"']\n    password = {servers.PASSWORD}\n")
    with Watch() as watch:
        for words in (
            ("push",), ("push", "--json"), ("remote", "list"), ("status", "-c"),
            ("remote", "modify", "storage", "password", CANARY), ("login", "--password-stdin"),
        ):  # fmt: skip
            done = cli(ready, *words, text=f"{CANARY}\n")
            said = done.stdout + done.stderr
            assert servers.PASSWORD.encode() not in said and CANARY.encode() not in said, words
    assert watch.rounds > 5 and not watch.found
    for folder in (home, ready):
        for path in folder.rglob("*"):
            if path.is_file() and path != local:
                data = path.read_bytes()
                assert servers.PASSWORD.encode() not in data and CANARY.encode() not in data, path


def test_a_password_is_not_offered_to_an_address_that_changed(
    ready: Path, ssh_server: SshServer, home: Path
) -> None:
    lines = [ssh_server.known_hosts()]
    (ready / ".dvc/config.local").write_text(f"['remote \"storage\"']\n    password = {servers.PASSWORD}\n")
    with servers.link_to(ssh_server) as link:
        lines.append(ssh_server.known_hosts(port=link.port))
        builders.write_tree(home / ".ssh", {"known_hosts": "".join(line.rstrip() + "\n" for line in lines)})
        assert cli(ready, "push").returncode == 0
        moved = ssh_server.url().replace(f":{ssh_server.port}/", f":{link.port}/")
        builders.set_default_remote(ready, moved)
        builders.track_file(ready, "b.bin", "b")
        connections = link.connections
        for extra in ((), ("--json",)):
            done = cli(ready, "push", *extra)
            assert done.returncode == 3 and b"remote trust storage --address" in done.stderr
        assert link.connections == connections, "nothing connects before the user said so"
        assert cli(ready, "remote", "trust", "storage", "--address").returncode == 0
        done = cli(ready, "push")
    assert done.returncode != 0 and str(link.port).encode() in done.stderr
    assert b"Log in" in done.stderr


class Watch:
    """Looks at the arguments and environment of every other process, again and again."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.rounds = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        words = (servers.PASSWORD.encode(), CANARY.encode())
        while not self._stop.wait(0.05):
            self.rounds += 1
            for place in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
                try:
                    data = place.read_bytes()
                except OSError:
                    continue
                if any(word in data for word in words) and b"modify" not in data:
                    self.found.append(f"{place}: {data[:200]!r}")
