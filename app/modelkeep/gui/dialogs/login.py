"""Asks for a password, a passphrase, or whether a server's key is right. Holds a secret only while it is open."""

from __future__ import annotations

import re
from typing import Literal

from PySide6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from modelkeep.core.values import Secret
from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import Dialog, NameLabel, allow, labelled
from modelkeep.gui.widgets import PlainLabel, button, framed
from modelkeep.gui.wording import lines, translate

_USUAL_PROMPT = re.compile(r"\W*([\w.@-]+'s\s+)?password\W*", re.IGNORECASE)


class SecretEdit(QWidget):
    """A field whose text is hidden until the user asks to see it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.edit = QLineEdit()
        self.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.edit.setAccessibleName(name)
        self._show = button(translate("SecretEdit", "Show"))
        self._show.setCheckable(True)
        self._show.setAccessibleName(translate("SecretEdit", "Show what is typed"))
        self._show.toggled.connect(self._reveal)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GRID)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self._show)
        self.setFocusProxy(self.edit)

    def _reveal(self, shown: bool) -> None:
        self.edit.setEchoMode(QLineEdit.EchoMode.Normal if shown else QLineEdit.EchoMode.Password)
        self._show.setText(translate("SecretEdit", "Hide") if shown else translate("SecretEdit", "Show"))

    def take(self) -> Secret | None:
        """What was typed, once: the field is empty afterwards."""
        text = self.edit.text()
        self.edit.clear()
        return Secret(text) if text else None


class _SecretDialog(Dialog):
    """The common half of password and passphrase: one hidden field, and what went wrong last time."""

    def __init__(self, title: str, icon: str, heading: str, text: str, parent: QWidget | None) -> None:
        super().__init__(title, icon=icon, heading=heading, text=text, parent=parent, width=480)
        self.fields = self.form()
        self._secret: Secret | None = None

    def _add_secret(self, name: str, verb: str) -> None:
        self.field = SecretEdit(name.replace("&", ""))
        labelled(self.fields, name, self.field)
        self.proceed = self.primary(verb)
        self.field.edit.textChanged.connect(self._check)
        self._check()
        self.field.setFocus()

    def _check(self) -> None:
        empty = not self.field.edit.text()
        allow(self.proceed, translate("Login", "Type it first") if empty else "")

    def done(self, code: int) -> None:
        self._secret = self.field.take() if code == Dialog.DialogCode.Accepted else None
        self.field.edit.clear()
        super().done(code)

    def secret(self) -> Secret | None:
        """What the user typed, None after Cancel. Given out once."""
        secret, self._secret = self._secret, None
        return secret


class PasswordDialog(_SecretDialog):
    """The password for `address` (user@host:port). `prompt` is the server's own text, shown as it is.

    `attempt` counts from 1; `no_keyring` says why it cannot be kept, "" when it can.
    """

    def __init__(
        self,
        address: str,
        attempt: int = 1,
        prompt: str = "",
        *,
        no_keyring: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(
            translate("Login", "Log in"),
            "key",
            translate("Login", "Password needed"),
            translate("Login", "The server asks for the password of this account. It is sent nowhere else."),
            parent,
        )
        self.address = address
        account = NameLabel(address, bold=True)
        labelled(self.fields, translate("Login", "Account"), account)
        account.setAccessibleName(address)
        if prompt and not _USUAL_PROMPT.fullmatch(prompt.strip()):
            says = PlainLabel(prompt.strip()[:400], wrap=True)
            labelled(self.fields, translate("Login", "Server says"), says)
        self._add_secret(translate("Login", "&Password"), translate("Login", "Log in"))
        self._keep = QCheckBox(translate("Login", "&Keep in the system keyring"))
        self._keep.setChecked(not no_keyring)
        if no_keyring:
            remark = translate("Login", "Kept for this session only: {reason}").format(reason=no_keyring)
            self.fields.addRow("", PlainLabel(remark, look="muted", wrap=True))
        else:
            self.fields.addRow("", self._keep)
        if attempt > 1:
            self.notice.say(
                "error", translate("Login", "The server did not accept that password. Nothing was stored.")
            )

    @property
    def keep(self) -> bool:
        """Whether the user wants it in the keyring."""
        return self._keep.isChecked()


class PassphraseDialog(_SecretDialog):
    """The passphrase that opens the private key in `keyfile`."""

    def __init__(self, keyfile: str, attempt: int = 1, *, parent: QWidget | None = None) -> None:
        super().__init__(
            translate("Login", "Unlock key"),
            "locked",
            translate("Login", "Passphrase needed"),
            translate("Login", "The key is protected. The passphrase stays on this machine."),
            parent,
        )
        labelled(self.fields, translate("Login", "Key file"), NameLabel(keyfile, bold=True))
        self._add_secret(translate("Login", "&Passphrase"), translate("Login", "Unlock"))
        if attempt > 1:
            self.notice.say("error", translate("Login", "That passphrase does not open the key."))


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
        print_ = PlainLabel(self._fingerprint, wrap=True).selectable()
        print_.setFont(theme.mono())
        labelled(form, translate("HostKey", "Fingerprint"), print_)
        print_.setAccessibleName(lines(self._fingerprint))

    def _add_expected(self) -> None:
        box = QVBoxLayout()
        box.setSpacing(theme.GRID)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.expected = QLineEdit()
        self.expected.setFont(theme.mono())
        self.expected.setPlaceholderText(translate("HostKey", "Paste it here to compare (SHA256:…)"))
        self.verdict = PlainLabel("", wrap=True)
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


def _bare(fingerprint: str) -> str:
    """The base64 part alone: people copy it with or without the key's size, the prefix and the padding."""
    found = re.search(r"SHA256:([A-Za-z0-9+/]+)", fingerprint)
    return found[1] if found else re.sub(r"[\s=]", "", fingerprint)
