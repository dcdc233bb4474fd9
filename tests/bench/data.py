"""Makes the data of the jobs, once in a run: files, their objects and their metafile, all by hand. Knows no program.

The bytes do not compress and are the same in every run. A is one large file, the others are folders.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Kind:
    """How many files of how many bytes, in how many folders (0: one plain file)."""

    files: int
    size: int
    folders: int
    about: str

    def scaled(self, scale: float) -> Kind:
        """Fewer (or more) of the same; the one file gets smaller instead."""
        if not self.folders:
            return Kind(1, max(4096, int(self.size * scale)), 0, self.about)
        files = max(4, round(self.files * scale))
        return Kind(files, self.size, max(1, round(self.folders * min(scale, 1))), self.about)


KINDS = {
    "A": Kind(1, 2 << 30, 0, "one file of 2 GiB"),
    "B": Kind(20_000, 8 << 10, 200, "20,000 × 8 KiB in 200 folders"),
    "C": Kind(200, 5 << 20, 1, "200 × 5 MiB"),
    "E": Kind(200_000, 100, 200, "200,000 × 100 B"),
    "L": Kind(200, 8 << 10, 1, "200 × 8 KiB"),
}


@dataclass(frozen=True)
class Master:
    """Data as it was made: `data` is the file or folder, `cache` its objects, `metafile` what names it."""

    folder: Path
    kind: Kind

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def metafile(self) -> Path:
        return self.folder / "data.dvc"

    @property
    def objects(self) -> int:
        """How many objects a complete store of it holds."""
        return self.kind.files + (1 if self.kind.folders else 0)


def make(folder: Path, kind: Kind) -> Master:
    """Write data of this kind, its objects and its metafile below `folder`."""
    folder.mkdir(parents=True)
    master = Master(folder, kind)
    source = random.Random(kind.size)
    if not kind.folders:
        name = _write_file(master.data, kind.size, source)
        _store(master.cache, name, master.data)
        _describe(master, name, kind.size)
        return master
    rows = []
    for number in range(kind.files):
        relpath = f"{number % kind.folders:03}/{number:06}.bin" if kind.folders > 1 else f"{number:06}.bin"
        path = master.data / relpath
        if number < kind.folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        name = _write_file(path, kind.size, source)
        _store(master.cache, name, path)
        rows.append({"md5": name, "relpath": relpath})
    rows.sort(key=lambda row: row["relpath"])
    text = json.dumps(rows).encode()
    manifest = hashlib.md5(text).hexdigest() + ".dir"
    _object(master.cache, manifest).write_bytes(text)
    _describe(master, manifest, kind.size * kind.files, kind.files)
    return master


def _write_file(path: Path, size: int, source: random.Random) -> str:
    digest = hashlib.md5()
    with open(path, "wb") as file:
        for start in range(0, size, _BLOCK):
            block = source.randbytes(min(_BLOCK, size - start))
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _object(cache: Path, name: str) -> Path:
    path = cache / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _store(cache: Path, name: str, path: Path) -> None:
    place = _object(cache, name)
    shutil.copyfile(path, place)
    place.chmod(0o444)


def _describe(master: Master, name: str, size: int, files: int = 0) -> None:
    count = f"  nfiles: {files}\n" if files else ""
    master.metafile.write_text(f"outs:\n- md5: {name}\n  size: {size}\n{count}  hash: md5\n  path: data\n")


def touch(folder: Path, part: float, turn: int) -> int:
    """Give a `part` of the files below `folder` new bytes of the same length, others in each turn; how many."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    count = max(1, round(len(paths) * part))
    source = random.Random(-1 - turn)
    for number in range(count):
        path = paths[(turn * count + number) % len(paths)]
        size = path.stat().st_size
        path.unlink()
        path.write_bytes(source.randbytes(size))
    return count


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder with modes and times, quickly; not into an existing one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)


def count_files(folder: Path) -> int:
    """How many files lie below `folder`."""
    return sum(len(files) for _, _, files in os.walk(folder))


def now() -> float:
    """The moment as `measure.age` wants it."""
    return time.monotonic()
