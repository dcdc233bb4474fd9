"""Open, clone or start a project. The folder of the result is handed over; opening it is the session's part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QUrl, Signal
from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from modelkeep.core.credentials import NO_QUESTIONS, Questions
from modelkeep.core.progress import Progress
from modelkeep.core.workflows import setup
from modelkeep.gui import jobs
from modelkeep.gui.dialogs.folder import FolderEdit, choose_folder
from modelkeep.gui.dialogs.frame import allow, labelled
from modelkeep.gui.dialogs.working import WorkingDialog
from modelkeep.gui.wording import line, translate


def open_project(
    parent: QWidget, chosen: Callable[[str], None], recent: Sequence[str | Path] = ()
) -> QFileDialog:
    """Let the user choose a project's folder; recent ones are at the side of the dialog."""
    start = str(Path(recent[0]).parent) if recent else ""
    dialog = choose_folder(parent, translate("OpenProject", "Open project"), start)
    dialog.setSidebarUrls([*dialog.sidebarUrls(), *(QUrl.fromLocalFile(str(path)) for path in recent[:8])])
    dialog.fileSelected.connect(chosen)
    return dialog


def folder_name(url: str) -> str:
    """The name git gives the folder of a clone: the last part of the address without `.git`."""
    last = url.strip().rstrip("/").replace("\\", "/").rpartition("/")[2].rpartition(":")[2]
    name = last.removesuffix(".git")
    return "" if name in ("", ".", "..") else name


class CloneDialog(WorkingDialog):
    """Clones a Git repository; `finished_in` tells its folder. The data is not fetched yet."""

    finished_in = Signal(str)

    def __init__(
        self,
        running: jobs.Jobs,
        *,
        questions: Questions = NO_QUESTIONS,
        folder: str = "",
        parent: QWidget | None = None,
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
        form = self.form()
        self.url = QLineEdit()
        self.url.setPlaceholderText("git@server:team/project.git")
        self.folder = FolderEdit(translate("Clone", "Folder to clone into"))
        self.folder.set_folder(folder)
        self.name = QLineEdit()
        labelled(form, translate("Clone", "&Address"), self.url)
        labelled(form, translate("Clone", "&Into folder"), self.folder)
        labelled(form, translate("Clone", "&Name"), self.name)
        self.proceed = self.primary(translate("Clone", "Clone"), "clone")
        self.url.textChanged.connect(lambda text: self.name.setText(folder_name(text)))
        self.name.textChanged.connect(self._check)
        self.folder.changed.connect(self._check)
        self._check()
        self.url.setFocus()

    def _check(self) -> None:
        allow(self.proceed, self._problem())

    def _problem(self) -> str:
        if not self.url.text().strip():
            return translate("Clone", "Type the address of the Git repository")
        if self.url.text().strip().startswith("-"):
            return translate("Clone", "This is no address")
        if not self.folder.folder():
            return translate("Clone", "Choose a folder to clone into")
        return _name_problem(self.name.text())

    def accept(self) -> None:
        if self._problem() or self.is_working:
            return
        url, questions = self.url.text().strip(), self._questions
        target = str(Path(self.folder.folder()) / self.name.text().strip())

        def work(progress: Progress) -> Path:
            return setup.clone(url, target, questions=questions, progress=progress)

        title = translate("Clone", "Clone {name}").format(name=line(self.name.text().strip()))
        self.run(title, work, self._cloned, lane=jobs.READING)

    def _cloned(self, folder: Path) -> None:
        self.finished_in.emit(str(folder))
        super().accept()


class NewProjectDialog(WorkingDialog):
    """Starts tracking data in a folder: makes the Git repository where there is none. See `finished_in`."""

    finished_in = Signal(str)

    def __init__(self, running: jobs.Jobs, *, folder: str = "", parent: QWidget | None = None) -> None:
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
        form = self.form()
        self.folder = FolderEdit(translate("NewProject", "Folder of the project"))
        labelled(form, translate("NewProject", "&Folder"), self.folder)
        self.proceed = self.primary(translate("NewProject", "Start project"), "new")
        self.folder.changed.connect(self._check)
        self.folder.set_folder(folder)
        self._check()
        self.folder.setFocus()

    def _check(self) -> None:
        missing = not self.folder.folder()
        allow(self.proceed, translate("NewProject", "Choose a folder first") if missing else "")

    def accept(self) -> None:
        folder = self.folder.folder()
        if not folder or self.is_working:
            return

        def work(progress: Progress) -> Path:
            return setup.init(folder, progress=progress)

        self.run(translate("NewProject", "Start the project"), work, self._made)

    def _made(self, folder: Path) -> None:
        self.finished_in.emit(str(folder))
        super().accept()


def _name_problem(name: str) -> str:
    name = name.strip()
    if not name:
        return translate("Clone", "The new folder needs a name")
    if name in (".", "..") or any(char in "/\\\0" for char in name):
        return translate("Clone", "A folder's name has no slash in it")
    return ""
