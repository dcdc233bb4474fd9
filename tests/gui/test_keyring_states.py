"""Opening and pushing with a password, whatever state the keyring is in: the window lives, the password is asked.

The keyring is a real one, unlocked, locked with nobody to unlock it, frozen, or absent; a backend that keeps
plain text counts as absent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import builders
from gui_stall import MachineWatch, StallWatch
from keyring_daemon import keyring_daemon
from modelkeep.core.credentials import open_vault
from modelkeep.core.settings import Remembered, Settings
from modelkeep.core.values import Secret
from modelkeep.core.workflows import data
from modelkeep.gui import app
from modelkeep.gui.dialogs.login import PasswordDialog
from modelkeep.gui.jobs import State
from modelkeep.gui.main_window import MainWindow
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import PlainLabel
from servers import IS_ROOT, NO_ROOT, PASSWORD, SshServer

pytestmark = [
    pytest.mark.skipif(not IS_ROOT, reason=NO_ROOT),
    # The libraries beneath `keyring` leave their socket to the garbage collector when a call fails.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]
PATIENCE = 2.0  # seconds; a keyring gets more outside of tests
STALL = 0.5
READING = 1.0  # seconds that a person takes to read what is asked


@dataclass
class Lab:
    """A project whose remote wants a password, in a window that asks as the program does."""

    session: Session
    window: MainWindow
    server: SshServer
    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.server.shell.user}@{self.server.host}:{self.server.port}"


@pytest.fixture
def keyring(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The keyring in the state that the test names."""
    state = str(request.param)
    folder = tmp_path / "keyring"
    with ExitStack() as stack:
        if state == "plain":
            monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
        if state == "locked":
            with keyring_daemon(folder):
                open_vault().put("somebody@elsewhere:22", Secret("another"))
        if state not in ("absent", "plain"):
            daemon = stack.enter_context(keyring_daemon(folder, locked=state == "locked"))
        if state == "frozen":
            assert open_vault().is_persistent
            daemon.freeze()
            stack.callback(daemon.thaw)
        yield state


@pytest.fixture
def lab(
    keyring: str,
    ssh_server: SshServer,
    home: Path,
    tmp_path: Path,
    rest: Callable[[Session], None],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Lab]:
    builders.write_tree(home / ".ssh", {"known_hosts": ssh_server.known_hosts()})
    project = builders.make_project(tmp_path / "project")
    builders.set_default_remote(project, ssh_server.url(folder=f"keyring-{keyring}"), "lab")
    builders.track_file(project, "model.onnx", b"weights")
    builders.make_commit(project, message="A model")
    monkeypatch.setattr(app, "open_vault", lambda: open_vault(patience=PATIENCE))
    session = Session(Settings.load(), Remembered.load())
    window = MainWindow(session)
    app._ask_in(window, session)
    window.show()
    yield Lab(session, window, ssh_server, project)
    session.jobs.cancel_all()
    qtbot.waitUntil(lambda: not session.jobs.active(quiet=True), timeout=20_000)
    window.close()
    rest(session)
    window.deleteLater()


def use(lab: Lab, qtbot: QtBot) -> int:
    """Open the project and push, and type the password wherever it is asked for; returns how often."""
    asked = 0
    since = 0.0

    def at_rest() -> bool:
        nonlocal asked, since
        for one in QApplication.topLevelWidgets():
            if one.isVisible():
                lab.said += [label.text() for label in one.findChildren(PlainLabel)]
            if isinstance(one, PasswordDialog) and one.isVisible():
                since = since or time.monotonic()
                if time.monotonic() - since > READING:
                    asked, since = asked + 1, 0.0
                    one.field.edit.setText(PASSWORD)
                    one.accept()
        return not lab.session.jobs.active(quiet=True)

    with qtbot.waitSignal(lab.session.opened, timeout=20_000):
        lab.session.open(lab.folder)
    qtbot.waitUntil(at_rest, timeout=60_000)
    project = lab.session.project
    assert project is not None
    job = lab.session.write("Push", lambda progress: data.push(project, progress=progress))
    qtbot.waitUntil(at_rest, timeout=60_000)
    assert job.state is State.DONE, job.error
    return asked


def has(lab: Lab, *words: str) -> bool:
    """Whether a sentence with these words was shown."""
    return any(all(word in text for word in words) for text in lab.said)


@pytest.mark.parametrize(
    ("keyring", "words"),
    [
        ("locked", ("session only", "keyring is locked")),
        ("frozen", ("session only", "keyring did not answer")),
        ("absent", ("session only", "no keyring")),
        ("plain", ("session only", "no keyring")),
    ],
    indirect=["keyring"],
)
def test_where_the_keyring_does_not_help_the_password_is_asked_once(
    lab: Lab, words: tuple[str, ...], qtbot: QtBot, tmp_path: Path, home: Path
) -> None:
    with MachineWatch() as machine, StallWatch() as watch:
        assert use(lab, qtbot) == 1
    assert has(lab, *words), [text for text in lab.said if "eyring" in text]
    assert max(map(machine.own, watch.spans), default=0.0) < STALL
    kept = [*home.rglob("*"), *tmp_path.rglob("*")]
    assert not [one for one in kept if one.is_file() and PASSWORD.encode() in one.read_bytes()]


@pytest.mark.parametrize("keyring", ["unlocked"], indirect=True)
def test_an_open_keyring_keeps_it_for_the_next_time(lab: Lab, qtbot: QtBot) -> None:
    with MachineWatch() as machine, StallWatch() as watch:
        assert use(lab, qtbot) == 1
    kept = open_vault().get(lab.address)
    assert kept is not None and kept.reveal() == PASSWORD
    assert max(map(machine.own, watch.spans), default=0.0) < STALL
