"""Listings over one SFTP session: the entries of a folder, and the sizes of many files at once. Knows no SSH."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from modelkeep.core.errors import StoreFailed
from modelkeep.core.progress import Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.sftp import Flow, Job, Session
from modelkeep.core.stores.sftp_wire import Reply

_EACH = 4  # a folder is listed where at least so many of its files are asked for, on average
_MUCH = 5  # times as many entries as were asked for, and then listing is no gain
_SPARE = 20_000
_MOST_NAMES = 4_000_000
_MOST_BYTES = 1 << 29  # of answers
_UNREADABLE = (wire.DENIED, wire.FAILURE)


class Limit:
    """Counts what a listing brings; a server that never comes to an end must not fill this machine."""

    def __init__(self) -> None:
        self._names = _MOST_NAMES
        self._bytes = _MOST_BYTES

    def check(self, names: int, size: int) -> None:
        """Count an answer. Raises StoreFailed where all of them are more than any remote has."""
        self._names -= names
        self._bytes -= size
        if self._names < 0 or self._bytes < 0:
            raise endless()


def endless() -> StoreFailed:
    """The error for a listing without an end."""
    return StoreFailed(
        f"The server lists more than {_MOST_NAMES:,} files, or names without end.",
        hint="Check the address of the remote: is it a folder for objects and nothing else?",
    )


class TooMany(Exception):
    """There is so much in the folders that asking for each file is the better way."""


def list_sizes(
    session: Session, keys: Sequence[str], path: Callable[[str], bytes], progress: Progress
) -> dict[str, int]:
    """The sizes of those of `keys` that are files, by listing their folders. Raises TooMany.

    Links count as what they lead to.
    """
    wanted = set(keys)
    folders = {key.rpartition("/")[0] for key in wanted}
    if len(folders) * _EACH > len(wanted):
        raise TooMany
    found: dict[str, int] = {}
    links: list[str] = []
    left = _MUCH * len(wanted) + _SPARE

    def entry(folder: str, name: str, attrs: wire.Attrs) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooMany
        key = f"{folder}/{name}" if folder else name
        if key not in wanted:
            return
        if attrs.is_file and attrs.mode is not None and attrs.size is not None:
            found[key] = attrs.size
        elif not attrs.is_dir:
            links.append(key)

    jobs: Iterable[Callable[[Flow], Job]] = (
        partial(_list_one, path(folder), partial(entry, folder)) for folder in folders
    )
    session.run(jobs, progress=progress)

    def answered(key: str, reply: Reply) -> None:
        attrs = reply.attrs() if reply.kind == wire.ATTRS else None
        if attrs is not None and attrs.is_file and attrs.size is not None:
            found[key] = attrs.size

    asking = ((wire.STAT, wire.string(path(key)), partial(answered, key)) for key in links)
    session.call_all(asking, progress=progress)
    return found


def _list_one(path: bytes, found: Callable[[str, wire.Attrs], None], flow: Flow) -> Job:
    return read_folder(flow, path, found, strict=True)


def read_folder(
    flow: Flow,
    path: bytes,
    found: Callable[[str, wire.Attrs], None],
    *,
    strict: bool = False,
    limit: Limit | None = None,
) -> Job:
    """Give every entry of a folder to `found`; a folder that is missing or unreadable has none.

    With `strict` only a missing one has none, and the listing must come to its proper end; else StoreFailed.

    Names that are not UTF-8 are left out: no key looks like that. `limit` may be shared with other folders.
    """
    opened = yield from flow.ask(wire.OPENDIR, wire.string(path))
    if opened.status is not None:
        if opened.status == wire.NO_SUCH_FILE or (not strict and opened.status in _UNREADABLE):
            return
        raise wire.refusal(opened, path.decode("utf-8", "replace"))
    handle = wire.string(opened.handle())
    limit = limit or Limit()
    while True:
        reply = yield from flow.ask(wire.READDIR, handle)
        if reply.status is not None:
            if strict and reply.status != wire.EOF:
                raise wire.refusal(reply, path.decode("utf-8", "replace"))
            break
        limit.check(reply.how_many, len(reply.body))
        for name, attrs in reply.names():
            try:
                text = name.decode("utf-8")
            except UnicodeDecodeError:
                continue
            if text not in (".", ".."):
                found(text, attrs)
    flow.send(wire.CLOSE, handle, _ignore)


def _ignore(_: Reply) -> None:
    return
