"""The host key dialog: Cancel unless the user says otherwise, and a pasted fingerprint is compared."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from modelkeep.gui.dialogs.hostkey import HostKeyDialog
from modelkeep.gui.dialogs.login import PasswordDialog

PRINT = "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDQsmK1j+mR2vXn0ZQ"


@pytest.fixture
def dialog(qtbot: QtBot) -> HostKeyDialog:
    made = HostKeyDialog("lab:22", "ssh-ed25519", PRINT, project="cats")
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape])
def test_a_careless_key_trusts_nobody(qtbot: QtBot, dialog: HostKeyDialog, key: Qt.Key) -> None:
    with qtbot.waitSignal(dialog.finished):
        qtbot.keyClick(dialog, key)
    assert (dialog.trust, dialog.result()) == ("cancel", 0)


def test_enter_in_the_field_trusts_nobody_either(qtbot: QtBot, dialog: HostKeyDialog) -> None:
    dialog.expected.setFocus()
    qtbot.keyClicks(dialog.expected, PRINT)
    with qtbot.waitSignal(dialog.finished):
        qtbot.keyClick(dialog.expected, Qt.Key.Key_Return)
    assert dialog.trust == "cancel"


def test_closing_trusts_nobody(qtbot: QtBot, dialog: HostKeyDialog) -> None:
    dialog.close()
    assert dialog.trust == "cancel"


@pytest.mark.parametrize("form", ["{}", "256 {} lab (ED25519)", " {}= ", "\t{}\n"])
def test_the_same_fingerprint_is_recognised(dialog: HostKeyDialog, form: str) -> None:
    dialog.expected.setText(form.format(PRINT))
    assert "the same" in dialog.verdict.text()
    assert dialog.remember.isEnabled()


@pytest.mark.parametrize("given", ["SHA256:AAAA", PRINT.lower(), PRINT[:-1], "MD5:aa:bb"])
def test_another_fingerprint_cannot_be_trusted(dialog: HostKeyDialog, given: str) -> None:
    dialog.expected.setText(given)
    assert "differ" in dialog.verdict.text()
    assert not dialog.remember.isEnabled()
    assert not dialog.once.isEnabled()
    assert dialog.remember.toolTip()


def test_a_server_cannot_draw_in_the_dialog(qtbot: QtBot) -> None:
    prompt = "<img src='file:///etc/passwd'>\u202e Code:"
    dialog = PasswordDialog("a@lab:22", 1, prompt)
    qtbot.addWidget(dialog)
    labels = [label for label in dialog.findChildren(type(dialog.heading)) if "img" in label.text()]
    assert labels
    for label in labels:
        assert label.textFormat() == Qt.TextFormat.PlainText
        assert "⟨U+202E⟩" in label.text()


def test_the_secret_is_given_out_once(qtbot: QtBot) -> None:
    dialog = PasswordDialog("a@lab:22")
    qtbot.addWidget(dialog)
    dialog.field.edit.setText("hunter2")
    dialog.accept()
    first = dialog.secret()
    assert first is not None and first.reveal() == "hunter2"
    assert dialog.secret() is None


def test_every_field_has_a_name(qtbot: QtBot, dialog: HostKeyDialog) -> None:
    assert dialog.expected.accessibleName() == "Expected"
    assert dialog.accessibleName()
