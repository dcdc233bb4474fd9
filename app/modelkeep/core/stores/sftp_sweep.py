"""Removes from a server what killed uploads left beside objects, over one SFTP session. Knows no SSH."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from modelkeep.core.leftovers import is_temp_name
from modelkeep.core.progress import Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.sftp import Flow, Job, Session
from modelkeep.core.stores.sftp_list import read_folder
from modelkeep.core.stores.sftp_wire import Attrs

#: Folders one run looks into: a few more of them with each push, and never a wait that anybody notices.
MOST = 32
_STALE = 86400  # seconds


def sweep(
    session: Session, folders: Iterable[str], path: Callable[[str], bytes], now: float, progress: Progress
) -> None:
    """Remove the temporary files in `folders` that nobody has written to for a day.

    What is written last is known to be new, because this run has just stored something there: so no clock has
    to be right, neither the server's nor ours (`now`). Refusals are left to the next run.
    """
    session.run((partial(_sweep_one, folder, path, now) for folder in folders), progress=progress)


def _sweep_one(folder: str, path: Callable[[str], bytes], now: float, flow: Flow) -> Job:
    temps: list[tuple[int, str]] = []
    newest = 0

    def found(name: str, attrs: Attrs) -> None:
        nonlocal newest
        if attrs.mtime is not None and attrs.mode is not None and attrs.is_file:
            newest = max(newest, attrs.mtime)
            if is_temp_name(name):
                temps.append((attrs.mtime, name))

    yield from read_folder(flow, path(folder), found)
    for written, name in temps:
        if min(newest, now) - written > _STALE:
            key = f"{folder}/{name}" if folder else name
            flow.send(wire.REMOVE, wire.string(path(key)), lambda _: None)
    yield 0
