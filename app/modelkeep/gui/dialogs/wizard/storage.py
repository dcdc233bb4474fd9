"""The set-up wizard put together: which pages, in which order, where it begins, and what comes after it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.values import Remote
from modelkeep.core.workflows import folders
from modelkeep.gui.dialogs.wizard.address import AddressPage
from modelkeep.gui.dialogs.wizard.choices import Choices
from modelkeep.gui.dialogs.wizard.done import DonePage
from modelkeep.gui.dialogs.wizard.frame import WizardDialog
from modelkeep.gui.dialogs.wizard.kind import KindPage
from modelkeep.gui.dialogs.wizard.login import LoginPage
from modelkeep.gui.dialogs.wizard.page import Page
from modelkeep.gui.dialogs.wizard.project import ProjectPage
from modelkeep.gui.dialogs.wizard.review import ReviewPage
from modelkeep.gui.dialogs.wizard.trial import TrialPage
from modelkeep.gui.session import Session
from modelkeep.gui.wording import translate


class SetupWizard(WizardDialog):
    """Accepted means that the storage is set up and the user wants the next step: `following` names it.

    With `edit` it changes that remote: the pages of the project and of the kind are left out.
    """

    def __init__(
        self,
        session: Session,
        parent: QWidget | None = None,
        *,
        edit: Remote | None = None,
        folder: str = "",
    ) -> None:
        self._session = session
        self.choices = Choices(edit)
        self.project = ProjectPage(session, self._work, folder=folder)
        self.kind = KindPage(self.choices)
        self.address = AddressPage(self.choices, session)
        self.login = LoginPage(self.choices)
        self.trial = TrialPage(self.choices, session)
        self.review = ReviewPage(self.choices, session, self._work)
        self.last = DonePage(self.choices, session)
        title = translate("Setup", "Edit storage") if edit else translate("Setup", "Set up storage")
        pages = (self.project, self.kind, self.address, self.login, self.trial, self.review, self.last)
        super().__init__(title, pages, session.jobs, icon="server", parent=parent)
        self.trial.goes_on_by(self.go_on)
        self.begin(self._beginning())
        if session.project is not None and edit is None:
            self._ask_who(str(session.project.root))

    @property
    def following(self) -> str:
        """What the user wants next: "publish", or "add" where nothing is tracked yet."""
        return "add" if self.last.has_data is False else "publish"

    def pages(self) -> Sequence[Page]:
        edit = self.choices.edit is not None
        left_out = {self.project, self.kind} if edit else set()
        if not self.choices.needs_login:
            left_out.add(self.login)
        return [one for one in self._pages if one not in left_out]

    def may_go_back(self) -> bool:
        return super().may_go_back() and self.page is not self.last

    def _beginning(self) -> Page:
        if self.choices.edit is not None:
            return self.address
        return self.kind if self._session.project is not None else self.project

    def _ask_who(self, folder: str) -> None:
        """Begin one page earlier where Git does not know who publishes."""

        def read(progress: Progress) -> bool:
            return folders.identity(folder) is not None

        def known(knows: bool) -> None:
            if not knows and self.page is self.kind:
                self.begin(self.project)

        title = translate("Setup", "Look who you are")
        self._session.jobs.start(title, read, owner=self, slot="who", quiet=True, on_done=known)

    def _work(self, title: str, work: object, done: object) -> None:
        self.run(title, work, done)  # type: ignore[arg-type]

    def _show_page(self) -> None:
        super()._show_page()
        last = self.page is self.last
        self.cancel.setText(translate("Setup", "Close") if last else translate("Setup", "Cancel"))
        self.back.setVisible(not last)
