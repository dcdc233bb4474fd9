"""When files on a server were last written, and removing many of them, over one SFTP session. Knows no SSH."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from modelkeep.core.progress import Progress
from modelkeep.core.stores import sftp_wire as wire
from modelkeep.core.stores.sftp import Session
from modelkeep.core.stores.sftp_wire import Reader, Reply

_SIZE, _IDS, _MODE, _TIMES = 0x1, 0x2, 0x4, 0x8


def modified(
    session: Session, keys: Iterable[str], path: Callable[[str], bytes], progress: Progress
) -> dict[str, float]:
    """When those of `keys` that exist were written, by the server's clock; a link counts for itself."""
    found: dict[str, float] = {}

    def answered(key: str, reply: Reply) -> None:
        moment = _moment(reply)
        if moment is not None:
            found[key] = moment

    asking = ((wire.LSTAT, wire.string(path(key)), partial(answered, key)) for key in keys)
    session.call_all(asking, progress=progress)
    return found


def delete(session: Session, keys: Iterable[str], path: Callable[[str], bytes], progress: Progress) -> None:
    """Remove these files; a missing one is fine. Reports files; raises the first refusal after the others."""
    refused: list[tuple[str, Reply]] = []

    def answered(key: str, reply: Reply) -> None:
        if reply.status not in (wire.OK, wire.NO_SUCH_FILE):
            refused.append((key, reply))
        progress.advance(files=1)

    session.call_all(
        ((wire.REMOVE, wire.string(path(key)), partial(answered, key)) for key in keys), progress=progress
    )
    for key, reply in refused:
        raise wire.refusal(reply, key)


def _moment(reply: Reply) -> float | None:
    """The time of the last change in an answer to LSTAT; None if it says none."""
    if reply.kind != wire.ATTRS:
        return None
    reader = Reader(reply.body)
    flags = reader.uint32()
    if not flags & _TIMES:
        return None
    if flags & _SIZE:
        reader.uint64()
    if flags & _IDS:
        reader.uint64()
    if flags & _MODE:
        reader.uint32()
    reader.uint32()
    return float(reader.uint32())
