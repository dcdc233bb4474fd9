"""Who uses the cache of a project: its other working trees, and other projects of the same Git repository.

Also whether people we do not know of may use it. Reads folders and Git; decides nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from modelkeep.core.engine.catalogue import Catalogue
from modelkeep.core.engine.configuration import level_folders
from modelkeep.core.engine.history import History
from modelkeep.core.engine.history_roots import WorkingTree
from modelkeep.core.errors import ModelkeepError, Refused
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.project import Project


@dataclass(frozen=True)
class InGit:
    """A project as the commits of the repository hold it; its folder need not exist now."""

    history: History
    catalogue: Catalogue


@dataclass(frozen=True)
class Sites:
    """Where names of objects are to be looked for: the project itself comes first."""

    on_disk: tuple[Project, ...]
    histories: tuple[InGit, ...]


def find(project: Project) -> Sites:
    """All that uses the cache of `project`. Raises Refused where that cannot be told."""
    if project.history is None:
        return Sites((project,), ())
    history = project.git()
    roots = history.roots()
    elsewhere = not is_own(project)
    prefixes = roots.projects(ever=elsewhere) - {history.prefix.rstrip("/")}
    on_disk = [project]
    in_git = [InGit(history, project.catalogue)]
    for prefix in sorted(prefixes):
        other = _open(project, history.git_root / prefix)
        if other is not None and not shares(project, other):
            continue
        if other is not None:
            on_disk.append(other)
        elif not elsewhere:
            continue  # it is not checked out, and our own folder is nobody's cache but ours
        there = History(history.git_root / prefix, history.git_root, history.git_dir, history.common_dir)
        in_git.append(InGit(there, Catalogue(there)))
    for tree in roots.working_trees():
        if not tree.folder.is_dir():
            _refuse_absent(tree)
        elif not os.path.samefile(tree.folder, history.git_root):
            on_disk += _in_working_tree(project, tree.folder, prefixes)
    on_disk += _experiments(project)
    return Sites(tuple(on_disk), tuple(in_git))


def _experiments(project: Project) -> list[Project]:
    """The copies of the project in which DVC runs experiments beside it; they use its cache."""
    top = project.root / ".dvc/tmp/exps"
    found = (_open(project, place.parent) for place in sorted((*top.glob("*/.dvc"), *top.glob("*/*/.dvc"))))
    return [one for one in found if one is not None]


def _in_working_tree(project: Project, folder: Path, prefixes: set[str]) -> list[Project]:
    """The same project in another working tree, and the others there that use this cache."""
    own = project.git().prefix.rstrip("/")
    found = ((prefix, _open(project, folder / prefix)) for prefix in (own, *sorted(prefixes)))
    return [one for prefix, one in found if one is not None and (prefix == own or shares(project, one))]


def _refuse_absent(tree: WorkingTree) -> None:
    """A working tree that was removed names nothing any more; one that is locked will come back."""
    if tree.is_locked:
        raise Refused(
            f"Nothing is removed while the working tree {visible(str(tree.folder))} is not there.",
            detail="It is locked: what is changed or staged in it is still wanted.",
            hint="Plug its drive in; or, if it is gone for good: git worktree unlock, git worktree prune",
        )


def _open(project: Project, root: Path) -> Project | None:
    """The project in exactly this folder, or None where there is none."""
    if not (root / ".dvc").is_dir():
        return None
    try:
        return Project.open(root, vault=project.vault, settings=project.settings)
    except ModelkeepError as error:
        raise Refused(
            f"Nothing is removed, because the project in {visible(str(root))} cannot be read: {error.title}",
            hint="It belongs to the same repository and may use this cache. Mend or remove it.",
        ) from error


def shares(project: Project, other: Project) -> bool:
    """Whether `other` keeps its objects in the cache of `project`, or would by the word of its repository,
    which `dvc` follows."""
    folders = [other.cache_folder]
    if (wish := other.config.wish("cache", "dir")) is not None:
        folders.append(level_folders(other.root)["repo"] / Path(wish).expanduser())
    return os.path.realpath(project.cache_folder) in map(os.path.realpath, folders)


def is_own(project: Project) -> bool:
    """Whether the cache lies in the project's own folder."""
    own = os.path.realpath(project.root / ".dvc")
    return os.path.realpath(project.cache_folder).startswith(own + os.sep)


def sharing(project: Project) -> str:
    """Why others may use this cache, in a sentence; "" if it is the project's own."""
    if not is_own(project):
        return (
            f"The cache {visible(str(project.cache_folder))} lies outside of the project: others may use it."
        )
    if project.config.get("cache", "shared"):
        return "The cache is shared with a group of people (cache.shared)."
    return ""
