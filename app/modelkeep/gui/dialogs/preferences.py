"""The user's choices: look and transfers, and where passwords are kept. Each takes effect at once."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QWidget

from modelkeep.core.credentials import Vault, open_vault
from modelkeep.core.progress import Progress
from modelkeep.core.settings import Settings
from modelkeep.gui import jobs, theme
from modelkeep.gui.dialogs.frame import Dialog, labelled
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import translate


class PreferencesDialog(Dialog):
    """Changes Settings and saves them in a job. `vault` is only described, and only in a job: it may block."""

    def __init__(
        self,
        settings: Settings,
        parent: QWidget | None = None,
        *,
        running: jobs.Jobs | None = None,
        vault: Vault | None = None,
    ) -> None:
        super().__init__(
            translate("Preferences", "Preferences"),
            icon="preferences",
            heading=translate("Preferences", "Preferences"),
            parent=parent,
            width=480,
        )
        self._settings, self._jobs = settings, running or jobs.Jobs(self)
        form = self.form()
        self.theme = QComboBox()
        for choice, text in (
            ("system", translate("Preferences", "As the system")),
            ("light", translate("Preferences", "Light")),
            ("dark", translate("Preferences", "Dark")),
        ):
            self.theme.addItem(text, choice)
        self.theme.setCurrentIndex(max(0, self.theme.findData(settings.theme)))
        self.theme.currentIndexChanged.connect(self._choose_theme)
        labelled(form, translate("Preferences", "&Appearance"), self.theme)
        self.keyring = PlainLabel(translate("Preferences", "Looking…"), wrap=True)
        labelled(form, translate("Preferences", "Passwords"), self.keyring)
        self.body.addStretch(1)
        self.close_button()
        self.theme.setFocus()
        self._look_at(vault or open_vault())

    def _choose_theme(self) -> None:
        self._settings.theme = str(self.theme.currentData())
        theme.choose(self._settings.theme)
        settings = self._settings

        def save(progress: Progress) -> None:
            settings.save()

        self._jobs.start(
            translate("Preferences", "Save preferences"),
            save,
            quiet=True,
            owner=self,
            on_failed=lambda error: self.notice.say("error", str(error)),
        )

    def _look_at(self, vault: Vault) -> None:
        def look(progress: Progress) -> tuple[bool, str]:
            return vault.is_persistent, vault.describe()

        def show(found: tuple[bool, str]) -> None:
            kept, where = found
            self.keyring.setText(
                translate("Preferences", "Kept in {place}.").format(place=where) if kept else where
            )
            self.refit()

        self._jobs.start(
            translate("Preferences", "Look at the keyring"),
            look,
            quiet=True,
            owner=self,
            on_done=show,
            on_failed=lambda error: self.keyring.setText(getattr(error, "title", "") or str(error)),
        )
