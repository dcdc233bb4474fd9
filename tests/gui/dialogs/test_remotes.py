"""The page of remotes, the refused host and forgetting it, and secrets that leave files: on real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.credentials import open_vault
from modelkeep.core.errors import HostKeyChanged
from modelkeep.core.project import Project
from modelkeep.core.workflows import addresses, hosts
from modelkeep.core.workflows.remote_test import State, Step
from modelkeep.gui.dialogs.forgethost import ForgetHost
from modelkeep.gui.dialogs.frame import NameLabel
from modelkeep.gui.dialogs.hostkey import HostChangedDialog, on_the_server
from modelkeep.gui.dialogs.remotes import RemotesDialog
from modelkeep.gui.dialogs.remotetest import RemoteTestDialog
from modelkeep.gui.dialogs.secrets import SecretsDialog
from modelkeep.gui.jobs import Jobs
from modelkeep.gui.session import Session

_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIFrobOWQJiDRJDOjUtDzFiTJwSY2JYYHZfVkRTOKIXzF"
_CONFIG = """\
[core]
    remote = lab
['remote "lab"']
    url = ssh://me@lab.example.org/srv/data
    verify = true
    keyfile = /etc/shadow
['remote "share"']
    url = /mnt/share
['remote "bucket"']
    url = s3://bucket/data
"""
_LOCAL = """\
['remote "lab"']
    ask_password = true
"""


@pytest.fixture
def page(qtbot: QtBot, session: Session, opened: Session) -> Iterator[RemotesDialog]:
    project = session.project
    assert project is not None
    (project.root / ".dvc/config").write_text(_CONFIG)
    (project.root / ".dvc/config.local").write_text(_LOCAL)
    project.reload()
    dialog = RemotesDialog(session)
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    qtbot.waitUntil(lambda: not session.jobs.active(quiet=True), timeout=20_000)


def choose(page: RemotesDialog, name: str) -> None:
    names = [one.name for one in page._model.rows]
    page.list.setCurrentIndex(page._model.index(names.index(name), 0))


def settings(page: RemotesDialog) -> dict[str, tuple[str, str]]:
    return {one.key: (one.value, one.place) for one in page._details.rows}


def test_each_setting_is_shown_with_its_file_and_what_is_ignored_with_its_reason(page: RemotesDialog) -> None:
    assert page.chosen is not None and page.chosen.name == "lab"
    shown = settings(page)
    assert shown["url"] == ("ssh://me@lab.example.org/srv/data", ".dvc/config")
    assert shown["ask_password"] == ("true", ".dvc/config.local")
    assert shown["keyfile"] == ("ignored", ".dvc/config")
    assert "keyfile" in page._why.text() and len(page._why.text()) > len("keyfile: ")


def test_the_default_can_be_changed_and_a_remote_removed(
    qtbot: QtBot, page: RemotesDialog, session: Session
) -> None:
    assert not page.prefer.isEnabled()
    choose(page, "share")
    page.prefer.click()
    qtbot.waitUntil(lambda: session.project.config.default_remote == "share", timeout=20_000)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: not page.is_working, timeout=20_000)
    assert page.chosen is not None and page.chosen.name == "share"


def test_a_kind_that_is_not_done_says_so(page: RemotesDialog) -> None:
    choose(page, "bucket")
    assert not page.test.isEnabled() and not page.edit.isEnabled()
    assert "s3" in page.test.toolTip()
    assert page.remove.isEnabled()


def test_the_button_tests_step_by_step(
    qtbot: QtBot, session: Session, opened: Session, page: RemotesDialog, remote: Path
) -> None:
    project = session.project
    assert project is not None
    (project.root / ".dvc/config.local").unlink()
    builders.set_default_remote(project.root, str(remote))
    project.reload()
    addresses.accept(project)
    page._show()
    page.test.click()
    qtbot.waitUntil(lambda: bool(running()), timeout=10_000)
    (dialog,) = running()
    qtbot.waitUntil(lambda: not dialog.trial.is_running, timeout=20_000)
    assert dialog.trial.steps.is_good, dialog.view.texts()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def running() -> list[RemoteTestDialog]:
    return [
        one for one in QApplication.topLevelWidgets() if isinstance(one, RemoteTestDialog) and one.isVisible()
    ]


# -- a host that changed -------------------------------------------------------------------------------


def refusal(reason: str = "host_changed") -> HostKeyChanged:
    error = HostKeyChanged("It has changed.", reason=reason)
    error.host, error.presented = "[lab]:2222", ("ssh-ed25519", "SHA256:new")
    error.known = (("ssh-ed25519", "SHA256:old", "/home/me/.ssh/known_hosts:3"),)
    return error


def test_a_changed_host_has_no_way_through(qtbot: QtBot) -> None:
    dialog = HostChangedDialog(refusal())
    qtbot.addWidget(dialog)
    dialog.show()
    shown = " ".join(
        one.accessibleName() for one in dialog.findChildren(object) if hasattr(one, "accessibleName")
    )
    for fact in ("SHA256:old", "SHA256:new", "known_hosts:3", "[lab]:2222"):
        assert fact in shown
    verbs = {one.text().replace("&", "") for one in dialog.findChildren(QPushButton)}
    assert verbs == {"Close", "Forget this host…"}
    with qtbot.waitSignal(dialog.rejected):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert not dialog.wants_to_forget


def test_a_revoked_key_cannot_be_forgotten_away(qtbot: QtBot) -> None:
    dialog = HostChangedDialog(refusal("host_revoked"))
    qtbot.addWidget(dialog)
    assert {one.text() for one in dialog.findChildren(QPushButton)} == {"Close"}


@pytest.mark.parametrize(
    ("kind", "file"), [("ecdsa-sha2-nistp256", "ecdsa"), ("rsa-sha2-512", "rsa"), ("?", "ed25519")]
)
def test_the_command_for_the_server_fits_the_key(kind: str, file: str) -> None:
    assert on_the_server(kind) == f"ssh-keygen -lf /etc/ssh/ssh_host_{file}_key.pub"


def test_forgetting_a_host_takes_out_its_lines_and_keeps_a_copy(qtbot: QtBot, jobs: Jobs, home: Path) -> None:
    known = home / ".ssh/known_hosts"
    known.parent.mkdir(exist_ok=True)
    text = f"# mine\nlab.example.org ssh-ed25519 {_KEY}\nother ssh-ed25519 {_KEY}\n*.example.org ssh-ed25519 {_KEY}\n"
    known.write_text(text)
    host = hosts.KnownAs("lab.example.org", (str(known),))
    ran = home / "ran"
    (home / ".ssh/config").write_text(f'Match exec "touch {ran}"\n  HostName elsewhere\n')
    dialog = ForgetHost(jobs, host)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.proceed.isEnabled, timeout=10_000)
    assert "known_hosts:2" in dialog.lines.paths()[0]
    assert len(dialog.lines.paths()) == 1
    assert dialog.cancel.isDefault()
    with qtbot.waitSignal(dialog.accepted, timeout=10_000):
        dialog.proceed.click()
    assert known.read_text() == text.replace(f"lab.example.org ssh-ed25519 {_KEY}\n", "", 1)
    assert (home / ".ssh/known_hosts.old").read_text() == text
    assert hosts.lines_of(host) == () and not ran.exists()


def test_a_test_offers_to_forget_the_host_that_it_met(qtbot: QtBot, flowers: Path, jobs: Jobs) -> None:
    (flowers / ".dvc/config").write_text(_CONFIG)
    project = Project.open(flowers)
    share = next(one for one in project.remotes() if one.name == "share")
    dialog = RemoteTestDialog(project, jobs, share)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: not dialog.trial.is_running, timeout=20_000)
    for hop in (hosts.KnownAs("hop", ("/none",)), None):
        dialog.trial.steps.take(Step("folder", "", State.FAILED, reason="host_changed", forgettable=hop))
        dialog.trial.changed.emit()
        assert dialog.forget.isVisible() == (hop is not None)
        dialog.forget.click()
    (shown,) = dialog.findChildren(ForgetHost)
    assert "hop" in {one.text() for one in shown.findChildren(NameLabel)}


# -- secrets -------------------------------------------------------------------------------------------


def test_secrets_move_after_the_plan_was_shown(
    qtbot: QtBot, session: Session, flowers: Path, keyring: object, jobs: Jobs
) -> None:
    from modelkeep.core.project import Project

    builders.set_default_remote(flowers, "ssh://me@lab.example/srv", password="hunter2")
    builders.make_commit(flowers, message="Oops")
    project = Project.open(flowers, vault=open_vault())
    dialog = SecretsDialog(project, jobs)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.proceed.isEnabled, timeout=20_000)
    shown = "\n".join(dialog.view.texts())
    assert "Git history" in shown and "Read back" in shown
    assert "hunter2" not in shown
    assert dialog.commit.isVisible() and not dialog.commit.isChecked()
    assert "hunter2" in (flowers / ".dvc/config").read_text()
    with qtbot.waitSignal(dialog.changed, timeout=20_000):
        dialog.proceed.click()
    assert "hunter2" not in (flowers / ".dvc/config").read_text()
    kept = project.vault.get("me@lab.example:22")
    assert kept is not None and kept.reveal() == "hunter2"
    qtbot.waitUntil(lambda: not dialog.is_working, timeout=10_000)
    project.close()


def test_without_a_keyring_nothing_is_moved(qtbot: QtBot, opened: Session, jobs: Jobs) -> None:
    project = opened.project
    assert project is not None
    builders.set_default_remote(project.root, "ssh://me@lab.example/srv", password="hunter2")
    project.reload()
    dialog = SecretsDialog(project, jobs)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.notice.kind == "warning", timeout=20_000)
    assert not dialog.proceed.isEnabled()
    assert "hunter2" in (project.root / ".dvc/config").read_text()
