"""Nothing gets its final name before its content is durable, and no name is announced before its folder is (R1).

Every rename into the project or the remote is watched from outside: its source must have been synced since the
last write to it, and its folder afterwards, before the program ends. One sync of the file system counts for all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import builders
from team import World, change_data, make_world

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

_CALLS = "write,pwrite64,writev,sendfile,copy_file_range,ftruncate,ioctl,fsync,fdatasync,syncfs,rename,renameat,renameat2"
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
_RENAME = re.compile(r'^(?:(AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)", (?:(AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"')
#: Written anew at any time (locks, what is remembered, Git's index), or by the Git server.
_PASSING = re.compile(
    r"/\.dvc/tmp/(?!modelkeep/(publish|restore|op)\.json)|/\.git/index$|/COMMIT_EDITMSG$|/origin\.git/"
)


class Audit:
    """Reads what strace saw, one call after the other, and collects what broke the rule."""

    def __init__(self, top: Path) -> None:
        self._top = str(top)
        self._written: set[str] = set()
        self._unsynced: dict[str, str] = {}
        self.renames = 0
        self.findings: list[str] = []

    def read(self, text: str) -> None:
        for line in text.splitlines():
            found = _LINE.match(line)
            if found and found[4] != "-1":
                self._call(found[2], found[3])
        self.findings += [f"folder of {name} not synced" for name in self._unsynced.values()]

    def _call(self, name: str, words: str) -> None:
        place = re.match(r"\d+<([^>]*)>", words)
        if name.startswith("rename"):
            self._rename(words)
        elif name == "syncfs":
            self._written.clear()
            self._unsynced.clear()
        elif name in ("fsync", "fdatasync") and place:
            self._written.discard(place[1])
            self._unsynced.pop(place[1], None)
        elif place and (name != "ioctl" or "FICLONE" in words):
            self._written.add(place[1])

    def _rename(self, words: str) -> None:
        found = _RENAME.match(words)
        assert found, words
        source = os.path.join(found[2] or "", found[3])
        target = os.path.join(found[5] or "", found[6])
        if not target.startswith(self._top) or _PASSING.search(target):
            return
        self.renames += 1
        if source in self._written:
            self.findings.append(f"{target} named before its content was synced")
        self._unsynced[os.path.dirname(target)] = target


def audit(world: World, *words: str) -> Audit:
    log = world.folder / "strace.log"
    command = ["strace", "-f", "-y", "-qq", "-s", "4096", "-o", str(log), "-e", f"trace={_CALLS}"]
    done = subprocess.run(
        [*command, sys.executable, "-m", "modelkeep", *words],
        cwd=world.project,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip("strace is not allowed here")
    assert done.returncode == 0, done.stderr
    found = Audit(world.folder)
    found.read(log.read_text())
    return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The team's project with unpublished work in it, more files than are synced one by one."""
    made = make_world(tmp_path / "world")
    change_data(made.project)
    builders.write_tree(made.project, {f"data/many/{number}": str(number) for number in range(20)})
    return made


def test_add_push_publish_and_restore(world: World) -> None:
    moves = (("add", "data"), ("push",), ("publish", "v1.1", "-m", "More"), ("restore", "v1.0", "--detach"))
    for words in moves:
        found = audit(world, *words)
        assert found.findings == [], words
        assert found.renames > 1, words


def test_the_audit_sees_what_is_missing() -> None:
    watched = Audit(Path("/p"))
    watched.read('1 write(3</p/.t>, "x", 1) = 1\n1 rename("/p/.t", "/p/t") = 0')
    assert len(watched.findings) == 2
