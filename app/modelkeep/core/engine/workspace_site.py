"""What all work on the workspace shares: its folders, cache, settings, history and locks. Decides nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from modelkeep.core.engine.cache import Cache
from modelkeep.core.engine.cache_link import link_types
from modelkeep.core.engine.history import History
from modelkeep.core.engine.locks import project_lock
from modelkeep.core.engine.statmemory import StatMemory
from modelkeep.core.formats.config import Config
from modelkeep.core.paths import Tree

#: Where Modelkeep keeps its own state within a project; Git ignores `.dvc/tmp`.
OWN = ".dvc/tmp/modelkeep"


class Site:
    """The workspace of one project. Paths are POSIX and relative to `root`, the folder that holds `.dvc`."""

    def __init__(self, root: Path, *, cache: Cache, config: Config, history: History | None) -> None:
        self.root = root
        self.cache = cache
        self.config = config
        self.history = history
        self.tree = Tree(root)
        self.own = Tree(root, system=True)
        self.memory = StatMemory(root / OWN / "stat.sqlite")

    def git_ignored(self, relpaths: Iterable[str]) -> set[str]:
        """Those of `relpaths` that Git ignores; none in a project without Git."""
        return set() if self.history is None else self.history.is_ignored(relpaths)

    def git_tracked(self, relpath: str) -> bool:
        """Whether Git tracks `relpath` or anything below it."""
        return self.history is not None and self.history.is_tracked(relpath)

    @contextlib.contextmanager
    def locked(self, command: str, write: Sequence[str] = ()) -> Iterator[None]:
        """Hold DVC's locks, with write entries for `write`; raises Busy naming the holder."""
        hardlink = self.config.flag("core", "hardlink_lock")
        paths = [self.root / path for path in write]
        with project_lock(self.root, hardlink, command=command, write=paths):
            yield

    @property
    def link_types(self) -> tuple[str, ...]:
        """How objects are handed out (`cache.type`). A repository cannot ask for links (safety §5.2)."""
        return link_types(self.config.get("cache", "type"))

    def is_into_cache(self, place: Path) -> bool:
        """Whether there is a symbolic link to an object, which `cache.type symlink` makes."""
        try:
            return os.path.normpath(os.readlink(place)).startswith(os.fspath(self.cache.root) + os.sep)
        except OSError:
            return False

    def user_setting(self, section: str, key: str) -> str | None:
        """A setting, unless it comes from the repository: those are not the user's own (safety §5.2)."""
        value = self.config.get(section, key)
        return None if value is None or self.config.level_of(section, key) == "repo" else str(value)
