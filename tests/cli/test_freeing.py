"""A clean-up asks on a terminal, after it has shown what it would do; anything but a plain yes means no."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

import builders
from cleaning import backup, here, save
from team import modelkeep


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
    modelkeep("gc", "-w", "-c", "--yes", cwd=work)
    assert here(work, "old", "now") == {"now"} and len(list(remote.glob("files/md5/*/*"))) == 1


def test_words_that_make_no_sense(work: Path) -> None:
    modelkeep("gc", cwd=work, expect=2)
    modelkeep("gc", "-w", "--purge", cwd=work, expect=2)
    modelkeep("gc", "--keep-days", "-1", cwd=work, expect=2)
    modelkeep("gc", "--rev", "nothing-like-that", cwd=work, expect=1)
    assert "3 days" in modelkeep("gc", "--keep-days", "3", cwd=work).out
    assert "For 3 days" in modelkeep("gc", "-w", "-y", cwd=work).out
