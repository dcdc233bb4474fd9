"""A project with a data remote and a Git remote, opened by the engine: what the recipes work on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.project import Project
from modelkeep.core.workflows import setup


@pytest.fixture
def opened(project: Path, remote: Path, git_remote: Path) -> Iterator[Project]:
    """An open project: `data/` and `model.bin` in the workspace, nothing tracked yet, both remotes set."""
    builders.write_tree(project, {"data/a.txt": "one\n", "data/b.txt": "two\n", "model.bin": b"\0model 1"})
    builders.git(project, "remote", "add", "origin", str(git_remote))
    here = Project.open(project, vault=MemoryVault())
    setup.add_remote(here, "store", str(remote), default=True)
    yield here
    here.close()
