"""Takes the keys of one host out of known_hosts, at the user's word alone. Appending and reading are host_keys' part."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from modelkeep.core.durable import store_failed, write_file
from modelkeep.core.paths import Tree
from modelkeep.core.stores.host_keys import Line, lookup


def own_lines(files: Iterable[str], name: str) -> tuple[Line, ...]:
    """The lines that hold a key for `name`; a line with a pattern, which is for others too, is not among them."""
    return tuple(line for line in lookup(files, name).keys if "*" not in line.names and "?" not in line.names)


def forget(files: Iterable[str], name: str) -> tuple[str, ...]:
    """Remove those lines and return their places, FILE:LINE. Every other byte stays as it is.

    A file is replaced as a whole, and what it was stays beside it as FILE.old. Raises StoreFailed.
    """
    places = []
    for file in files:
        lines = own_lines((file,), name)
        if lines:
            _rewrite(Path(os.path.realpath(file)), {int(line.place.rpartition(":")[2]) for line in lines})
            places += [line.place for line in lines]
    return tuple(places)


def _rewrite(file: Path, numbers: set[int]) -> None:
    folder = Tree(file.parent, system=True)
    try:
        old = file.read_bytes()
        mode = file.stat().st_mode & 0o777
    except OSError as error:
        raise store_failed(error, str(file)) from error
    kept = [line for number, line in enumerate(old.split(b"\n"), 1) if number not in numbers]
    write_file(folder, f"{file.name}.old", old, mode=mode)
    write_file(folder, file.name, b"\n".join(kept), mode=mode)
