"""Nothing gets its final name before its content is durable, and no name is announced before its folder is (R1).

Every call that names something in the project or the remote is watched from outside: a file must have been
synced since the last write to it when it is renamed or linked to its name, and at the end every folder that got
a new name in it (a file's or another folder's) must have been synced since. A folder that is renamed
must have been synced with all that is in it. One sync of the file system counts for all.
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

_WRITES = "write,pwrite64,writev,sendfile,copy_file_range,ftruncate,ioctl"
_NAMES = "rename,renameat,renameat2,link,linkat,mkdir,mkdirat,rmdir,unlink,unlinkat"
_CALLS = f"{_WRITES},{_NAMES},openat,fsync,fdatasync,syncfs,chdir,fork,vfork,clone,clone3"
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_CUT = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>")
_REST = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
#: A name, and what it is relative to where that is said.
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"')
#: Written anew at any time (locks, what is remembered, Git's index and reflogs), or by the Git server.
_PASSING = re.compile(
    r"/\.dvc/tmp(?!/modelkeep/(publish|restore|op)\.json)|/\.git/(modelkeep-)?index|/COMMIT_EDITMSG$|/origin\.git/"
    r"|/\.git/logs/|/(\.[\w-]{22}\.tmp|tmp_obj_\w+|[\w.-]+\.lock)$"
)


class Audit:
    """Reads what strace saw, one call after the other, and collects what broke the rule."""

    def __init__(self, top: Path, cwd: Path) -> None:
        self._top = f"{top}/"
        self._first = str(cwd)
        self._cwd: dict[str, str] = {}
        self._cut: dict[str, str] = {}
        self._written: set[str] = set()
        self._made: set[str] = set()  # files made under a final name
        self._unsynced: dict[str, str] = {}  # what is new in a folder that was not synced since
        self._inner: set[str] = set()  # folders of passing names that were not synced since
        self.names = 0
        self.folders = 0
        self.findings: list[str] = []

    def read(self, text: str) -> None:
        for line in text.splitlines():
            if cut := _CUT.match(line):
                self._cut[cut[1]] = cut[2]
                continue
            if rest := _REST.match(line):
                line = f"{rest[1]} {self._cut.pop(rest[1], '')}{rest[2]}"
            if (found := _LINE.match(line)) and found[4] != "-1":
                self._call(found[1], found[2], found[3], found[4])
        self.findings += [f"{name} made in place and not synced" for name in self._made & self._written]
        self.findings += [f"folder of {name} not synced" for name in self._unsynced.values()]

    def _call(self, pid: str, name: str, words: str, result: str) -> None:
        place = re.match(r"\d+<([^>]*)>", words)
        if name in ("fork", "vfork", "clone", "clone3"):
            self._cwd.setdefault(result, self._cwd.get(pid, self._first))
        elif name == "chdir":
            self._cwd[pid] = self._paths(pid, words)[0]
        elif name == "syncfs":
            self._written.clear()
            self._unsynced.clear()
            self._inner.clear()
        elif name in ("fsync", "fdatasync") and place:
            self._written.discard(place[1])
            self._unsynced.pop(place[1], None)
            self._inner.discard(place[1])
        elif name in _NAMES.split(","):
            self._name(name, self._paths(pid, words))
        elif name == "openat":
            if "O_CREAT" in words and self._new(path := self._paths(pid, words)[0]):
                self._made.add(path)
        elif place and (name != "ioctl" or "FICLONE" in words):
            self._written.add(place[1])

    def _paths(self, pid: str, words: str) -> list[str]:
        cwd = self._cwd.get(pid, self._first)
        return [
            os.path.normpath(os.path.join(cwd, one[1] or "", one[2]))
            for one in _PATH.finditer(words)
            if one[2]
        ]

    def _name(self, name: str, paths: list[str]) -> None:
        if name.startswith(("unlink", "rmdir")):
            self._unsynced = {
                at: new for at, new in self._unsynced.items() if at != paths[0] and new != paths[0]
            }
            self._made.discard(paths[0])
            self._written.discard(paths[0])
        elif name.startswith("mkdir"):
            self.folders += self._new(paths[0])
        elif self._new(paths[1]):
            self.names += 1
            inside = f"{paths[0]}/"
            loose = [path for path in self._written | self._inner if f"{path}/".startswith(inside)]
            if loose:
                self.findings.append(f"{paths[1]} named before {loose[0]} was synced")

    def _new(self, path: str) -> bool:
        is_ours = path.startswith(self._top) and not _PASSING.search(path)
        if is_ours:
            self._unsynced[os.path.dirname(path)] = path
        else:
            self._inner.add(os.path.dirname(path))
        return is_ours


def audit(world: World, *words: str) -> Audit:
    log = world.folder / "strace.log"
    command = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-qq",
        "-s",
        "4096",
        "-o",
        str(log),
        "-e",
        f"trace={_CALLS}",
    ]
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
    found = Audit(world.folder, world.project)
    found.read(log.read_text())
    return found


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The team's project with unpublished work in it, more files than are synced one by one."""
    made = make_world(tmp_path_factory.mktemp("audit") / "world")
    change_data(made.project)
    builders.write_tree(made.project, {f"data/many/{number}": str(number) for number in range(20)})
    return made


@pytest.fixture
def world(_made: World, tmp_path: Path) -> World:
    shutil.copytree(_made.folder, tmp_path / "world", symlinks=True)
    return World(tmp_path / "world")


def assert_durable(world: World, *words: str, names: int, folders: int) -> None:
    """The command keeps the rule, while it gives at least so many names and makes at least so many folders."""
    found = audit(world, *words)
    assert found.findings == [], words
    assert found.names >= names and found.folders >= folders, (words, found.names, found.folders)


def test_add_push_publish_and_restore(world: World) -> None:
    assert_durable(world, "add", "data", names=22, folders=10)
    assert_durable(world, "push", names=22, folders=10)
    assert_durable(world, "publish", "v1.1", "-m", "More", names=8, folders=2)
    assert_durable(world, "restore", "v1.0", "--detach", names=3, folders=0)


def test_push_pull_and_checkout_where_nothing_is_yet(world: World) -> None:
    world.git("stash", "--quiet")
    project = world.project
    shutil.rmtree(world.remote)
    assert_durable(world, "push", names=5, folders=6)
    for path in (".dvc/cache", ".dvc/tmp", "data"):
        shutil.rmtree(project / path, ignore_errors=True)
    (project / "model.bin").unlink()
    assert_durable(world, "pull", names=8, folders=8)
    shutil.rmtree(project / "data")
    assert_durable(world, "checkout", names=2, folders=0)


def test_the_first_add_of_one_file(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    builders.make_project(world.project)
    (world.project / "one.bin").write_bytes(b"1")
    assert_durable(world, "add", "one.bin", names=3, folders=4)


BROKEN = {
    "a rename before the sync": '1 write(3</p/.t>, "x", 1) = 1\n1 rename("/p/.t", "/p/t") = 0\n1 fsync(4</p>) = 0',
    "a folder not synced after it": '1 write(3</p/.t>, "x", 1) = 1\n1 fsync(3</p/.t>) = 0\n1 rename("/p/.t", "/p/t") = 0',
    "a new folder": '1 mkdir("/p/new", 0777) = 0\n1 fsync(3</p/new>) = 0',
    "a relative name of a child": '1 vfork() = 2\n2 chdir("/p/x") = 0\n2 link("t", "a/b") = 0\n1 fsync(4</p/a>) = 0',
    "a file made in place": '1 openat(AT_FDCWD</>, "/p/f", O_WRONLY|O_CREAT, 0666) = 3</p/f>\n'
    '1 write(3</p/f>, "x", 1) = 1\n1 fsync(4</p>) = 0',
    "a folder with a file not synced": '1 write(3</p/.dvc/tmp/s/a/f>, "x", 1) = 1\n'
    '1 rename("/p/.dvc/tmp/s/a", "/p/a") = 0\n1 fsync(4</p>) = 0',
    "a folder with a name not synced": '1 openat(AT_FDCWD</>, "/p/.dvc/tmp/s/a/f", O_WRONLY|O_CREAT, 0666) = 3</p/.dvc/tmp/s/a/f>\n'
    '1 rename("/p/.dvc/tmp/s/a", "/p/a") = 0\n1 fsync(4</p>) = 0',
    "a call in two pieces": '1 mkdirat(3</p>, "new" <unfinished ...>\n2 fsync(3</p>) = 0\n1 <... mkdirat resumed>, 0777) = 0',
}


@pytest.mark.parametrize("kind", BROKEN)
def test_the_audit_sees_what_is_missing(kind: str) -> None:
    watched = Audit(Path("/p"), Path("/"))
    watched.read(BROKEN[kind])
    assert len(watched.findings) == 1, watched.findings
