"""Whether an unknown server is the right one, and the page for one whose key changed. Sends nothing anywhere."""

from __future__ import annotations

import re
from typing import Literal

from PySide6.QtWidgets import QFormLayout, QLineEdit, QVBoxLayout, QWidget

from modelkeep.core.errors import HostKeyChanged
from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import Dialog, NameLabel, allow, labelled
from modelkeep.gui.widgets import PlainLabel, framed
from modelkeep.gui.wording import lines, translate


class HostKeyDialog(Dialog):
    """Whether an unknown server is who it says it is. Cancel is the default; nothing was sent to it yet."""

    def __init__(
        self, host: str, key_type: str, fingerprint: str, *, project: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(
            translate("HostKey", "Unknown server"),
            icon="unsafe",
            heading=translate("HostKey", "Is this the right server?"),
            text=translate(
                "HostKey",
                "You connect to it for the first time. Compare the fingerprint with the one its administrator gives you. Nothing has been sent to it yet.",
            ),
            parent=parent,
            width=600,
        )
        self._fingerprint = fingerprint
        self.trust: Literal["cancel", "once", "remember"] = "cancel"
        self._facts(host, key_type, project)
        self._add_expected()
        self._add_buttons()

    def _facts(self, host: str, key_type: str, project: str) -> None:
        form = self.form()
        labelled(form, translate("HostKey", "Server"), NameLabel(host, bold=True))
        if project:
            labelled(form, translate("HostKey", "For project"), NameLabel(project))
        labelled(form, translate("HostKey", "Key type"), NameLabel(key_type))
        print_ = PlainLabel(self._fingerprint).selectable()
        print_.setFont(theme.mono())
        labelled(form, translate("HostKey", "Fingerprint"), print_)
        print_.setAccessibleName(lines(self._fingerprint))
        command = PlainLabel(on_the_server(key_type)).selectable()
        command.setFont(theme.mono())
        labelled(form, translate("HostKey", "On the server"), command)
        command.setToolTip(translate("HostKey", "Its administrator sees the fingerprint with this command"))

    def _add_expected(self) -> None:
        box = QVBoxLayout()
        box.setSpacing(theme.GRID)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.expected = QLineEdit()
        self.expected.setFont(theme.mono())
        self.expected.setPlaceholderText(translate("HostKey", "Paste it here to compare (SHA256:…)"))
        self.verdict = PlainLabel("")
        labelled(form, translate("HostKey", "&Expected"), self.expected)
        box.addLayout(form)
        box.addWidget(self.verdict)
        self.body.addWidget(framed(box, "banner", (theme.GRID,) * 4))
        self.verdict.setVisible(False)
        self.expected.textChanged.connect(self._compare)

    def _add_buttons(self) -> None:
        self.remember = self.primary(translate("HostKey", "&Trust and remember"), look="", default=False)
        self.once = self.extra_button(translate("HostKey", "&Only this time"))
        self.once.setToolTip(translate("HostKey", "Until Modelkeep is closed; the next start asks again"))
        self.once.clicked.connect(self._only_once)
        self.cancel.setFocus()

    def _only_once(self) -> None:
        self.trust = "once"
        self.accept()

    def accept(self) -> None:
        if self.trust == "cancel":
            self.trust = "remember"
        super().accept()

    def _compare(self, text: str) -> None:
        given = _bare(text)
        self.verdict.setVisible(bool(given))
        same = given == _bare(self._fingerprint)
        if same:
            self.verdict.setText(translate("HostKey", "✓ The fingerprints are the same."))
        else:
            self.verdict.setText(translate("HostKey", "✗ The fingerprints differ. Do not trust this server."))
        self.verdict.set_look("good" if same else "bad")
        blocked = bool(given) and not same
        for chosen in (self.remember, self.once):
            allow(chosen, translate("HostKey", "The fingerprints differ") if blocked else "")
        self.refit()


class HostChangedDialog(Dialog):
    """The server shows another key than the known one, or a revoked one. There is no way through from here.

    `wants_to_forget` is set when the user asked for that other deed, which has a dialog of its own.
    """

    def __init__(self, error: HostKeyChanged, parent: QWidget | None = None) -> None:
        revoked = error.reason == "host_revoked"
        super().__init__(
            translate("HostKey", "Refused"),
            icon="error",
            heading=translate("HostKey", "The key of this server was revoked")
            if revoked
            else translate("HostKey", "This server is not the one you know"),
            text=translate("HostKey", "It was refused. Nothing was sent to it, no password and no data."),
            parent=parent,
            width=640,
        )
        self.wants_to_forget = False
        self._facts(error)
        self.notice.say("warning", _meaning(revoked))
        self.close_button().setFocus()
        if not revoked and error.host:
            self.forget = self.extra_button(translate("HostKey", "&Forget this host…"))
            self.forget.clicked.connect(self._forget)

    def _facts(self, error: HostKeyChanged) -> None:
        form = self.form()
        rows = [(translate("HostKey", "Server"), error.host)]
        known = translate("HostKey", "Known key")
        for kind, print_, place in error.known:
            rows += [(known, f"{kind} {print_}"), (translate("HostKey", "Stands in"), place)]
        rows.append((translate("HostKey", "Shown now"), " ".join(error.presented).strip()))
        for name, text in rows:
            value = NameLabel(text)
            value.setFont(theme.mono())
            labelled(form, name, value)
            value.setAccessibleName(lines(f"{name}: {text}"))

    def _forget(self) -> None:
        self.wants_to_forget = True
        self.accept()


def _meaning(revoked: bool) -> str:
    if revoked:
        return translate(
            "HostKey",
            "Somebody marked this key as stolen or retired (@revoked). Ask the administrator of the server for its new key.",
        )
    return translate(
        "HostKey",
        "Either the server was set up anew, or somebody stands between you and it. Ask its administrator, over another way than this one. Only if the new key is right, forget the old one.",
    )


def on_the_server(key_type: str) -> str:
    """The command that prints the fingerprint of this kind of key on the server itself."""
    family = next((name for name in ("ed25519", "ecdsa", "rsa") if name in key_type), "ed25519")
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{family}_key.pub"


def _bare(fingerprint: str) -> str:
    """The base64 part alone: people copy it with or without the key's size, the prefix and the padding."""
    found = re.search(r"SHA256:([A-Za-z0-9+/]+)", fingerprint)
    return found[1] if found else re.sub(r"[\s=]", "", fingerprint)
