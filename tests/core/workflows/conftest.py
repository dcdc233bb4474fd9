"""A project with a data remote and a Git remote, opened by the engine: what the recipes work on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import builders
from cleaning import make_shop
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


@pytest.fixture(scope="session")
def _shop_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, because it takes longer than most tests."""
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder)
    return folder


@pytest.fixture
def shop(_shop_made: Path, remote: Path, tmp_path: Path) -> Iterator[Project]:
    """The project of `cleaning.make_shop`, opened."""
    for name in ("project", "remote"):
        shutil.copytree(_shop_made / name, tmp_path / name, dirs_exist_ok=True)
    here = Project.open(tmp_path / "project", vault=MemoryVault())
    yield here
    here.close()
