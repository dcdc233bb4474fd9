"""Asks for a password or a passphrase. Holds a secret only while it is open."""

from __future__ import annotations

import re

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QWidget

from modelkeep.core.values import Secret
from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import Dialog, NameLabel, allow, labelled
from modelkeep.gui.widgets import PlainLabel, button
from modelkeep.gui.wording import translate

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

    def _add_keep(self, no_keyring: str) -> None:
        self._keep = QCheckBox(translate("Login", "&Keep in the system keyring"))
        self._keep.setChecked(not no_keyring)
        if no_keyring:
            remark = translate("Login", "Kept for this session only: {reason}").format(reason=no_keyring)
            self.fields.addRow("", PlainLabel(remark, look="muted", wrap=True))
        else:
            self.fields.addRow("", self._keep)

    @property
    def keep(self) -> bool:
        """Whether the user wants it in the keyring."""
        return self._keep.isChecked()

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
        self._add_keep(no_keyring)
        if attempt > 1:
            self.notice.say(
                "error", translate("Login", "The server did not accept that password. Nothing was stored.")
            )


class PassphraseDialog(_SecretDialog):
    """The passphrase that opens the private key in `keyfile`; kept, if at all, under the key's fingerprint."""

    def __init__(
        self, keyfile: str, attempt: int = 1, *, no_keyring: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(
            translate("Login", "Unlock key"),
            "locked",
            translate("Login", "Passphrase needed"),
            translate("Login", "The key is protected. The passphrase stays on this machine."),
            parent,
        )
        labelled(self.fields, translate("Login", "Key file"), NameLabel(keyfile, bold=True))
        self._add_secret(translate("Login", "&Passphrase"), translate("Login", "Unlock"))
        self._add_keep(no_keyring)
        if attempt > 1:
            self.notice.say("error", translate("Login", "That passphrase does not open the key."))
