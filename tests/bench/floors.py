"""The least that local work costs in plain Python: run as a program of its own, `floors.py WORK FROM [TO]`.

Straight and honest: no memory of earlier runs, no sync, no checks, one thread. Knows nothing of Modelkeep.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator

_BLOCK = 1 << 20


def files(folder: str) -> Iterator[os.DirEntry[str]]:
    """Every file below `folder`."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files(entry.path)
            else:
                yield entry


def hash_copy(source: str, target: str) -> None:
    """Read every file once, hash it while it is copied, and name the copy by its hash."""
    paths = [entry.path for entry in files(source)] if os.path.isdir(source) else [source]
    made = set()
    temporary = f"{target}/copying"
    for path in paths:
        digest = hashlib.md5()
        with open(path, "rb", buffering=0) as reader, open(temporary, "wb", buffering=0) as writer:
            while block := reader.read(_BLOCK):
                digest.update(block)
                writer.write(block)
        name = digest.hexdigest()
        folder = f"{target}/{name[:2]}"
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        os.rename(temporary, f"{folder}/{name[2:]}")


def look(source: str) -> None:
    """Look at every file's status."""
    total = 0
    for entry in files(source):
        total += entry.stat(follow_symlinks=False).st_size
    print(total)


def copy(source: str, target: str) -> None:
    """Copy a folder file by file, contents only."""
    _each(source, target, shutil.copyfile)


def copy_twice(source: str, target: str) -> None:
    """Copy a folder, and the copy again: into a cache and from there into a workspace."""
    copy(source, f"{target}/cache")
    copy(f"{target}/cache", f"{target}/data")


def link(source: str, target: str) -> None:
    """Give every file a second name."""
    _each(source, target, os.link)


def _each(source: str, target: str, place: Callable[[str, str], object]) -> None:
    os.makedirs(target, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _each(entry.path, f"{target}/{entry.name}", place)
            else:
                place(entry.path, f"{target}/{entry.name}")


WORKS: dict[str, Callable[..., None]] = {
    "hash_copy": hash_copy,
    "look": look,
    "copy": copy,
    "copy_twice": copy_twice,
    "link": link,
}

if __name__ == "__main__":
    WORKS[sys.argv[1]](*sys.argv[2:])
