"""Downloads many objects as one stream, where the account runs commands. Knows no SFTP.

The server's tar sends the files asked for, in that order, and their names and sizes are compared with what was
asked. Whatever does not come as expected (a file that is missing, a link, a stream that ends early) is left to
`alone`, which asks for one object by itself and says what is wrong with it. Contents are not believed: who reads
them hashes them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from modelkeep.core.errors import ConnectionLost
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.stores.ssh_connect import Command, Connection
from modelkeep.core.stores.ssh_shell import Shell

GROUP = 8192  # names that fit into the server's buffers at once
WINDOW = 8 << 20  # bytes the server may be ahead
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,98}")
_SCRIPT = "tar -c -h -b 64 -f - -T - 2>/dev/null; exit"  # at once: more output would look like content
_BLOCK = 512
_PIECE = 1 << 18
_PASSED = 8 << 20  # bytes that are passed over at most to go on with the same stream
_OCTAL = re.compile(rb" *[0-7]+[\x00 ]*")
_PLAIN = (b"0", b"\x00")
_EXTRA = (b"x", b"g")  # more about the file that follows
_GREETING = 1 << 16  # bytes; what an account may print before a script starts

#: How to read one object by itself, from an offset on.
Alone = Callable[[str, int], Iterator[bytes]]


class _Ended(Exception):
    """The stream is over, or is no tar stream."""


def is_plain(key: str) -> bool:
    """Whether tar takes and gives this name as it is."""
    return _KEY.fullmatch(key) is not None


def groups(keys: Iterable[str]) -> Iterator[list[str]]:
    """`keys` in lists that are asked for together."""
    source = iter(keys)
    while group := list(itertools.islice(source, GROUP)):
        yield group


@dataclass(frozen=True)
class Downloads:
    """Reads the objects of one group."""

    connection: Connection
    shell: Shell
    alone: Alone
    progress: Progress

    def read(self, keys: list[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each key with its content, which must be drained or closed before the next is taken."""
        command = self.shell.start(self.connection, _SCRIPT, self.progress, window=WINDOW)
        if command is None:
            for key in keys:
                yield key, self.alone(key, 0)
            return
        stream = _Stream(command, self.connection, self.progress)
        try:
            stream.ask(keys)
            self.shell.learn(stream.line_after(b"=modelkeep="))
            for key in keys:
                content = self._content(key, stream)
                yield key, content
                content.close()  # type: ignore[attr-defined]  # it is a generator
        finally:
            command.close()

    def _content(self, key: str, stream: _Stream) -> Iterator[bytes]:
        size = stream.size_of(key)
        if size is None:
            yield from self.alone(key, 0)
            return
        passed = 0
        try:
            for piece in stream.content(size):
                passed += len(piece)
                yield piece
        except _Ended:
            yield from self.alone(key, passed)
        finally:
            stream.skip_rest()


class _Stream:
    """The answer of tar, taken apart as it comes."""

    def __init__(self, command: Command, connection: Connection, progress: Progress) -> None:
        self._command = command
        self._connection = connection
        self._progress = progress
        self._data = b""
        self._at = 0
        self._next: tuple[str, int] | None = None  # a file whose content comes next
        self._left = 0  # bytes of a content, and what fills its last block
        self._is_over = False

    def ask(self, keys: list[str]) -> None:
        """Tell tar what to send."""
        try:
            self._command.feed("".join(f"{key}\n" for key in keys).encode(), self._progress)
            self._command.end_of_input()
        except (OSError, EOFError) as error:
            self._is_over = True
            if not self._connection.is_alive:
                raise self._connection.lost(error) from error

    def line_after(self, mark: bytes) -> bytes | None:
        """The rest of the line that begins with `mark`; what comes before is passed over.

        b"" where there is none; None if too much came before it to go on looking.
        """
        seen = b""
        while not (found := seen.partition(mark))[1] or b"\n" not in found[2]:
            if len(seen) > _GREETING or not self._receive():
                self._is_over = True
                return None if len(seen) > _GREETING else b""
            seen += self._data
        line, _, self._data = found[2].partition(b"\n")
        self._at = 0
        return line

    def size_of(self, key: str) -> int | None:
        """The size of `key`, whose content follows; None if something else follows."""
        try:
            if self._next is None and not self._is_over:
                self._next = self._header()
        except (_Ended, ValueError):
            self._is_over = True
        if self._next is None or self._next[0] != key:
            return None
        size = self._next[1]
        self._next = None
        self._left = size + -size % _BLOCK
        return size

    def _header(self) -> tuple[str, int]:
        while True:
            block = self._take(_BLOCK)
            name, kind = block[:100].rstrip(b"\x00"), block[156:157]
            if not name:
                raise _Ended
            size = _size(block[124:136])
            if kind in _PLAIN:
                return name.decode("ascii"), size
            if kind in _EXTRA:
                self._left = size + -size % _BLOCK
                self.skip_rest()
            # Anything else, such as a link to what came before, has no content and is asked for by itself.

    def content(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces."""
        while size > 0:
            piece = self._some(min(size, _PIECE))
            size -= len(piece)
            self._left -= len(piece)
            yield piece

    def skip_rest(self) -> None:
        """Pass over what is left of a content; of a large one nothing more is taken, and the stream is over."""
        if self._left > _PASSED:
            self._is_over = True
            self._command.close()
        try:
            while self._left > 0 and not self._is_over:
                self._left -= len(self._some(self._left))
        except _Ended:
            self._is_over = True

    def _take(self, size: int) -> bytes:
        data = self._some(size)
        while len(data) < size:
            data += self._some(size - len(data))
        return data

    def _some(self, most: int) -> bytes:
        if self._at >= len(self._data) and not self._receive():
            self._is_over = True
            raise _Ended
        data = self._data[self._at : self._at + most]
        self._at += len(data)
        return data

    def _receive(self) -> bool:
        self._progress.check()
        try:
            self._data = self._command.receive()
        except (OSError, EOFError) as error:
            raise self._connection.lost(error) from error
        self._at = 0
        if not self._data and not self._connection.is_alive:
            raise self._connection.lost(ConnectionLost("it ended"))
        return bool(self._data)


def _size(field: bytes) -> int:
    """What a header says its content takes; raises _Ended for what no tar writes."""
    if field[0] >= 128:
        return int.from_bytes(field, "big") & ((1 << 88) - 1)
    if not _OCTAL.fullmatch(field):
        raise _Ended
    return int(field.strip(b"\x00 "), 8)
