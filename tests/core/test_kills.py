"""SIGKILL from outside at the calls that change a disk or a server: nothing is lost, and running again completes.

One complete run of each command is counted, and its moments spread evenly over that count; strace then ends the
real program at each of them. The kills of a command follow one another on the same project, so that what they
leave comes together. After each one every byte of the user is still there and no object bears a wrong name; the
run after the last completes by itself, and nothing temporary is left.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import builders
import servers
from team import World, change_data, data_of, make_world, replace_file

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

#: Without those that only the memory of hashes makes: how many depends on the time that has passed.
_NAMES = "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlinkat,rmdir,mkdir,mkdirat"
_DISK = f"{_NAMES},fsync,syncfs,fchmod"
_WRITES = "write,sendfile,copy_file_range"
_LINE = re.compile(r"(\w+)\((.*)")
AT_LEAST = 60


@dataclass(frozen=True)
class Chain:
    """A command that is killed at `kills` moments, and what finishes it.

    `reset` brings back, before each kill, the work there is to do (but not what kills left behind); `then` is
    killed in its turn after each kill of the command, `finish` completes. `calls` are those that count as moments.
    """

    words: tuple[str, ...]
    kills: int
    reset: Callable[[World], None]
    finish: tuple[str, ...]
    then: tuple[str, ...] = ()
    calls: str = f"{_DISK},{_WRITES}"
    between: tuple[float, float] = (0.0, 1.0)  # the part of the calls that moments are taken from


def _new_work(world: World) -> None:
    """Files that were never saved; the cache has lost what the remote has."""
    world.git("checkout", "--quiet", "--", ".")
    lose_objects(world.project / ".dvc/cache")


def _empty_remote(world: World) -> None:
    lose_objects(world.remote, keep_folders=isinstance(world, Far))


def _only_the_remote(world: World) -> None:
    lose_objects(world.project / ".dvc/cache")
    _no_data(world)


def _no_data(world: World) -> None:
    shutil.rmtree(world.project / "data", ignore_errors=True)
    (world.project / "model.bin").unlink(missing_ok=True)


def _anew(world: World) -> None:
    """The project as it was; the places beside it too."""
    shutil.rmtree(world.folder)
    shutil.copytree(f"{world.folder}.before", world.folder, symlinks=True)


def _forced(world: World) -> None:
    """Unsaved data in the place of what is restored."""
    _anew(world)
    builders.write_tree(world.project, {"data/labels.csv": "changed\n", "data/third.txt": "third\n"})


RESUME, CHECKOUT = ("publish", "--resume"), ("checkout",)
FORCE = ("restore", "v1.0", "data", "-f")
CHAINS = {
    "add": Chain(("add", "data", "model.bin"), 10, _new_work, ("add", "data", "model.bin")),
    "push": Chain(("push",), 9, _empty_remote, ("push",)),
    "pull": Chain(("pull",), 10, _only_the_remote, ("pull",)),
    "checkout": Chain(CHECKOUT, 8, _no_data, CHECKOUT),
    "publish": Chain(("publish", "v1.2", "-m", "Next"), 6, _anew, RESUME, then=RESUME),
    "restore": Chain(("restore", "v1.0", "--branch", "old"), 4, _anew, CHECKOUT, then=CHECKOUT),
    "force": Chain(FORCE, 3, _forced, FORCE, then=FORCE),
}
#: Not the words of the login, and not the last ones: how many packets an upload takes depends on the link's pace.
_UPLOAD = (0.4, 0.75)
FAR = {
    "push shell": Chain(("push",), 6, _empty_remote, ("push",), calls="sendto", between=_UPLOAD),
    "push sftp_only": Chain(("push",), 6, _empty_remote, ("push",), calls="sendto", between=_UPLOAD),
}
CHANGED = ("add", "publish")


def lose_objects(place: Path, *, keep_folders: bool = False) -> None:
    """Everything under a final name, but nothing temporary."""
    for folder in (place / "files/md5").glob("[0-9a-f][0-9a-f]"):
        for path in folder.iterdir():
            if not path.name.endswith(".tmp"):
                path.unlink()
        if not keep_folders and not list(folder.iterdir()):
            folder.rmdir()


# -- worlds --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Far(World):
    """A world whose remote is on a server."""

    stored: Path = Path()

    @property
    def remote(self) -> Path:
        return self.stored


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with v1.0 and v1.1 published."""
    world = make_world(tmp_path_factory.mktemp("kills") / "world")
    change_data(world.project)
    builders.write_tree(world.project, {f"data/many/{number}": f"{number}\n" for number in range(20)})
    world.run("publish", "v1.1", "-m", "More data")
    yield world.folder


@pytest.fixture
def world(_made: Path, tmp_path: Path, name: str) -> World:
    """The world of the chain `name`."""
    world = World(tmp_path / "world")
    shutil.copytree(_made, world.folder, symlinks=True)
    if name in CHANGED:
        new = {f"data/new/{number}": f"new {number}\n" for number in range(20)}
        builders.write_tree(world.project, {"data/labels.csv": "changed\n", **new})
        replace_file(world.project / "model.bin", builders.some_bytes(90_000, seed=9))
    shutil.copytree(world.folder, f"{world.folder}.before", symlinks=True)
    return world


@pytest.fixture
def far(world: World, name: str, ssh_server: servers.SshServer, home: Path) -> Far:
    """The same with its remote on the account that `name` ends with, reached by key."""
    account: servers.Account | None = getattr(ssh_server, name.split()[-1])
    if account is None:
        pytest.skip(servers.NO_ROOT)
    folder = f"kills-{world.folder.parent.name}"
    world.run("remote", "add", "-d", "far", ssh_server.url(account, folder))
    (world.project / ".dvc/config.local").write_text(f"['remote \"far\"']\n    keyfile = {ssh_server.key}\n")
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh/known_hosts").write_text(ssh_server.known_hosts())
    world.run("push")
    return Far(world.folder, account.folder / folder)


# -- killing -------------------------------------------------------------------------------------------


def traced(world: World, words: tuple[str, ...], *options: str) -> int:
    """Run the command under strace and return how it ended."""
    done = subprocess.run(
        ["strace", "-qq", *options, sys.executable, "-m", "modelkeep", *words],
        cwd=world.project,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode in (0, -9, 137), done.stderr
    return done.returncode


def moments(world: World, chain: Chain) -> list[tuple[str, int]]:
    """Run the command to its end, and return (call, its number) of moments spread evenly over it."""
    log = world.folder.parent / "calls"
    assert traced(world, chain.words, "-o", str(log), "-e", f"trace={chain.calls}") == 0
    seen: dict[str, int] = {}
    found: list[tuple[str, int]] = []
    for line in log.read_text().splitlines():
        if call := _LINE.match(line):
            seen[call[1]] = seen.get(call[1], 0) + 1
            if call[1] not in _WRITES.split(",") or not call[2].startswith(("1,", "2,")):
                found.append((call[1], seen[call[1]]))
    first, last = (len(found) * part for part in chain.between)
    step = (last - first) / (chain.kills + 1)
    points = [found[int(first + step * (number + 1))] for number in range(chain.kills)]
    assert len(set(points)) == chain.kills, "it makes too few calls for so many moments"
    return points


def kill(world: World, words: tuple[str, ...], call: str, number: int) -> bool:
    """Run the command until it makes the call with this number; False if it ended before."""
    inject = ["-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]
    return traced(world, words, *inject) != 0


# -- what must hold ------------------------------------------------------------------------------------


def places(world: World) -> list[Path]:
    return [world.project / "data", world.project / ".dvc/cache", world.remote]


def contents(world: World) -> set[str]:
    """The hash of every file there is, tracked data and objects, under whatever name."""
    files = [path for place in places(world) for path in place.rglob("*") if path.is_file()]
    files += [path for path in [world.project / "model.bin"] if path.is_file()]
    return {hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def objects(world: World) -> set[str]:
    """The names of all objects, on both sides."""
    paths = [path for place in places(world) for path in place.glob("files/md5/[0-9a-f][0-9a-f]/[0-9a-f]*")]
    return {f"{path.parent.name}{path.name}".removesuffix(".dir") for path in paths}


def assert_objects_are_right(world: World) -> None:
    """No object bears a wrong name, and on the remote a manifest has all its files."""
    for place in (world.project / ".dvc/cache/files/md5", world.remote / "files/md5"):
        for path in place.glob("[0-9a-f][0-9a-f]/*"):
            if path.name.endswith(".tmp"):
                continue
            data = path.read_bytes()
            assert builders.md5(data) == f"{path.parent.name}{path.name}".removesuffix(".dir"), path
            if path.name.endswith(".dir") and place.is_relative_to(world.remote):
                names = [row["md5"] for row in json.loads(data)]
                assert [one for one in names if not (place / one[:2] / one[2:]).exists()] == [], path


def leftovers(world: World) -> list[Path]:
    """What is temporary, in the project and on the remote.

    What was sent to a server by itself stays there under its temporary name, which nobody takes for an object.
    """
    found = [path for place in (world.project, world.remote) for path in place.rglob("*.tmp")]
    if isinstance(world, Far):
        return [path for path in found if not (path.is_file() and path.is_relative_to(world.remote))]
    return found


def age(world: World) -> None:
    """Make everything temporary old enough to belong to nobody at work."""
    for path in leftovers(world):
        old = time.time() - 3 * 86400
        os.utime(path, (old, old))


def wait_for_the_server(world: World) -> None:
    """A server notices by itself that its client is gone, and clears up what it was unpacking."""
    deadline = time.monotonic() + 10
    while list(world.remote.glob("files/md5/.modelkeep-*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize("name", CHAINS)
def test_kills_lose_nothing_and_are_made_good(world: World, name: str) -> None:
    _kill_and_complete(world, name, CHAINS[name])


@pytest.mark.parametrize("name", FAR)
def test_kills_of_a_push_to_a_server(far: Far, name: str) -> None:
    _kill_and_complete(far, name, FAR[name])


def _kill_and_complete(world: World, name: str, chain: Chain) -> None:
    project = world.project
    wanted = data_of(project)
    chain.reset(world)
    if chain.words == ("push",):  # what it remembers of a remote outside the project is written once
        world.run(*chain.words)
        chain.reset(world)
    points = moments(world, chain)
    chain.reset(world)
    kept = {builders.md5(data) for data in wanted.values()} | objects(world)
    for call, number in points:
        at = f"{name} killed at {call} {number}"
        assert _killed_near(world, chain, call, number), f"{at}: it ended before"
        assert_survived(world, kept, at)
        if chain.then and _is_needed(world, chain.then):
            at += f", then {' '.join(chain.then)} at its third sync"
            assert kill(world, chain.then, "fsync", 3), f"{at}: it ended before"
            assert_survived(world, kept, at)
    age(world)
    world.run(*chain.finish, expect=0 if _is_needed(world, chain.finish) else 2)
    assert_survived(world, kept, f"{name} completed")
    status = json.loads(world.run("status", "--json").out)
    assert status["problems"] == []
    assert {one["state"] for one in status["outputs"]} == {"unchanged"}
    assert leftovers(world) == []


def _killed_near(world: World, chain: Chain, call: str, number: int) -> bool:
    """What earlier kills left behind may spare a run some calls, and how many packets go out with one call depends
    on the moment: then it is killed some calls sooner."""
    for sooner in (number, number * 9 // 10, number * 3 // 4, number // 2, number // 3):
        chain.reset(world)
        if kill(world, chain.words, call, max(1, sooner)):
            return True
    return False


def assert_survived(world: World, kept: set[str], at: str) -> None:
    wait_for_the_server(world)
    assert kept - contents(world) == set(), at
    assert_objects_are_right(world)


def _is_needed(world: World, words: tuple[str, ...]) -> bool:
    """A publish that was killed before it put anything on record has nothing to resume."""
    return words != RESUME or (world.project / ".dvc/tmp/modelkeep/publish.json").exists()


def test_there_are_many_kills() -> None:
    """Each is sure to happen: a command that ends before its moment fails its chain."""
    assert sum(one.kills for one in (*CHAINS.values(), *FAR.values())) >= AT_LEAST
