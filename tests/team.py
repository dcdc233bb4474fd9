"""A small team's project and the program as they use it, for the journeys: data, work on it, and `modelkeep` runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import builders

DATA: dict[str, bytes | str] = {
    "images/a b.png": builders.png(),
    "images/꽃.png": builders.png(9, 9),
    "labels.csv": "name,kind\na b,rose\n",
}
MODEL = builders.some_bytes(300_000, seed=1)


@dataclass(frozen=True)
class Said:
    """How a program ended and what it said."""

    code: int
    out: str
    err: str


def modelkeep(
    *words: str | Path,
    cwd: Path,
    expect: int = 0,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    start: tuple[str, ...] = ("-m", "modelkeep"),
) -> Said:
    """Run the program as a user would; it must end with the exit code `expect` and never with a traceback."""
    done = subprocess.run(
        [sys.executable, *start, *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == expect, f"{words} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class World:
    """A project and the two places it is shared by, side by side, so that the whole can be copied."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    @property
    def remote(self) -> Path:
        return self.folder / "remote"

    def run(self, *words: str | Path, expect: int = 0, **more: Any) -> Said:
        """`modelkeep` in the project."""
        return modelkeep(*words, cwd=self.project, expect=expect, **more)

    def git(self, *words: str) -> str:
        return builders.git(self.project, *words)


def share(project: Path, origin: Path) -> None:
    """Make the empty `project` one that colleagues share: `data/` and `model.bin` tracked, pushed to Git as v1.0."""
    builders.git(project, "remote", "add", "origin", os.path.relpath(origin, project))
    builders.track_folder(project, "data", DATA)
    builders.track_file(project, "model.bin", MODEL)
    builders.make_commit(project, {"train.py": "print('train')\n"}, "Train a first model")
    builders.make_tag(project, "v1.0", "First model")
    builders.git(project, "push", "--quiet", "--set-upstream", "origin", "main", "v1.0")


def make_world(folder: Path) -> World:
    """A shared project whose v1.0 is on a remote beside it."""
    world = World(folder)
    builders.make_project(world.project)
    builders.make_repo(world.origin, bare=True)
    world.remote.mkdir()
    share(world.project, world.origin)
    world.run("remote", "add", "-d", "storage", "../remote")
    world.run("push")
    builders.make_commit(world.project, message="Use the storage")
    world.git("push", "--quiet")
    return world


def change_data(project: Path) -> dict[str, bytes]:
    """Work on the data as a person would: change, add, rename, remove. Returns what it is now."""
    (project / "data/labels.csv").write_text("name,kind\na b,rose\n꽃,tulip\n")
    (project / "data/images/new.png").write_bytes(builders.png(5, 5))
    (project / "data/images/꽃.png").rename(project / "data/images/flower.png")
    (project / "data/images/a b.png").unlink()
    replace_file(project / "model.bin", builders.some_bytes(310_000, seed=2))
    return data_of(project)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file anew, as programs that save do; the old one may be read-only or a link into the cache."""
    path.unlink()
    path.write_bytes(content)


def data_of(folder: Path) -> dict[str, bytes]:
    """The tracked files of a project (or of an export of it), by path."""
    files = builders.read_tree(folder)
    return {path: data for path, data in files.items() if path.startswith("data/") or path == "model.bin"}
