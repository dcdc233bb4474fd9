"""Repositories made to do harm, as one-line cases. A payload only ever writes or removes a marker.

Every case gets a `Place`: a project with data, its storage folder, and a folder outside that nobody may touch.
Builders only; nothing here imports the code under test.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import builders


@dataclass(frozen=True)
class Place:
    """Where a case plays. `outside` is the canary."""

    project: Path
    storage: Path
    outside: Path
    name: str
    manifest: str

    def own(self, relpath: str, content: object) -> None:
        """Plant a file in Modelkeep's own state folder, as an archive of a project could bring it."""
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        builders.write_tree(self.project / ".dvc/tmp/modelkeep", {relpath: text})

    def metafile(self, text: str, name: str = "model.bin.dvc") -> None:
        """Replace a metafile."""
        (self.project / name).write_text(text)

    def link(self, relpath: str, target: Path | str) -> None:
        """Put a symbolic link at `relpath` of the project, in place of whatever is there."""
        path = self.project / relpath
        _clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def pipe(self, path: Path) -> None:
        """Put a FIFO at `path`, which blocks whoever opens it carelessly."""
        _clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    def object(self, root: str, name: str) -> Path:
        """Where an object lies in the cache ("cache") or in the storage folder ("storage")."""
        folder = self.storage if root == "storage" else self.project / ".dvc/cache"
        return folder / "files/md5" / name[:2] / name[2:]

    def swap(self, path: Path, target: Path | str) -> None:
        """Put a symbolic link at `path`, in place of whatever is there."""
        _clear(path)
        path.symlink_to(target)

    def folder_of(self, rows: object) -> str:
        """Let `data` be a folder whose manifest holds `rows`; the manifest is in the cache and the storage. Returns its hash."""
        data = json.dumps(rows).encode()
        for root in (self.storage, self.project / ".dvc/cache"):
            builders.put_object(root, data, suffix=".dir")
        name = hashlib.md5(data).hexdigest()
        self.metafile(f"outs:\n- md5: {name}.dir\n  hash: md5\n  path: data\n", "data.dvc")
        return name


def _clear(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def make_place(folder: Path) -> Place:
    """A project with the file `model.bin` and the folder `data`, published as v1, and its storage folder."""
    project = builders.make_project(folder / "project")
    storage, outside = folder / "storage", folder / "outside"
    builders.write_tree(outside, {"precious.txt": "precious", "stage/kept.txt": "kept", "deep/a/b.txt": "b"})
    builders.set_default_remote(project, "../../storage")
    name = builders.track_file(project, "model.bin", "the model")
    manifest = builders.track_folder(project, "data", {"a.txt": "aa", "sub/b.txt": "bb"})
    shutil.copytree(project / ".dvc/cache", storage)
    builders.make_commit(project, {}, "First")
    builders.make_tag(project, "v1", "The first")
    return Place(project, storage, outside, name, manifest)


def canary(folder: Path) -> dict[str, tuple[int, str]]:
    """Everything beneath `folder`: modes, link targets and contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        text = (
            os.readlink(path)
            if path.is_symlink()
            else builders.md5(path.read_bytes())
            if path.is_file()
            else ""
        )
        found[path.relative_to(folder).as_posix()] = facts.st_mode, text
    return found


Plant = Callable[[Place], object]
