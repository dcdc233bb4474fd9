"""The command line over repositories made to do harm: a sentence or a harmless result, in time, nothing outside."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import hostile
from hostile_cases import CASES
from modelkeep.cli import main

LIMIT = 20.0  # seconds: what hangs hangs longer, and a busy machine needs its time


class TooSlow(BaseException):
    """A command did not end in time."""


@contextmanager
def in_time() -> Iterator[None]:
    """At most LIMIT seconds; a blocked system call is interrupted."""

    def stop(*_: object) -> None:
        raise TooSlow

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> hostile.Place:
    """The project that every case damages a copy of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_AUTHOR_NAME", "T")
        return hostile.make_place(tmp_path_factory.mktemp("template"))


@pytest.fixture
def place(template: hostile.Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> hostile.Place:
    """A fresh copy."""
    folder = template.project.parent
    shutil.copytree(folder, tmp_path / "x", symlinks=True)
    monkeypatch.setenv("MARKER", str(tmp_path / "x/outside/marker"))
    moved = {key: tmp_path / "x" / key for key in ("project", "storage", "outside")}
    return replace(template, **moved)


def untouchable(place: hostile.Place, home: Path) -> dict[str, object]:
    """What no command may change: everything outside, the home, and what Git would run or obey."""
    git = {name: hostile.canary(place.project / ".git" / name) for name in ("hooks", "info")}
    config = (place.project / ".git/config").read_bytes()
    own = {name: facts for name, facts in hostile.canary(home).items() if not name.startswith("modelkeep")}
    return {"outside": hostile.canary(place.outside), "git": git, "config": config, "home": own}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_repository_does_no_harm(
    name: str, place: hostile.Place, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant, commands = CASES[name]
    plant(place)
    (place.project / "new.bin").write_bytes(b"new")
    before = untouchable(place, home)
    wrong = []
    os.chdir(place.project)
    for words in commands:
        try:
            with in_time():
                main(("-C", str(place.project), *words), lambda *_: 0)
        except TooSlow:
            wrong.append(f"{words}: not done after {LIMIT} s")
        except SystemExit as error:
            assert error.code in (0, 2)
        except Exception as error:
            wrong.append(f"{words}: {error!r}")
        said = capsys.readouterr()
        for sign in ("\x1b]", "\x1b[2J", "\u202e", "Traceback"):
            if sign in said.out + said.err:
                wrong.append(f"{words}: shows {sign!r}")
        after = untouchable(place, home)
        wrong += [f"{words}: touched {part}" for part in before if before[part] != after[part]]
        before = after
    assert not wrong
