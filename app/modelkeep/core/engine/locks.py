"""DVC's own locks, so that a colleague's `dvc` and Modelkeep never change one project at the same time.

Two locks, as DVC 3 uses them (dvc-format §4.4): the main lock `.dvc/tmp/lock`, held by every operation, and
`.dvc/tmp/rwlock`, a list of paths in use that `dvc repro` keeps while it runs a command. Knows nothing of what
the locks protect.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from modelkeep.core.durable import write_file
from modelkeep.core.engine.locks_file import FileLock, process_exists, process_name
from modelkeep.core.engine.locks_hardlink import HardlinkLock
from modelkeep.core.errors import Busy, UnsafePath
from modelkeep.core.paths import Tree

_MAIN = ".dvc/tmp/lock"
_RWLOCK = ".dvc/tmp/rwlock"
_GUARD = ".dvc/tmp/rwlock.lock"

Info = dict[str, Any]
Paths = dict[str, dict[str, Any]]


@contextlib.contextmanager
def project_lock(
    root: Path,
    config_hardlink_lock: bool,
    *,
    command: str,
    write: Sequence[Path] = (),
    read: Sequence[Path] = (),
    timeout: float = 3.0,
) -> Iterator[None]:
    """Hold DVC's main lock on the project at `root`, and claims on the absolute paths `write` and `read`.

    Waits up to `timeout` seconds, then raises Busy naming who holds it. `command` is what others are told.
    Not re-entrant: a second use, also in another thread of this program, waits like a stranger. Where the
    project's config says so (`core.hardlink_lock`), the locks are hard links.
    """
    tree = Tree(root, system=True)
    deadline = time.monotonic() + timeout
    kind = HardlinkLock if config_hardlink_lock else FileLock
    with _locked(kind(tree, _MAIN), deadline):
        claims = _Claims(tree, {"pid": os.getpid(), "cmd": command}, deadline, kind)
        with claims.held([str(path) for path in write], [str(path) for path in read]):
            yield


def claims(root: Path) -> list[tuple[str, int]]:
    """(path, process) of all that is claimed now, read without any lock; claims of dead processes among them."""
    try:
        state = _load(Tree(root, system=True))
    except (Busy, OSError, UnsafePath):
        return []
    written = [(path, info["pid"]) for path, info in state["write"].items()]
    return written + [(path, info["pid"]) for path, infos in state["read"].items() for info in infos]


@contextlib.contextmanager
def _locked(lock: FileLock | HardlinkLock, deadline: float) -> Iterator[None]:
    while not lock.acquire():
        if time.monotonic() >= deadline:
            raise lock.busy() if isinstance(lock, HardlinkLock) else _busy(lock.holder())
        time.sleep(0.1)
    try:
        yield
    finally:
        lock.release()


def _busy(pid: int | None) -> Busy:
    who = "Another program"
    if pid is not None:
        name = process_name(pid)
        who = f"Process {pid} ({name})" if name else f"Process {pid}"
    return Busy(
        "Another program is working on this project.",
        detail=f"{who} holds the project's lock.",
        hint="Wait until it is done, then try again.",
    )


class _Claims:
    """Our entries in the rwlock file."""

    def __init__(
        self, tree: Tree, info: Info, deadline: float, lock: type[FileLock] | type[HardlinkLock]
    ) -> None:
        self._guard = lock(tree, _GUARD)
        self._tree = tree
        self._info = info
        self._deadline = deadline

    @contextlib.contextmanager
    def held(self, write: Sequence[str], read: Sequence[str]) -> Iterator[None]:
        """Claim the paths while inside."""
        if not write and not read:
            yield
            return
        while (blocker := self._claim(write, read)) is not None:
            if time.monotonic() >= self._deadline:
                raise blocker
            time.sleep(0.1)
        try:
            yield
        finally:
            self._release(write, read)

    def _claim(self, write: Sequence[str], read: Sequence[str]) -> Busy | None:
        with _locked(self._guard, self._deadline):
            state = _prune(_load(self._tree))
            blocker = self._blocker(state, write, read)
            if blocker is None:
                for path in write:
                    state["write"][path] = self._info
                for path in read:
                    readers = state["read"].setdefault(path, [])
                    if self._info not in readers:
                        readers.append(self._info)
                _save(self._tree, state)
        return blocker

    def _blocker(self, state: Paths, write: Sequence[str], read: Sequence[str]) -> Busy | None:
        claims = [(path, (info,)) for path, info in state["write"].items()]
        for path, infos in claims:
            if _in_the_way(path, (*write, *read)) and self._others(infos):
                return self._taken(path, infos[0])
        for path, infos in state["read"].items():
            others = self._others(infos)
            if others and _in_the_way(path, write):
                return self._taken(path, others[0])
        return None

    def _others(self, infos: Sequence[Info]) -> list[Info]:
        return [info for info in infos if info != self._info]

    @staticmethod
    def _taken(path: str, info: Info) -> Busy:
        return Busy(
            f"{path} is in use by another program.",
            detail=f"Process {info['pid']}: {info['cmd']}",
            hint="Wait until it is done, then try again.",
        )

    def _release(self, write: Sequence[str], read: Sequence[str]) -> None:
        with _locked(self._guard, time.monotonic() + 10):
            state = _load(self._tree)
            for path in write:
                if state["write"].get(path) == self._info:
                    del state["write"][path]
            for path in read:
                readers = self._others(state["read"].pop(path, []))
                if readers:
                    state["read"][path] = readers
            _save(self._tree, state)


def _in_the_way(path: str, ours: Sequence[str]) -> bool:
    """Whether one of `ours` is `path`, above it or beneath it."""
    ends = path.rstrip(os.sep) + os.sep
    return any(
        ends.startswith(one.rstrip(os.sep) + os.sep) or (one + os.sep).startswith(ends) for one in ours
    )


def _load(tree: Tree) -> Paths:
    """What is claimed, read under the guard. A file that a crash cut off counts as empty, unless it still
    names a process that is alive."""
    try:
        text = tree.read(_RWLOCK)
    except FileNotFoundError:
        return {"read": {}, "write": {}}
    try:
        state = json.loads(text)
        write = {str(path): _info(info) for path, info in state.get("write", {}).items()}
        read = {str(path): [_info(info) for info in infos] for path, infos in state.get("read", {}).items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
        pids = {int(digits) for digits in re.findall(rb'"pid": (\d{1,9})', text)} - {os.getpid()}
        alive = next(filter(process_exists, sorted(pids)), None)
        if alive is not None:
            raise _busy(alive) from None
        return {"read": {}, "write": {}}
    return {"read": read, "write": write}


def _info(info: Info) -> Info:
    return {"pid": int(info["pid"]), "cmd": str(info["cmd"])}


def _prune(state: Paths) -> Paths:
    """Without the claims of processes that are gone."""
    write = {path: info for path, info in state["write"].items() if process_exists(info["pid"])}
    read = {
        path: alive
        for path, infos in state["read"].items()
        if (alive := [info for info in infos if process_exists(info["pid"])])
    }
    return {"read": read, "write": write}


def _save(tree: Tree, state: Paths) -> None:
    """In DVC's own form, where a kind without claims is left out."""
    kept = {kind: claims for kind, claims in state.items() if claims}
    write_file(tree, _RWLOCK, json.dumps(kept).encode())
