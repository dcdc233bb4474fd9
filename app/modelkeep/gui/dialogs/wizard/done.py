"""The last page: what there is now, and the next step. Publishes nothing itself."""

from __future__ import annotations

from modelkeep.core.progress import Progress
from modelkeep.core.values import WORKSPACE
from modelkeep.core.workflows import review
from modelkeep.gui import theme
from modelkeep.gui.dialogs.frame import NameLabel, labelled
from modelkeep.gui.dialogs.wizard.choices import Choices
from modelkeep.gui.dialogs.wizard.page import Page, remark
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import translate


class DonePage(Page):
    """Its button publishes the first version, or first asks for data where nothing is tracked yet."""

    def __init__(self, choices: Choices, session: Session) -> None:
        super().__init__()
        self.title = translate("Setup", "Done")
        self.heading = translate("Setup", "The storage is set up")
        self.text = translate(
            "Setup", "From now on versions can be published, and colleagues can fetch them."
        )
        self._choices, self._session = choices, session
        self.has_data: bool | None = None
        self.has_versions = False
        self.facts = self.form()
        self.name, self.place, self.test = NameLabel(bold=True), NameLabel(), PlainLabel("", wrap=True)
        labelled(self.facts, translate("Setup", "Remote"), self.name)
        labelled(self.facts, translate("Setup", "Address"), self.place)
        labelled(self.facts, translate("Setup", "Test"), self.test)
        self.following = remark("")
        self.body.addSpacing(2 * theme.GRID)
        self.body.addWidget(PlainLabel(translate("Setup", "Next"), bold=True))
        self.body.addWidget(self.following)
        self.body.addStretch(1)

    def enter(self) -> None:
        draft, project = self._choices.draft, self._session.project
        assert draft is not None and project is not None
        self.name.setText(draft.name)
        self.place.setText(draft.url)
        tested = self._choices.is_tested
        self.test.setText(
            translate("Setup", "✓ passed")
            if tested
            else translate("Setup", "not passed yet; run it in Remotes…")
        )
        self.test.set_look("good" if tested else "warn")
        self._tell()

        def look(progress: Progress) -> tuple[bool, bool]:
            outputs = review.snapshot(project, WORKSPACE, progress).outputs
            tags = review.versions(project, progress).tags if project.history is not None else ()
            return bool(outputs), bool(tags)

        title = translate("Setup", "Look for data")
        self._session.jobs.start(title, look, owner=self, slot="look", quiet=True, on_done=self._know)

    def _know(self, found: tuple[bool, bool]) -> None:
        self.has_data, self.has_versions = found
        self._tell()
        self.turned.emit()

    def _tell(self) -> None:
        if self.has_data is False:
            text = translate(
                "Setup",
                "Nothing is tracked yet. Choose a dataset or a model; then it is published as the first version.",
            )
        else:
            text = translate(
                "Setup",
                "Publishing sends the data, proves that it arrived, and then tags the version in Git.",
            )
        self.following.setText(text)
        self.changed.emit()

    def problem(self) -> str:
        return translate("Setup", "Looking at the project…") if self.has_data is None else ""

    def next_text(self) -> str:
        if self.has_data is False:
            return translate("Setup", "&Add data and publish…")
        if self.has_versions:
            return translate("Setup", "&Publish a version…")
        return translate("Setup", "&Publish the first version…")
