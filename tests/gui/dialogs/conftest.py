"""A window's jobs and an opened project for the dialogs under test; both are at rest when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.project import Project
from modelkeep.gui import theme
from modelkeep.gui.jobs import Jobs


@pytest.fixture(autouse=True)
def themed(qapp: QApplication) -> None:
    theme.install(qapp, "light")


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    running = Jobs()
    yield running
    running.cancel_all()
    qtbot.waitUntil(lambda: not running.active(quiet=True), timeout=20_000)


@pytest.fixture
def seeded(project: Path, remote: Path) -> Path:
    """v1.0 tags a folder of two files and a model; afterwards a file was added and the model changed."""
    builders.set_default_remote(project, str(remote))
    builders.track_folder(project, "data", {"a.csv": "1\n2\n3\n", "b.csv": "x\n"})
    builders.track_file(project, "model.onnx", b"weights one")
    builders.make_commit(project, message="First data")
    builders.make_tag(project, "v1.0", "The first one")
    (project / "data/c.csv").write_text("new\n")
    (project / "model.onnx").write_bytes(b"weights two")
    return project


@pytest.fixture
def open_project() -> Iterator[Callable[[Path], Project]]:
    opened: list[Project] = []

    def call(folder: Path) -> Project:
        opened.append(Project.open(folder, vault=MemoryVault()))
        return opened[-1]

    yield call
    for one in opened:
        one.close()
