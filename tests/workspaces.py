"""A Workspace over a project folder, wired as the program does it, for tests that need nothing else of it."""

from __future__ import annotations

from pathlib import Path

from modelkeep.core.engine.cache import open_cache
from modelkeep.core.engine.configuration import load_config
from modelkeep.core.engine.history import History
from modelkeep.core.engine.workspace import Workspace


def open_workspace(root: Path, *, git: bool = True) -> Workspace:
    """The workspace of the project in `root` with its cache in the usual place."""
    history = History.open(root) if git else None
    cache = open_cache(root / ".dvc/cache", root / ".dvc/tmp/modelkeep/quarantine")
    return Workspace(
        root,
        git_root=history.git_root if history else None,
        cache=cache,
        config=load_config(root),
        history=history,
    )
