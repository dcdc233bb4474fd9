"""Who holds a project's locks at this moment, without taking any of them. Knows where locks lie, not what for."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from modelkeep.core.engine.locks import claims
from modelkeep.core.engine.locks_file import FileLock, process_exists, process_name
from modelkeep.core.paths import Tree, visible

_MAIN = ".dvc/tmp/lock"
#: Seconds after which Git's own lock was left behind by a program that was killed.
_OLD = 300.0


class HeldLock(NamedTuple):
    """A lock that somebody holds. `who` names the process for people; `is_stale` if nobody seems to be there."""

    path: str
    who: str
    is_stale: bool = False


def held_locks(root: Path, git_dir: Path | None) -> tuple[HeldLock, ...]:
    """The locks of the project at `root` and of its Git folder that are held now."""
    found = [*_main(root), *_claimed(root)]
    index = git_dir / "index.lock" if git_dir is not None else None
    if index is not None and index.exists():
        is_old = time.time() - index.stat().st_mtime > _OLD
        found.append(HeldLock(os.fspath(index), "a git command", is_old))
    return tuple(found)


def _main(root: Path) -> list[HeldLock]:
    path = root / _MAIN
    try:
        facts = path.stat()
    except OSError:
        return []
    if facts.st_nlink > 1:  # core.hardlink_lock: the name itself is the lock, whoever has it
        return [HeldLock(_MAIN, "a program that uses hard links as locks, on this or another machine")]
    tree = Tree(root, system=True)
    if not _is_locked(path):
        return []
    return [HeldLock(_MAIN, _who(FileLock(tree, _MAIN).holder()))]


def _is_locked(path: Path) -> bool:
    """Whether another holds it alone; tried with a lock that others may share, for a moment."""
    try:
        import fcntl
    except ImportError:  # Windows: only taking it would tell
        return False
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _claimed(root: Path) -> list[HeldLock]:
    """What `dvc repro` and the like have in use."""
    found: dict[int, str] = {}
    for path, pid in claims(root):
        found.setdefault(pid, path)
    return [HeldLock(visible(path), _who(pid)) for pid, path in found.items() if process_exists(pid)]


def _who(pid: int | None) -> str:
    name = visible(process_name(pid))[:200] if pid is not None else ""
    return (f"process {pid} ({name})" if name else f"process {pid}") if pid is not None else "another program"
