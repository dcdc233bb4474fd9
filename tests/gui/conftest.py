"""A session and a window on a real project, at rest when a test ends."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.project import Project
from modelkeep.core.settings import Remembered, Settings
from modelkeep.core.workflows import data
from modelkeep.gui import theme
from modelkeep.gui.collector import Collector
from modelkeep.gui.main_window import MainWindow
from modelkeep.gui.session import Session


@pytest.fixture(scope="session")
def _installed(qapp: QApplication) -> None:
    theme.install(qapp, "light")


@pytest.fixture(scope="package", autouse=True)
def _collector(qapp: QApplication) -> Iterator[None]:
    """Garbage is collected on this thread alone, as in the program: a worker's thread must not end Qt objects."""
    collector = Collector(qapp)
    yield
    collector.deleteLater()
    gc.unfreeze()
    gc.collect()
    gc.enable()


@pytest.fixture(autouse=True)
def themed(_installed: None) -> None:
    """Light at the beginning of every test; switching polishes every widget alive, so only if need be."""
    if theme.notifier().choice != "light":
        theme.choose("light")


@pytest.fixture(scope="session")
def _flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project and its storage, made once; the storage is named relative to the project."""
    place = tmp_path_factory.mktemp("flowers")
    project = builders.make_project(place / "project")
    (place / "storage").mkdir()
    builders.set_default_remote(project, "../../storage")
    images = {"daisy/1.png": builders.png(), "rose/1.png": builders.png(16, 16, (200, 0, 0))}
    builders.track_folder(project, "images", images)
    builders.track_file(project, "model.onnx", b"weights one")
    builders.make_commit(project, message="First data")
    builders.make_tag(project, "v1.0", "The first one")
    opened = Project.open(project, vault=MemoryVault())
    data.push(opened)
    builders.track_folder(project, "images", {**images, "rose/2.png": builders.png(16, 16, (90, 0, 0))})
    builders.track_file(project, "model.onnx", b"weights two, longer")
    builders.make_commit(project, message="More data")
    builders.make_tag(project, "v1.1", "The second one\n\nWith more roses")
    builders.make_tag(project, "model@v2.0.0", "Registered")
    opened.close()
    (project / "model.onnx").write_bytes(b"weights three, not recorded")
    return place


@pytest.fixture
def flowers(_flowers: Path, tmp_path: Path) -> Path:
    """v1.0 is on the remote; v1.1 is only here: one picture more and another model. The model is changed again."""
    shutil.copytree(_flowers, tmp_path / "flowers", symlinks=True)
    return tmp_path / "flowers" / "project"


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    made = Session(Settings.load(), Remembered.load(), vault=MemoryVault())
    made.problems = []  # type: ignore[attr-defined]
    made.problem.connect(made.problems.append)  # type: ignore[attr-defined]
    yield made
    made.close()
    made.jobs.cancel_all()
    qtbot.waitUntil(lambda: not made.jobs.active(quiet=True), timeout=10_000)


@pytest.fixture
def rest(qtbot: QtBot) -> Callable[[Session], None]:
    """Waits until nothing is read or written any more."""

    def call(session: Session) -> None:
        qtbot.wait(1)
        qtbot.waitUntil(lambda: not session.jobs.active(quiet=True), timeout=20_000)
        qtbot.wait(1)

    return call


@pytest.fixture
def opened(session: Session, flowers: Path, rest: Callable[[Session], None], qtbot: QtBot) -> Session:
    """A session with `flowers` open and read."""
    with qtbot.waitSignal(session.opened, timeout=10_000):
        session.open(flowers)
    rest(session)
    return session


@pytest.fixture
def window(
    session: Session, flowers: Path, rest: Callable[[Session], None], qtbot: QtBot
) -> Iterator[MainWindow]:
    """A window with `flowers` open and read."""
    made = MainWindow(session)
    made.resize(1280, 800)
    made.show()
    with qtbot.waitSignal(session.opened, timeout=10_000):
        session.open(flowers)
    rest(session)
    yield made
    session.jobs.cancel_all()
    qtbot.waitUntil(lambda: not session.jobs.active(quiet=True), timeout=10_000)
    made.close()
    rest(session)
    made.deleteLater()
