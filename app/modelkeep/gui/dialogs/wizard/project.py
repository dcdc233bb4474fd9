"""The page that asks for the project: the open one, a folder as it is, or a clone. Says what it found there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QButtonGroup, QFormLayout, QLineEdit, QRadioButton, QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.workflows import folders, setup
from modelkeep.gui import theme
from modelkeep.gui.dialogs.folder import FolderEdit
from modelkeep.gui.dialogs.frame import labelled
from modelkeep.gui.dialogs.setup import folder_name
from modelkeep.gui.dialogs.wizard.option import Option
from modelkeep.gui.dialogs.wizard.page import Page, heading, remark
from modelkeep.gui.dialogs.wizard.review import Run
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import line, translate

_PAUSE = 250  # milliseconds of quiet typing before the folder is looked at
OPEN, FOLDER, CLONE = "open", "folder", "clone"


class ProjectPage(Page):
    """Going on makes the project, opens it in the window, and only then shows the next page."""

    def __init__(self, session: Session, run: Run, *, folder: str = "") -> None:
        super().__init__()
        self.title = translate("Setup", "Project")
        self.heading = translate("Setup", "Which project is it for?")
        self.text = translate(
            "Setup", "A folder in Git, with the code or without. Files that are there stay as they are."
        )
        self._session, self._run = session, run
        self._found: folders.Folder | None = None
        self._knows_me = True
        self._go_on: Callable[[], None] | None = None
        self.options: dict[str, Option] = {}
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self._look)
        self._build()
        self.place.set_folder(folder)
        session.opened.connect(self._opened)
        session.problem.connect(self._not_opened)

    # -- building --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._group = QButtonGroup(self)
        project = self._session.project
        if project is not None:
            title = translate("Setup", "The &open project: {name}").format(name=line(project.name))
            self._add(OPEN, Option(title, line(str(project.root)), "project"))
        self._add(FOLDER, self._folder_option())
        self._add(CLONE, self._clone_option())
        self._add_identity()
        self.body.addStretch(1)
        self.options[OPEN if project is not None else FOLDER].button.setChecked(True)

    def _add(self, key: str, option: Option) -> None:
        self.options[key] = option
        self._group.addButton(option.button)
        option.button.toggled.connect(self._look_soon)
        self.body.addWidget(option)

    def _folder_option(self) -> Option:
        self.place = FolderEdit(translate("Setup", "Folder of the project"), "~/projects/flowers")
        self.verdict = PlainLabel("", look="muted", wrap=True)
        inside = QWidget()
        form = _form(inside)
        labelled(form, translate("Setup", "&Folder"), self.place)
        form.addRow("", self.verdict)
        self._form = form
        self._say("", "muted")
        self.place.changed.connect(self._look_soon)
        return Option(
            translate("Setup", "A &folder on this computer"),
            translate(
                "Setup",
                "New, empty, with your code in it, or a project already: it becomes what it has to be.",
            ),
            "folder",
            inside=inside,
        )

    def _clone_option(self) -> Option:
        self.url, self.name = QLineEdit(), QLineEdit()
        self.url.setPlaceholderText("git@server:team/project.git")
        self.into = FolderEdit(translate("Setup", "Folder to clone into"))
        recent = next((str(one.parent) for one in self._session.remembered.recent), str(Path.home()))
        self.into.set_folder(recent)
        inside = QWidget()
        form = _form(inside)
        labelled(form, translate("Setup", "&Git address"), self.url)
        labelled(form, translate("Setup", "&Into folder"), self.into)
        labelled(form, translate("Setup", "As &name"), self.name)
        self.url.textChanged.connect(lambda text: self.name.setText(folder_name(text)))
        for one in (self.url, self.name):
            one.textChanged.connect(self._look_soon)
        self.into.changed.connect(self._look_soon)
        return Option(
            translate("Setup", "A &clone from Git"),
            translate("Setup", "Gets the repository. Its data stays where it is until you pull it."),
            "clone",
            inside=inside,
        )

    def _add_identity(self) -> None:
        self.me = QWidget()
        self.me_name, self.me_email = QLineEdit(), QLineEdit()
        form = _form(self.me)
        form.addRow(heading(translate("Setup", "Who are you?")))
        form.addRow(
            remark(translate("Setup", "Git writes it into every version. Kept for this project only."))
        )
        labelled(form, translate("Setup", "Your na&me"), self.me_name)
        labelled(form, translate("Setup", "Your &e-mail"), self.me_email)
        for one in (self.me_name, self.me_email):
            one.textChanged.connect(self.changed)
        self.body.addSpacing(theme.GRID)
        self.body.addWidget(self.me)
        self.me.setVisible(False)

    # -- page ------------------------------------------------------------------------------------------

    def enter(self) -> None:
        self._look()

    def first(self) -> QWidget:
        return {OPEN: self._button(OPEN), FOLDER: self.place.edit, CLONE: self.url}[self.chosen]

    def _button(self, key: str) -> QRadioButton | QWidget:
        return self.options[key].button if key in self.options else self

    @property
    def chosen(self) -> str:
        """OPEN, FOLDER or CLONE."""
        return next((key for key, one in self.options.items() if one.button.isChecked()), FOLDER)

    def problem(self) -> str:
        if self.chosen == FOLDER:
            if not self.place.folder():
                return translate("Setup", "Choose a folder first")
            if self._found is None:
                return translate("Setup", "The folder is being looked at")
            if self._found.kind == "inside_git":
                return translate("Setup", "Choose the top folder of the Git repository")
        if self.chosen == CLONE and (reason := self._clone_problem()):
            return reason
        if not self._knows_me and not (self.me_name.text().strip() and "@" in self.me_email.text()):
            return translate("Setup", "Git needs your name and e-mail")
        return ""

    def _clone_problem(self) -> str:
        url, name = self.url.text().strip(), self.name.text().strip()
        if not url or url.startswith("-"):
            return translate("Setup", "Type the address of the Git repository")
        if not self.into.folder():
            return translate("Setup", "Choose a folder to clone into")
        if not name or name in (".", "..") or any(char in "/\\\0" for char in name):
            return translate("Setup", "The new folder needs a name without a slash")
        return ""

    def leave(self, go_on: Callable[[], None]) -> None:
        work = self._work()
        project = self._session.project

        def made(root: object) -> None:
            assert isinstance(root, Path)
            if project is not None and project.root == root and self._session.project is project:
                go_on()
                return
            self._go_on = go_on
            self._session.open(root)

        self._run(translate("Setup", "Prepare the project"), work, made)

    def _work(self) -> Callable[[Progress], Path]:
        """What prepares the project and returns its folder; knows no widget, because it runs in a job."""
        chosen, found = self.chosen, self._found
        project, questions = self._session.project, self._session.questions
        place, url = self.place.folder(), self.url.text().strip()
        target = str(Path(self.into.folder() or "/") / self.name.text().strip())
        me = None if self._knows_me else (self.me_name.text().strip(), self.me_email.text().strip())

        def work(progress: Progress) -> Path:
            if chosen == OPEN and project is not None:
                root = project.root
            elif chosen == CLONE:
                root = setup.clone(url, target, questions=questions, progress=progress)
                root = _made(root, folders.look_at(root), progress)
            else:
                root = _made(Path(place), found or folders.look_at(place), progress)
            if me is not None:
                folders.set_identity(root, *me)
            return root

        return work

    def _opened(self) -> None:
        go_on, self._go_on = self._go_on, None
        if go_on is not None:
            go_on()

    def _not_opened(self, error: object) -> None:
        self._go_on = None

    # -- looking at the folder ---------------------------------------------------------------------------

    def _look_soon(self, *_: object) -> None:
        self._found = None
        self._pause.start()
        self.changed.emit()

    def _look(self) -> None:
        chosen = self.chosen
        project = self._session.project
        place = str(project.root) if chosen == OPEN and project is not None else self.place.folder()
        if chosen == CLONE:
            place = self.into.folder()
        if not place:
            self._say("", "muted")
            self.changed.emit()
            return

        def read(progress: Progress) -> tuple[folders.Folder, bool]:
            return folders.look_at(place), folders.identity(place) is not None

        title = translate("Setup", "Look at the folder")
        self._session.jobs.start(
            title, read, owner=self, slot="look", quiet=True, on_done=self._know, on_failed=self._unknown
        )

    def _know(self, answer: tuple[folders.Folder, bool]) -> None:
        self._found, self._knows_me = answer
        self.me.setVisible(not self._knows_me)
        self._say(said_of(self._found), "bad" if self._found.kind == "inside_git" else "muted")
        self.changed.emit()

    def _unknown(self, error: Exception) -> None:
        self._say(str(error), "bad")
        self.changed.emit()

    def _say(self, text: str, look: str) -> None:
        self.verdict.setText(text)
        self.verdict.set_look(look)
        self._form.setRowVisible(self.verdict, bool(text))


def said_of(found: folders.Folder) -> str:
    """What is in a folder, and what will be done with it."""
    return {
        "project": translate("Setup", "✓ A project already: it is opened as it is."),
        "git": translate("Setup", "A Git repository: tracking of data is added to it."),
        "missing": translate("Setup", "A new folder: it becomes a Git repository."),
        "empty": translate("Setup", "An empty folder: it becomes a Git repository."),
        "folder": translate(
            "Setup", "A folder with files: it becomes a Git repository, and the files stay as they are."
        ),
        "inside_git": translate(
            "Setup", "A part of the Git repository {root}. Choose that folder instead."
        ).format(root=line(str(found.root))),
    }.get(found.kind, "")


def _made(place: Path, found: folders.Folder, progress: Progress) -> Path:
    """The project in `place`, begun where there is none."""
    if found.kind == "project":
        return Path(found.root)
    return setup.init(place, progress=progress)


def _form(holder: QWidget) -> QFormLayout:
    form = QFormLayout(holder)
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(2 * theme.GRID)
    form.setVerticalSpacing(theme.GRID)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
