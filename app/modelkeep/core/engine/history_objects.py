"""Reads Git objects by id, many over one process. Knows trees and blobs, nothing of DVC or versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from modelkeep.core.engine.history_process import GitProgram
from modelkeep.core.errors import GitFailed

#: Larger objects are not held in memory; nothing Modelkeep reads from Git is that large.
LIMIT = 64 * 1024 * 1024
_AHEAD = 400  # requests written before answers are read: together smaller than any pipe's buffer


class GitObject(NamedTuple):
    """One object. `data` is None when it is larger than LIMIT."""

    id: str
    type: str
    size: int
    data: bytes | None


class TreeEntry(NamedTuple):
    """One name in a tree; `mode` as git writes it: 40000, 100644, 100755, 120000 or 160000."""

    name: str
    mode: str
    id: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a folder."""
        return self.mode == "40000"

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file: no link, no submodule."""
        return self.mode.startswith("100")


class Objects:
    """An open `cat-file --batch`. For one thread."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._in = stdin
        self._out = stdout

    def read(self, names: Sequence[str]) -> list[GitObject | None]:
        """The objects with these ids (or `<id>^{tree}`), None for those that are not there."""
        found: list[GitObject | None] = []
        for start in range(0, len(names), _AHEAD):
            some = names[start : start + _AHEAD]
            try:
                self._in.write("".join(f"{name}\n" for name in some).encode())
                self._in.flush()
            except BrokenPipeError:
                raise GitFailed("Git stopped while its objects were read.") from None
            found += [self._answer() for _ in some]
        return found

    def _answer(self) -> GitObject | None:
        header = self._out.readline()
        if not header.endswith(b"\n"):
            raise GitFailed("Git stopped while its objects were read.")
        words = header.decode("utf-8", "replace").split()
        if len(words) != 3 or not words[2].isdigit():
            return None  # "<name> missing" or "<name> ambiguous"
        size = int(words[2])
        data = self._take(size)
        self._take(1)
        return GitObject(words[0], words[1], size, data)

    def _take(self, size: int) -> bytes | None:
        keep = size <= LIMIT
        if keep:
            data = self._out.read(size)
            if len(data) != size:
                raise GitFailed("Git stopped while its objects were read.")
            return data
        while size:
            skipped = len(self._out.read(min(size, 1 << 20)))
            if not skipped:
                raise GitFailed("Git stopped while its objects were read.")
            size -= skipped
        return None


@contextmanager
def reading(program: GitProgram) -> Iterator[Objects]:
    """Open an Objects for the length of the block."""
    with program.conversation("cat-file", "--batch") as (stdin, stdout):
        yield Objects(stdin, stdout)


def parse_tree(tree: GitObject) -> tuple[TreeEntry, ...]:
    """The names in a tree object, in git's order. A name that is not UTF-8 carries surrogate escapes."""
    data = tree.data or b""
    width = len(tree.id) // 2
    entries = []
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        mode = data[at:space].decode("ascii", "replace").lstrip("0")
        name = data[space + 1 : end].decode("utf-8", "surrogateescape")
        entries.append(TreeEntry(name, mode, data[end + 1 : end + 1 + width].hex()))
        at = end + 1 + width
    return tuple(entries)


def find(objects: Objects, commit: str, path: str) -> TreeEntry | None:
    """What is at `path` (relative to the top of the repository) in `commit`; "" is the top itself."""
    top = objects.read([f"{commit}^{{tree}}"])[0]
    if top is None or top.type != "tree":
        return None
    here = TreeEntry("", "40000", top.id)
    for part in path.split("/") if path else ():
        tree = objects.read([here.id])[0] if here.is_tree else None
        if tree is None:
            return None
        step = next((entry for entry in parse_tree(tree) if entry.name == part), None)
        if step is None:
            return None
        here = step
    return here
