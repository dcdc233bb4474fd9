"""The set-up wizard on real folders and a real server: what it writes, what it never does, and the keyboard."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.workflows.remote_test import State
from modelkeep.gui.dialogs.hostkey import HostKeyDialog
from modelkeep.gui.dialogs.login import PasswordDialog
from modelkeep.gui.dialogs.questions import GuiQuestions
from modelkeep.gui.dialogs.wizard.choices import Fields, name_problem
from modelkeep.gui.dialogs.wizard.storage import SetupWizard
from modelkeep.gui.session import Session
from servers import SshServer, make_key

Make = Callable[..., SetupWizard]


@pytest.fixture
def make(qtbot: QtBot, session: Session) -> Iterator[Make]:
    """Opens the wizard; whatever it still does ends with the test."""

    def call(**more: object) -> SetupWizard:
        wizard = SetupWizard(session, **more)  # type: ignore[arg-type]
        qtbot.addWidget(wizard)
        wizard.show()
        return wizard

    yield call
    session.jobs.cancel_all()
    qtbot.waitUntil(lambda: not session.jobs.active(quiet=True), timeout=20_000)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Something that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def questions(session: Session) -> Iterator[GuiQuestions]:
    """Who is asked in projects opened from now on: dialogs."""
    asks = GuiQuestions()
    session.questions = asks
    session.jobs.around = asks.asking_for
    yield asks
    asks.close()


def go_on(qtbot: QtBot, wizard: SetupWizard, page: object) -> None:
    """Press Next once it can be pressed, and wait for that page."""
    qtbot.waitUntil(wizard.proceed.isEnabled, timeout=20_000)
    wizard.proceed.click()
    qtbot.waitUntil(lambda: wizard.page is page, timeout=20_000)


def test_from_an_empty_folder_to_a_shared_folder(
    qtbot: QtBot, session: Session, make: Make, tmp_path: Path, remote: Path
) -> None:
    wizard = make(folder=str(tmp_path / "fresh"))
    assert wizard.page is wizard.project
    assert not wizard.back.isEnabled()
    qtbot.waitUntil(lambda: "new folder" in wizard.project.verdict.text(), timeout=20_000)
    go_on(qtbot, wizard, wizard.kind)
    assert session.project is not None and session.project.root == tmp_path / "fresh"
    wizard.kind.options["local"].button.setChecked(True)
    go_on(qtbot, wizard, wizard.address)
    assert not wizard.proceed.isEnabled()
    wizard.address.folder.set_folder(str(remote))
    go_on(qtbot, wizard, wizard.trial)  # a folder has no login
    qtbot.waitUntil(lambda: wizard.trial.trial.steps.is_good, timeout=20_000)
    assert not list(remote.rglob("*")), "the test leaves nothing behind"
    go_on(qtbot, wizard, wizard.review)
    qtbot.waitUntil(wizard.proceed.isEnabled, timeout=20_000)
    (shown,) = wizard.review.texts()
    assert (tmp_path / "fresh/.dvc/config").read_text() == ""
    go_on(qtbot, wizard, wizard.last)
    text = (tmp_path / "fresh/.dvc/config").read_text()
    assert shown.splitlines()[0] == ".dvc/config"
    assert text.splitlines() == [line.removeprefix("+ ") for line in shown.splitlines()[1:]]
    qtbot.waitUntil(wizard.proceed.isEnabled, timeout=20_000)
    assert wizard.following == "add"  # nothing is tracked yet
    with qtbot.waitSignal(wizard.accepted):
        wizard.proceed.click()


def test_only_the_test_contacts_a_server_and_going_back_keeps_what_was_answered(
    qtbot: QtBot, session: Session, make: Make, opened: Session, ssh_server: SshServer
) -> None:
    before = ssh_server.log()
    wizard = make()
    assert wizard.page is wizard.kind  # the project is open already
    go_on(qtbot, wizard, wizard.address)
    wizard.address.paste.setText(ssh_server.url(folder="wizard"))
    assert wizard.address.host.text() == ssh_server.host
    go_on(qtbot, wizard, wizard.login)
    assert wizard.login.plain.text()
    wizard.go_back()
    wizard.go_back()
    assert wizard.page is wizard.kind
    go_on(qtbot, wizard, wizard.address)
    assert wizard.address.path.text().endswith("/wizard")
    assert ssh_server.log() == before


def test_a_real_server_is_tested_step_by_step_and_the_key_is_named_on_this_machine_only(
    qtbot: QtBot,
    session: Session,
    make: Make,
    questions: GuiQuestions,
    opened: Session,
    ssh_server: SshServer,
    tmp_path: Path,
) -> None:
    wizard = make()
    go_on(qtbot, wizard, wizard.address)
    wizard.address.paste.setText(f"dvc remote add lab {ssh_server.url(folder=tmp_path.name)}")
    go_on(qtbot, wizard, wizard.login)
    wizard.login.options["key"].button.setChecked(True)
    assert not wizard.proceed.isEnabled()
    wizard.login.keyfile.set_folder(str(ssh_server.key))
    seen: list[tuple[str, State]] = []
    go_on(qtbot, wizard, wizard.trial)
    wizard.trial.trial.changed.connect(
        lambda: seen.extend((one.key, one.state) for one in wizard.trial.trial.steps.rows)
    )
    qtbot.waitUntil(lambda: bool(asked()), timeout=20_000)
    question = asked()[0]
    question.expected.setText(ssh_server.fingerprint())
    question.remember.click()
    qtbot.waitUntil(lambda: not wizard.trial.trial.is_running, timeout=30_000)
    assert wizard.trial.trial.steps.is_good, wizard.trial.view.texts()
    assert ("host_key", State.RUNNING) in seen  # while it was asked about
    go_on(qtbot, wizard, wizard.review)
    qtbot.waitUntil(wizard.proceed.isEnabled, timeout=20_000)
    shared, own = wizard.review.texts()
    assert "keyfile" not in shared
    assert str(ssh_server.key) in own and own.startswith(".dvc/config.local")
    go_on(qtbot, wizard, wizard.last)


def asked() -> list[HostKeyDialog]:
    return [
        one for one in QApplication.topLevelWidgets() if isinstance(one, HostKeyDialog) and one.isVisible()
    ]


def test_a_failed_test_says_why_and_nothing_is_written(
    qtbot: QtBot, session: Session, make: Make, opened: Session
) -> None:
    config = session.project.root / ".dvc/config"  # type: ignore[union-attr]
    before = config.read_text()
    wizard = make()
    go_on(qtbot, wizard, wizard.address)
    wizard.address.paste.setText("ssh://me@127.0.0.1:1/srv/data")
    go_on(qtbot, wizard, wizard.login)
    go_on(qtbot, wizard, wizard.trial)
    qtbot.waitUntil(lambda: not wizard.trial.trial.is_running, timeout=30_000)
    failed = wizard.trial.trial.steps.failed
    assert failed is not None and failed.reason == "port_refused"
    assert not wizard.proceed.isEnabled()
    assert wizard.trial.again.isEnabled() and wizard.trial.without.isVisible()
    assert config.read_text() == before
    wizard.trial.without.click()
    qtbot.waitUntil(lambda: wizard.page is wizard.review, timeout=20_000)
    assert config.read_text() == before


def test_a_key_that_opens_nothing_is_named_when_the_next_question_is_not_answered(
    qtbot: QtBot,
    session: Session,
    make: Make,
    questions: GuiQuestions,
    opened: Session,
    ssh_server: SshServer,
    tmp_path: Path,
    home: Path,
) -> None:
    (home / ".ssh").mkdir(exist_ok=True)
    (home / ".ssh/known_hosts").write_text(ssh_server.known_hosts())
    wizard = make()
    go_on(qtbot, wizard, wizard.address)
    wizard.address.paste.setText(ssh_server.url(folder=tmp_path.name))
    go_on(qtbot, wizard, wizard.login)
    wizard.login.options["key"].button.setChecked(True)
    wizard.login.keyfile.set_folder(str(make_key(tmp_path / "stranger")))
    go_on(qtbot, wizard, wizard.trial)

    def turn_down() -> bool:
        for one in QApplication.topLevelWidgets():
            if isinstance(one, PasswordDialog) and one.isVisible():
                one.reject()
        return not wizard.trial.trial.is_running

    qtbot.waitUntil(turn_down, timeout=30_000)
    failed = wizard.trial.trial.steps.failed
    assert failed is not None and failed.key == "login"
    assert "key" in failed.text and failed.advice
    qtbot.keyClick(wizard.trial.again, Qt.Key.Key_Escape)
    assert not wizard.isVisible()


def test_escape_ends_the_test_first_and_closes_then(
    qtbot: QtBot, session: Session, make: Make, opened: Session, silent_port: int
) -> None:
    wizard = make()
    go_on(qtbot, wizard, wizard.address)
    wizard.address.paste.setText(f"ssh://me@127.0.0.1:{silent_port}/srv/data")
    go_on(qtbot, wizard, wizard.login)
    go_on(qtbot, wizard, wizard.trial)
    qtbot.waitUntil(lambda: wizard.trial.trial.is_running, timeout=10_000)
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert not wizard.trial.trial.is_running
    assert wizard.isVisible()
    assert "cancelled" in wizard.heading.text()
    with qtbot.waitSignal(wizard.rejected):
        qtbot.keyClick(wizard, Qt.Key.Key_Escape)


def test_the_whole_way_by_keyboard(
    qtbot: QtBot, session: Session, make: Make, opened: Session, remote: Path
) -> None:
    wizard = make()
    with qtbot.waitActive(wizard, timeout=10_000):
        wizard.activateWindow()
    assert wizard.kind.options["ssh"].button.hasFocus()
    qtbot.keyClick(wizard.kind.options["ssh"].button, Qt.Key.Key_Down)
    assert wizard.choices.kind == "local"
    qtbot.keyClick(wizard.kind.options["local"].button, Qt.Key.Key_Return)
    assert wizard.page is wizard.address
    for letter in str(remote):
        qtbot.keyClick(wizard.address.folder.edit, letter)
    qtbot.keyClick(wizard.address.folder.edit, Qt.Key.Key_Return)
    assert wizard.page is wizard.trial
    qtbot.waitUntil(lambda: wizard.proceed.isEnabled() and wizard.proceed.hasFocus(), timeout=20_000)
    qtbot.keyClick(wizard.proceed, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: wizard.page is wizard.review and wizard.proceed.isEnabled(), timeout=20_000)


def test_a_pasted_password_leaves_the_screen_and_is_written_nowhere(
    qtbot: QtBot, session: Session, make: Make, opened: Session
) -> None:
    wizard = make()
    go_on(qtbot, wizard, wizard.address)
    wizard.address.paste.setText("ssh://alice:hunter2@lab.example.org/srv/data")
    draft = wizard.choices.draft
    assert "hunter2" not in wizard.address.paste.text()
    assert draft is not None and draft.secret is not None and draft.login == "password"
    assert "hunter2" not in repr(draft)
    wizard.address.user.setText("bob")
    wizard.address.user.textEdited.emit("bob")
    assert wizard.choices.draft is not None and wizard.choices.draft.secret is None  # not for another account


def test_editing_changes_the_remote_and_nothing_else(
    qtbot: QtBot, session: Session, make: Make, opened: Session, tmp_path: Path
) -> None:
    project = session.project
    assert project is not None
    config = project.root / ".dvc/config"
    config.write_text(config.read_text() + "    verify = true\n")
    project.reload()
    before = config.read_text()
    wizard = make(edit=project.remotes()[0])
    assert wizard.page is wizard.address
    assert wizard.address.name.isReadOnly()
    assert not wizard.address.default.isEnabled()
    go_on(qtbot, wizard, wizard.trial)
    go_on(qtbot, wizard, wizard.review)
    go_on(qtbot, wizard, wizard.last)
    assert config.read_text() == before  # a relative address stays as it was


def test_who_publishes_is_asked_where_git_does_not_know(
    qtbot: QtBot, session: Session, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / ".gitconfig").write_text("[init]\n    defaultBranch = main\n")
    wizard = make(folder=str(tmp_path / "fresh"))
    qtbot.waitUntil(wizard.project.me.isVisible, timeout=20_000)
    assert not wizard.proceed.isEnabled()
    wizard.project.me_name.setText("Ada")
    wizard.project.me_email.setText("ada@example.org")
    go_on(qtbot, wizard, wizard.kind)
    assert builders.git(tmp_path / "fresh", "config", "--local", "user.email").strip() == "ada@example.org"


def test_hosts_of_the_ssh_config_are_offered(
    qtbot: QtBot, session: Session, make: Make, opened: Session, home: Path
) -> None:
    (home / ".ssh").mkdir(exist_ok=True)
    (home / ".ssh/config").write_text("Host lab\n  HostName lab.example.org\nHost *.gpu\n  User me\n")
    wizard = make()
    go_on(qtbot, wizard, wizard.address)
    qtbot.waitUntil(wizard.address.hosts.isVisible, timeout=20_000)
    menu = wizard.address.hosts.menu()
    assert [one.text() for one in menu.actions()] == ["lab"]
    menu.actions()[0].trigger()
    assert wizard.address.host.text() == "lab"


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("ssh://a@lab:22/srv", Fields("lab", "a", "22", "/srv")),
        ("ssh://lab/srv/a b", Fields("lab", "", "", "/srv/a b")),
        ("ssh://a@[fe80::1]:2222/srv", Fields("[fe80::1]", "a", "2222", "/srv")),
        ("ssh://a@[fe80::1]/srv", Fields("[fe80::1]", "a", "", "/srv")),
    ],
)
def test_an_address_goes_into_fields_and_back(url: str, fields: Fields) -> None:
    assert Fields.of(url) == fields
    assert fields.url == url


@pytest.mark.parametrize(
    ("name", "fine"), [("lab", True), ("", False), ("a b", False), ("-x", False), ("ä", False)]
)
def test_names_of_remotes(name: str, fine: bool) -> None:
    assert (name_problem(name, None, None) == "") is fine
