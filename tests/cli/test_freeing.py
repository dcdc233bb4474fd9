"""A clean-up asks on a terminal, after it has shown what it would do; anything but a plain yes means no."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from cleaning import backup, here, save
from modelkeep.cli import main


@pytest.fixture
def work(project: Path, remote: Path) -> Path:
    """A project whose older version is garbage for `-w`, and on the remote."""
    builders.set_default_remote(project, str(remote))
    for content in ("old", "now"):
        save(project, f=content)
    backup(project, remote)
    return project


def on_a_terminal(*words: str, cwd: Path, answer: str) -> tuple[int, str]:
    """How the command ends if a person types `answer`, and what the screen shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "modelkeep", *words], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, answer.encode() + b"\n")
        screen = b""
        try:
            while part := os.read(ours, 4096):
                screen += part
        except OSError:  # the other side is closed
            pass
    os.close(ours)
    return process.returncode, screen.decode()


@pytest.mark.parametrize(
    ("answer", "code", "stays"), [("yes", 0, {"now"}), ("y", 3, {"old", "now"}), ("", 3, {"old", "now"})]
)
def test_it_asks_after_it_has_told(work: Path, answer: str, code: int, stays: set[str]) -> None:
    ended, screen = on_a_terminal("gc", "-w", cwd=work, answer=answer)
    assert ended == code, screen
    assert screen.index("to be removed") < screen.index("Type yes")
    assert here(work, "old", "now") == stays


def test_a_remote_is_not_a_matter_of_a_key(work: Path, remote: Path) -> None:
    """A yes that is typed quickly is not plain enough where others lose data."""
    for path in remote.rglob("*"):
        os.utime(path, (time.time() - 86400,) * 2)
    ended, screen = on_a_terminal("gc", "-w", "-c", cwd=work, answer="yes")
    assert ended == 3 and "gone for everybody" in screen and "Type yes" not in screen
    assert here(work, "old", "now") == {"old", "now"}
    main(["-C", str(work), "gc", "-w", "-c", "--yes"], lambda *_: 0)
    assert here(work, "old", "now") == {"now"} and len(list(remote.glob("files/md5/*/*"))) == 1


Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(work: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `modelkeep gc` in this process, without a terminal; gives what it says on both channels."""

    def call(*words: str, expect: int = 0) -> tuple[str, str]:
        code = main(["-C", str(work), "gc", *words], lambda *_: 0)
        said = capsys.readouterr()
        assert code == expect, said
        return said.out, said.err

    return call


def test_words_that_make_no_sense(run: Run) -> None:
    assert "which versions to keep" in run(expect=2)[1]
    run("-w", "--purge", expect=2)
    run("--keep-days", "-1", expect=2)
    run("--rev", "nothing-like-that", expect=1)


def test_without_a_terminal_it_takes_a_yes(run: Run, work: Path) -> None:
    out, err = run("-w", expect=3)
    assert "1 object, 3 B to be removed" in out and "--yes" in err
    run("-w", "--json", expect=3)
    run("-w", "--dry-run")
    assert here(work, "old", "now") == {"old", "now"}
    assert "3 days" in run("--keep-days", "3")[0]
    assert "For 3 days" in run("-w", "-y")[0]
    assert here(work, "old", "now") == {"now"}
    assert "There" not in run("-w", "-y")[0], "with nothing to do it is no matter of a yes"


def test_one_document_for_programs(run: Run, work: Path) -> None:
    plan = json.loads(run("-w", "--dry-run", "--json")[0])
    assert plan["remove"]["objects"] == 1 and plan["done"] is None
    assert plan["remove"]["belong_to"][0]["path"] == "f"
    assert json.loads(run("-w", "--yes", "--json")[0])["done"]["from_cache"] == 1
    assert json.loads(run("--undo", "--json")[0])["files"] == 1
    assert here(work, "old", "now") == {"old", "now"}


def test_what_is_in_quarantine_is_freed_after_a_yes(run: Run) -> None:
    run("-w", "-y")
    assert "for good?" in run("--purge", expect=3)[1]
    run("--purge", "--yes")
    assert "still kept" in run("--undo", expect=1)[1]


def test_what_everybody_must_know_is_said(run: Run, work: Path) -> None:
    assert "came a short while ago: 1" in run("-w", "-c", "-n")[0]
    (work / ".dvc/config.local").write_text("[cache]\n    shared = group\n")
    assert "shared with a group" in run("-a", "-n")[0]
    (work / "f.dvc").write_text("")
    out, err = run("-w", "-y", "--json", expect=3)
    assert out == "" and "f.dvc" in json.loads(err)["title"]
