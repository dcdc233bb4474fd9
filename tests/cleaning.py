"""A project with versions in and out of every scope of a clean-up, and what its cache holds in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import builders
from modelkeep.core.project import Project
from modelkeep.core.values import Changes
from modelkeep.core.workflows import gc
from modelkeep.core.workflows.gc import Keep

#: The contents of all files; those that the workspace uses; and a scope of nothing but the workspace.
EVERY = ("v1", "a of v1", "same", "side", "lost", "second", "a of second", "third", "never")
NOW = {"third", "a of second", "same"}
FORGET = Keep(stashes=False, reflog=False)


def key(content: bytes | str) -> str:
    """Where an object lies."""
    name = builders.md5(content)
    return f"files/md5/{name[:2]}/{name[2:]}"


def here(project: Path, *contents: str) -> set[str]:
    """Those of `contents` that are in the cache."""
    return {one for one in contents if (project / ".dvc/cache" / key(one)).exists()}


def cached(project: Path) -> set[str]:
    """Every file in the cache."""
    root = project / ".dvc/cache"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def save(project: Path, **files: str) -> None:
    """Track each file with its content, and commit."""
    for name, content in files.items():
        builders.track_file(project, name, content)
    builders.make_commit(project, {}, "Saved")


def backup(project: Path, remote: Path) -> None:
    """Let the remote have all that is in the cache."""
    shutil.copytree(project / ".dvc/cache", remote, dirs_exist_ok=True)


def make_shop(folder: Path) -> None:
    """In `project` versions of the file `f` and the folder `d`, all of it also in `remote`.

    v1 (a tag) - second - third (HEAD of main); `side` off v1; `lost` off v1, deleted; and one never committed.
    """
    project = builders.make_project(folder / "project")
    builders.set_default_remote(project, "../../remote")
    builders.track_folder(project, "d", {"a": "a of v1", "same": "same"})
    save(project, f="v1")
    builders.make_tag(project, "v1", "First")
    for name in ("side", "lost"):
        builders.git(project, "switch", "--quiet", "--create", name, "v1")
        save(project, f=name)
    builders.git(project, "switch", "--quiet", "main")
    builders.git(project, "branch", "-D", "lost")
    builders.track_folder(project, "d", {"a": "a of second", "same": "same"})
    save(project, f="second")
    save(project, f="third")
    builders.put_object(project / ".dvc/cache", b"never")
    backup(project, folder / "remote")


def clean(project: Project, keep: Keep = FORGET, *, yes: bool = False, **more: object) -> Changes:
    """Plan a clean-up and carry it out."""
    plan = gc.plan_gc(project, keep, **more)  # type: ignore[arg-type]
    return gc.collect(project, plan, yes=yes)
