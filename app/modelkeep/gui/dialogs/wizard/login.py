"""The page that asks how to log in, and says where the choice is made what plain dvc will do with it."""

from __future__ import annotations

from PySide6.QtWidgets import QButtonGroup, QFormLayout, QRadioButton, QWidget

from modelkeep.core.workflows import storage
from modelkeep.gui import theme
from modelkeep.gui.dialogs.folder import FileEdit
from modelkeep.gui.dialogs.frame import labelled
from modelkeep.gui.dialogs.wizard.choices import Choices
from modelkeep.gui.dialogs.wizard.option import Option
from modelkeep.gui.dialogs.wizard.page import Page
from modelkeep.gui.widgets import PlainLabel, column, framed
from modelkeep.gui.wording import translate


class LoginPage(Page):
    """Asks for no secret itself: what the server wants is asked while it is tested."""

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self.title = translate("Setup", "Login")
        self.heading = translate("Setup", "How do you log in?")
        self.text = translate(
            "Setup", "Passwords and passphrases are asked during the test, and never written into a file."
        )
        self._choices = choices
        self.keyfile = FileEdit(translate("Setup", "Private key"), "~/.ssh/id_ed25519", start="~/.ssh")
        self.options: dict[str, Option] = {}
        group = QButtonGroup(self)
        for login, title, sentence, inside in self._table():
            option = Option(title, sentence, inside=inside)
            group.addButton(option.button)
            option.button.toggled.connect(self._choose)
            self.options[login] = option
            self.body.addWidget(option)
        self.keyfile.changed.connect(self._choose)
        self._add_plain_dvc()
        self.body.addStretch(1)

    def _table(self) -> tuple[tuple[str, str, str, QWidget | None], ...]:
        key = QWidget()
        form = QFormLayout(key)
        form.setContentsMargins(0, 0, 0, 0)
        labelled(form, translate("Setup", "&Key file"), self.keyfile)
        return (
            (
                "auto",
                translate("Setup", "&SSH agent, or the keys you use already"),
                translate(
                    "Setup",
                    "As the ssh command does: the agent first, security keys too, then the keys of ~/.ssh/config. Asks for a password only if the server takes none of them.",
                ),
                None,
            ),
            (
                "key",
                translate("Setup", "A &key file"),
                translate(
                    "Setup",
                    "A private key that you name. If it has a passphrase, that is asked once and kept in the keyring.",
                ),
                key,
            ),
            (
                "password",
                translate("Setup", "A &password"),
                translate(
                    "Setup",
                    "Asked once and kept in the keyring of this computer, for this account on this server alone.",
                ),
                None,
            ),
            (
                "questions",
                translate("Setup", "&Questions of the server, such as a one-time code"),
                translate(
                    "Setup",
                    "Two-factor logins: what the server asks is shown word for word, round after round. Codes are never kept.",
                ),
                None,
            ),
        )

    def _add_plain_dvc(self) -> None:
        caption = PlainLabel(translate("Setup", "With the plain dvc command"), size="small", bold=True)
        self.plain = PlainLabel("", wrap=True)
        box = framed(column(caption, self.plain, spacing=theme.HALF), "banner", (12, 8, 12, 8))
        self.body.addSpacing(theme.GRID)
        self.body.addWidget(box)

    # -- page ------------------------------------------------------------------------------------------

    def enter(self) -> None:
        self.keyfile.set_folder(self._choices.keyfile)
        self.options[self._choices.login].button.setChecked(True)
        self._choose()

    def first(self) -> QRadioButton:
        return self.options[self._choices.login].button

    def problem(self) -> str:
        if self._chosen() == "key" and not self.keyfile.folder():
            return translate("Setup", "Choose the file of the private key")
        if self._chosen() == "key" and self.keyfile.folder().endswith(".pub"):
            return translate("Setup", "That is the public half. Choose the file without .pub")
        return ""

    def _chosen(self) -> str:
        return next((login for login, one in self.options.items() if one.button.isChecked()), "auto")

    def _choose(self) -> None:
        login = self._chosen()
        self._choices.choose_login(login, self.keyfile.folder() if login == "key" else "")
        if self._choices.draft is not None:
            self.plain.setText(storage.plain_dvc(self._choices.draft))
        self.changed.emit()
