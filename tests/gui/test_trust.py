"""What the window says and asks while a server is not trusted or not logged in to: a real sshd, a scripted person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.values import Secret
from modelkeep.gui.jobs import State
from modelkeep.gui.main_window import MainWindow
from modelkeep.gui.session import Session
from servers import NO_ROOT, PASSWORD, SshServer


class Person:
    """Answers as told, and counts what is asked."""

    def __init__(self) -> None:
        self.trust, self.secret = "cancel", None
        self.asked: list[str] = []

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        self.asked.append("password")
        return self.secret

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        return None

    def answers(self, address: str, **_: object) -> list[Secret] | None:
        self.asked.append("answers")
        return None

    def say(self, text: str) -> None:
        self.asked.append("say")

    def address_changed(self, remote: str, old: str, new: str) -> bool:
        self.asked.append("address")
        return True

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        self.asked.append("trust")
        return self.trust


@pytest.fixture
def person(session: Session) -> Person:
    """Asked instead of dialogs; nothing is known at first."""
    asked = Person()
    session.vault = None
    session.ask_with(asked, MemoryVault)
    return asked


@pytest.fixture
def lab(ssh_server: SshServer, flowers: Path, person: Person, tmp_path: Path) -> Path:
    """`flowers`, whose remote is a server nobody has seen yet."""
    builders.set_default_remote(flowers, ssh_server.url(folder=tmp_path.name), "lab")
    return flowers


def badge(window: MainWindow) -> str:
    return window.status.remote.accessibleName()


def test_a_refused_server_is_called_not_trusted_and_no_box_follows(
    lab: Path, person: Person, window: MainWindow, session: Session, rest: Callable[[Session], None]
) -> None:
    assert badge(window) == "lab is not trusted"
    window.command["push"].trigger()
    rest(session)
    assert session.jobs.listed()[0].state is State.FAILED
    assert session.problems == []  # type: ignore[attr-defined]
    assert "not trusted" in window.status.told.accessibleName()
    assert badge(window) == "lab is not trusted"
    count = len(person.asked)
    (lab / "new.txt").write_text("x")
    session._changed_outside()
    rest(session)
    assert len(person.asked) == count  # not again at every change


def test_a_login_not_given_is_asked_for_again_only_when_the_user_wants(
    lab: Path,
    person: Person,
    window: MainWindow,
    session: Session,
    rest: Callable[[Session], None],
    ssh_server: SshServer,
) -> None:
    if not ssh_server.shell.password:
        pytest.skip(NO_ROOT)
    person.trust = "remember"
    window.command["refresh"].trigger()
    rest(session)
    assert badge(window) == "not logged in to lab"
    count = len(person.asked)
    session._changed_outside()
    rest(session)
    assert len(person.asked) == count
    person.secret = Secret(PASSWORD)
    window.command["push"].trigger()
    rest(session)
    assert session.problems == []  # type: ignore[attr-defined]
    assert badge(window) == "lab"
