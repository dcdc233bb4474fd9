"""Uploads many small objects as one stream, where the account runs commands. Knows no SFTP.

The server unpacks the stream into a folder of its own beside the objects, makes it durable, compares the MD5 of
every file with the list that comes last in the stream, and only if all of them are right renames them to their
final names, makes those durable and says so. Whatever else happens, that folder is removed again and nothing was
renamed wrongly; `SshStore` then sends the same objects one by one and finds out which is at fault.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace

from modelkeep.core.leftovers import temp_name
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores.base import Done, Failed, Incoming
from modelkeep.core.stores.readahead import ahead
from modelkeep.core.stores.ssh_connect import Command
from modelkeep.core.stores.ssh_shell import ROOT, SYNC, Shell

LARGEST = 16 << 20  # bytes; larger objects are sent by themselves
_SMALL = 1 << 20  # bytes; from here on objects are read by a thread of their own, a little ahead
FEW = 8  # fewer objects are not worth a script
NEEDS = ("find", "grep", "md5sum", "mkdir", "mv", "rm", "sync", "tar")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*/[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")
_NAME = 100  # bytes, the longest name in a plain tar header
_SEND = 1 << 18
_BLOCK = 512

_HEADER = b"%b%b0000000\x000000000\x00%011o\x0000000000000\x00%b0%b"
_REST = b"ustar\x0000".rjust(100 + 8, b"\x00").ljust(355, b"\x00")

# `m` renames the files of one folder. A folder that is a link could lead to another disk, where mv would copy.
_MOVE = 'm() { [ ! -d "$t/$1" ] || { [ ! -h "$2" ] && mv -f -- "$t/$1"/* "$2"/; }; }'
_STALE = "find . -maxdepth 1 -type d -name '.modelkeep-*.tmp' -mtime +1 -exec rm -rf -- {} + 2>/dev/null"


class _Spoilt(Exception):
    """Bytes were sent that should not have been."""


class Parcel:
    """Objects that go in one stream: all with keys in folders of one folder, and small enough."""

    def __init__(self, items: list[Incoming]) -> None:
        self._parent = _parent(items[0].key)
        self.items = items
        self._folders = {name: f"{n:04x}" for n, name in enumerate(sorted({_folder(i.key) for i in items}))}
        self._temp = f".modelkeep-{temp_name()[1:]}"
        self.sent: list[Incoming] = []
        self._refused: dict[str, Exception] = {}
        self.left: list[Incoming] = []  # what has another size than it should: sent by itself, to be told of

    @property
    def temp(self) -> str:
        """The folder that exists while the parcel is under way, relative to the root."""
        return f"{self._parent}/{self._temp}" if self._parent else self._temp

    def script(self) -> str:
        """What the server does with the stream."""
        names = {folder: shlex.quote(folder.rpartition("/")[2]) for folder in self._folders}
        moves = " && ".join(f"m {number} {names[folder]}" for folder, number in self._folders.items())
        parent = shlex.quote(self._parent or ".")
        return (
            f"t={self._temp}; {_MOVE}; mkdir -p -- {parent} && cd -- {parent} && mkdir -- $t || exit 3; {_STALE}; "
            f"if tar -x -o -m -f - ; then ({SYNC}) & "
            "n=$(md5sum -c $t/sums 2>/dev/null | grep -c ': OK$'); wait $! && [ -e $t/end-$n ] && "
            f'{{ set --; for d in {" ".join(names.values())}; do [ -d $d ] || set -- "$@" $d; done; '
            f'[ $# = 0 ] || mkdir -p -- "$@"; }} && {moves} && rm -rf -- $t && {{ {SYNC}; }}; else false; fi; '
            "r=$?; [ $r = 0 ] || rm -rf -- $t; [ $r = 0 ]"
        )

    def send(self, command: Command, shell: Shell, progress: Progress, failed: Failed) -> None:
        """Send everything; an object whose content turns out wrong goes to `failed` and is left out.

        A large one is found wrong when its bytes are gone already: then the rest is not sent, so that the server
        discards all. Raises OSError or EOFError where the server takes no more.
        """
        blocks = self._blocks(b"0000644\x00" if shell.can(ROOT) else b"0000666\x00", progress)
        is_large = any((item.size or 0) > _SMALL for item in self.items)
        try:
            with closing(ahead(blocks) if is_large else blocks) as ready, suppress(_Spoilt):
                for block in ready:
                    command.feed(block, progress)
            command.end_of_input()
        finally:
            for key, error in self._refused.items():
                failed(key, error)

    def _blocks(self, mode: bytes, progress: Progress) -> Generator[bytes, None, None]:
        """The stream in pieces worth sending."""
        parts: list[bytes] = []
        waiting = 0
        for part in self._parts(mode, progress):
            parts.append(part)
            waiting += len(part)
            if waiting >= _SEND:
                yield b"".join(parts)
                parts, waiting = [], 0
        yield b"".join(parts)

    def _parts(self, mode: bytes, progress: Progress) -> Iterator[bytes]:
        sums: list[str] = []
        for item in self.items:
            content = self._content(item)
            if content is None:
                continue
            folder, _, name = item.key.rpartition("/")
            member = f"{self._temp}/{self._folders[folder]}/{name}"
            assert item.size is not None and item.checksum is not None
            yield header(member, item.size, mode)
            yield from content
            if rest := item.size % _BLOCK:
                yield bytes(_BLOCK - rest)
            sums.append(f"{item.checksum()}  {member}\n")
            self.sent.append(item)
            progress.advance(item.size)
        listed = "".join(sums).encode()
        yield header(f"{self._temp}/sums", len(listed), mode)
        yield listed + bytes(-len(listed) % _BLOCK)
        yield header(f"{self._temp}/end-{len(sums)}", 0, mode)
        yield bytes(2 * _BLOCK)

    def _content(self, item: Incoming) -> Iterable[bytes] | None:
        """The bytes of an object; None if they are wrong or not as many as they should be."""
        if item.whole is None:
            return self._streamed(item)
        try:
            data = item.whole()
        except Cancelled:
            raise
        except Exception as error:  # whatever one object's content raises must not stop the others
            self._refused[item.key] = error
            return None
        if len(data) != item.size:
            self.left.append(item)
            return None
        return (data,)

    def _streamed(self, item: Incoming) -> Iterator[bytes]:
        size = 0
        try:
            for chunk in item.chunks:
                size += len(chunk)
                yield chunk
        except Cancelled:
            raise
        except Exception as error:
            self._refused[item.key] = error
            raise _Spoilt from error
        if size != item.size:
            raise _Spoilt

    def unfinished(self) -> list[Incoming]:
        """All whose content is not known to be wrong, from their beginning."""
        left = [item for item in self.items if item.key not in self._refused]
        return [item if item.whole else replace(item, chunks=_again(item)) for item in left]

    def arrived(self, done: Done) -> None:
        """All that was sent is in its final place."""
        for item in self.sent:
            done(item.key, item.size or 0)


def divide(batch: list[Incoming]) -> tuple[Parcel | None, list[Incoming]]:
    """(what can go as a parcel, what has to go by itself) of a batch."""
    fit: list[Incoming] = []
    rest: list[Incoming] = []
    for item in batch:
        (fit if _fits(item, fit) else rest).append(item)
    return (Parcel(fit), rest) if len(fit) >= FEW else (None, batch)


def _fits(item: Incoming, fit: list[Incoming]) -> bool:
    if item.checksum is None or item.size is None or item.size > LARGEST:
        return False
    if item.whole is None and (item.reopen is None or item.in_order):
        return False
    return _KEY.fullmatch(item.key) is not None and (not fit or _parent(fit[0].key) == _parent(item.key))


def _again(item: Incoming) -> Iterator[bytes]:
    assert item.reopen is not None
    return item.reopen()


def header(name: str, size: int, mode: bytes) -> bytes:
    """The header of a plain file in a tar stream (POSIX ustar)."""
    path = name.encode()
    assert len(path) <= _NAME
    blank = _HEADER % (path.ljust(_NAME, b"\x00"), mode, size, b"        ", _REST)
    return blank[:148] + b"%06o\x00 " % sum(blank) + blank[156:]


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def _parent(key: str) -> str:
    return _folder(key).rpartition("/")[0]
