"""The journeys see Modelkeep as its users do: a program, a project on disk, servers, and a keyring."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import team
from team import World


@pytest.fixture(scope="session")
def _first_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return team.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(_first_world: World, tmp_path: Path) -> World:
    """A team's project of this test's own: v1.0 is in Git and on the remote, nothing is changed."""
    shutil.copytree(_first_world.folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    return World(tmp_path)
