"""Canary secrets in every place a project has for them: no command prints one, writes one or hands one to a child."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from modelkeep.cli import main
from modelkeep.cli.parser import COMMANDS
from modelkeep.core.logfile import start_log
from recorder import Recorder, recorder

LOCAL, REPO, OLD, URL, TYPED, WORD = (
    f"canary-{name}-7f3a" for name in ("local", "repo", "old", "url", "typed", "word")
)
ALL = [one.encode() for one in (LOCAL, REPO, OLD, URL, TYPED, WORD)]
PRINT = "SHA256:" + "A" * 43
#: In this order; each is run for people and for programs.
RUNS = (
    "status", "doctor", "remote list", "remote default", "versions --commits --remote", "show", "show HEAD", "diff",
    "add data", "push", "push -r lab", "status -c", "fetch", "fetch -r lab", "pull", "checkout",
    "publish v9 -m Next", "restore v9 --dry-run", "export v9 ../out", "gc -w -n", "remote test storage",
    "remote test lab", "login lab", "login lab --password-stdin", f"remote trust lab --fingerprint {PRINT}",
    "remote modify lab user bob", "push -r lab", "remote trust lab --address", f"remote modify lab password {WORD}",
    f"remote add x ssh://me:{WORD}@127.0.0.1:1/x", f"clone http://me:{WORD}@127.0.0.1:1/x ../clone", "login --migrate",
    "login --check-old", "login lab --forget", "doctor --online", "init ../new",
    f"setup --url ssh://me:{WORD}@127.0.0.1:1/x --name y --yes", "remote remove lab",
)  # fmt: skip
WINDOWS = {"open", "demo", "-h", "--help", "--version", "-C"}


@pytest.fixture
def server(home: Path) -> Iterator[Recorder]:
    """A server whose key is known, and which refuses everybody."""
    with recorder() as one:
        key = f"{one.key.get_name()} {one.key.get_base64()}\n"
        builders.write_tree(home / ".ssh", {"known_hosts": f"[127.0.0.1]:{one.port} {key}"})
        yield one


@pytest.fixture
def ready(project: Path, remote: Path, server: Recorder, home: Path) -> Path:
    """A project with canaries in its files, in the user's and in its history."""
    lab = f"['remote \"lab\"']\n    url = ssh://ann@127.0.0.1:{server.port}/srv\n"
    storage = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {remote}\n"
    builders.make_commit(project, {".dvc/config": f"{storage}{lab}    password = {OLD}\n"}, "Oh")
    bucket = f"['remote \"bucket\"']\n    url = s3://b/x\n    secret_access_key = {REPO}\n"
    web = f"['remote \"web\"']\n    url = https://me:{URL}@127.0.0.1:1/x\n"
    (project / ".dvc/config").write_text(storage + lab + bucket + web)
    (project / ".dvc/config.local").write_text(f"['remote \"lab\"']\n    password = {LOCAL}\n")
    builders.track_folder(project, "data", {"a": "a"})
    return project


class Children:
    """Looks at the arguments and environment of what this process starts, as often as it can."""

    def __init__(self) -> None:
        self.seen = 0
        self.found: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Children:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.004):
            for listing in Path("/proc/self/task").glob("*/children"):
                for pid in _text(listing).split():
                    data = _text(Path(f"/proc/{pid.decode()}/cmdline")) + _text(
                        Path(f"/proc/{pid.decode()}/environ")
                    )
                    self.seen += bool(data)
                    self.found += [word.decode() for word in ALL if word in data and word != WORD.encode()]


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_every_command_is_run() -> None:
    assert {one.split()[0] for one in RUNS} == COMMANDS - WINDOWS


@pytest.mark.expects_warnings
def test_no_command_gives_a_secret_away(
    ready: Path, server: Recorder, home: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    before = logging.getLogger().handlers[:]
    start_log()
    try:
        with Children() as children:
            for words in RUNS:
                for extra in ((), ("--json",)):
                    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TYPED}\n"))
                    code = main(["-C", str(ready), *words.split(), *extra], lambda *_: 0)
                    said = "".join(capsys.readouterr()).encode()
                    assert [word for word in ALL if word in said] == [], (words, said)
                    assert code in (0, 1, 2, 3), words
    finally:
        for handler in set(logging.getLogger().handlers) - set(before):
            logging.getLogger().removeHandler(handler)
            handler.close()
    assert children.seen > 20 and children.found == []
    assert {word for _, _, word in server.heard} >= {LOCAL, TYPED}, "else nothing was at risk"
    kept = {ready / ".dvc/config", ready / ".dvc/config.local"}
    for path in (one for place in (home, tmp_path) for one in place.rglob("*")):
        if path.is_file() and path not in kept:
            data = path.read_bytes()
            assert [word for word in ALL if word in data] == [], path
