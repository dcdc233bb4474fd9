"""Open, clone or start a project. The folder of the result is handed over; opening it is the session's part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QLineEdit, QWidget

from modelkeep.core.credentials import NO_QUESTIONS, Questions
from modelkeep.core.progress import Progress
from modelkeep.core.workflows import setup
from modelkeep.gui import jobs, theme
from modelkeep.gui.dialogs.folder import FolderEdit
from modelkeep.gui.dialogs.frame import Dialog, allow, labelled
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.widgets import PlainLabel
from modelkeep.gui.wording import line, translate


class OpenDialog(Dialog):
    """Chooses the folder of a project: `folder` once accepted. Recent ones are a double-click away."""

    task = None

    def __init__(
        self, running: jobs.Jobs, parent: QWidget | None = None, *, recent: Sequence[str | Path] = ()
    ) -> None:
        super().__init__(
            translate("OpenProject", "Open project"),
            icon="open",
            heading=translate("OpenProject", "Open a project"),
            text=translate("OpenProject", "A folder with a Git repository that tracks data with DVC."),
            parent=parent,
        )
        self.folder = ""
        form = self.form()
        self.place = FolderEdit(translate("OpenProject", "Folder of the project"))
        labelled(form, translate("OpenProject", "&Folder"), self.place)
        if recent:
            self._list_recent([str(path) for path in recent])
        self.proceed = self.primary(translate("OpenProject", "Open"), "open")
        self.place.changed.connect(self._check)
        self._check()
        self.place.setFocus()

    def _list_recent(self, recent: list[str]) -> None:
        caption = PlainLabel(translate("OpenProject", "&Recent"))
        self.recent = PathList(recent, translate("OpenProject", "Recent projects"))
        caption.setBuddy(self.recent)
        self.recent.clicked.connect(lambda index: self.place.set_folder(recent[index.row()]))
        self.recent.activated.connect(lambda index: self._open(recent[index.row()]))
        self.body.addSpacing(theme.GRID)
        self.body.addWidget(caption)
        self.body.addWidget(self.recent, 1)

    def _open(self, folder: str) -> None:
        self.place.set_folder(folder)
        self.accept()

    def _check(self) -> None:
        missing = not self.place.folder()
        allow(self.proceed, translate("OpenProject", "Choose a folder first") if missing else "")

    def accept(self) -> None:
        self.folder = self.place.folder()
        if self.folder:
            super().accept()


def folder_name(url: str) -> str:
    """The name git gives the folder of a clone: the last part of the address without `.git`."""
    last = url.strip().rstrip("/").replace("\\", "/").rpartition("/")[2].rpartition(":")[2]
    name = last.removesuffix(".git")
    return "" if name in ("", ".", "..") else name


class CloneDialog(WorkingDialog):
    """Clones a Git repository while it is open; `folder` is the clone once accepted. No data is fetched yet."""

    task = None

    def __init__(
        self,
        running: jobs.Jobs,
        questions: Questions = NO_QUESTIONS,
        parent: QWidget | None = None,
        *,
        folder: str = "",
    ) -> None:
        super().__init__(
            translate("Clone", "Clone project"),
            icon="clone",
            heading=translate("Clone", "Clone a project"),
            text=translate(
                "Clone", "Gets the Git repository. Its data stays on the remote until you pull what you need."
            ),
            parent=parent,
        )
        self._jobs, self._questions = running, questions
        self.folder = ""
        form = self.form()
        self.url = QLineEdit()
        self.url.setPlaceholderText("git@server:team/project.git")
        self.place = FolderEdit(translate("Clone", "Folder to clone into"))
        self.place.set_folder(folder)
        self.name = QLineEdit()
        labelled(form, translate("Clone", "&Address"), self.url)
        labelled(form, translate("Clone", "&Into folder"), self.place)
        labelled(form, translate("Clone", "&Name"), self.name)
        self.proceed = self.primary(translate("Clone", "Clone"), "clone")
        self.url.textChanged.connect(lambda text: self.name.setText(folder_name(text)))
        self.name.textChanged.connect(self._check)
        self.place.changed.connect(self._check)
        self._check()
        self.url.setFocus()

    def _check(self) -> None:
        allow(self.proceed, self._problem())

    def _problem(self) -> str:
        if not self.url.text().strip():
            return translate("Clone", "Type the address of the Git repository")
        if self.url.text().strip().startswith("-"):
            return translate("Clone", "This is no address")
        if not self.place.folder():
            return translate("Clone", "Choose a folder to clone into")
        return _name_problem(self.name.text())

    def accept(self) -> None:
        if self._problem() or self.is_working:
            return
        url, questions = self.url.text().strip(), self._questions
        target = str(Path(self.place.folder()) / self.name.text().strip())

        def work(progress: Progress) -> Path:
            return setup.clone(url, target, questions=questions, progress=progress)

        title = translate("Clone", "Clone {name}").format(name=line(self.name.text().strip()))
        self.run(title, work, self._cloned, lane=jobs.READING)

    def _cloned(self, folder: Path) -> None:
        self.folder = str(folder)
        super().accept()


class NewProjectDialog(WorkingDialog):
    """Starts tracking data in a folder, makes it a Git repository if it is none; then `folder` is its path."""

    task = None

    def __init__(self, running: jobs.Jobs, parent: QWidget | None = None, *, folder: str = "") -> None:
        super().__init__(
            translate("NewProject", "New project"),
            icon="new",
            heading=translate("NewProject", "Start a project"),
            text=translate(
                "NewProject",
                "Choose a Git repository, or any other folder: it becomes one. Files that are there stay as they are.",
            ),
            parent=parent,
        )
        self._jobs = running
        self.folder = ""
        form = self.form()
        self.place = FolderEdit(translate("NewProject", "Folder of the project"))
        labelled(form, translate("NewProject", "&Folder"), self.place)
        self.proceed = self.primary(translate("NewProject", "Start project"), "new")
        self.place.changed.connect(self._check)
        self.place.set_folder(folder)
        self._check()
        self.place.setFocus()

    def _check(self) -> None:
        missing = not self.place.folder()
        allow(self.proceed, translate("NewProject", "Choose a folder first") if missing else "")

    def accept(self) -> None:
        folder = self.place.folder()
        if not folder or self.is_working:
            return

        def work(progress: Progress) -> Path:
            return setup.init(folder, progress=progress)

        self.run(translate("NewProject", "Start the project"), work, self._made)

    def _made(self, folder: Path) -> None:
        self.folder = str(folder)
        super().accept()


def _name_problem(name: str) -> str:
    name = name.strip()
    if not name:
        return translate("Clone", "The new folder needs a name")
    if name in (".", "..") or any(char in "/\\\0" for char in name):
        return translate("Clone", "A folder's name has no slash in it")
    return ""
