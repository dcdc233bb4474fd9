"""Start tracking data: which paths, where their metafiles go, and how much it is before anything is copied."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QButtonGroup, QFileDialog, QLineEdit, QRadioButton, QWidget

from modelkeep.core.errors import ModelkeepError
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import safe_relpath
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Changes
from modelkeep.core.workflows import data
from modelkeep.gui import jobs, theme, wording
from modelkeep.gui.dialogs.folder import choose_folder
from modelkeep.gui.dialogs.frame import Dialog, allow
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.dialogs.planview import PlanView
from modelkeep.gui.dialogs.task import Task
from modelkeep.gui.widgets import PlainLabel, button, column, row
from modelkeep.gui.wording import translate


@dataclass(frozen=True)
class _Estimate:
    files: int
    size: int
    problems: tuple[str, ...]
    again: tuple[str, ...]


class AddDialog(Dialog):
    """`targets` are paths as `choose` takes them; none at first is fine. `task` is the work to start once accepted."""

    def __init__(
        self, project: Project, running: jobs.Jobs, targets: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(
            translate("Add", "Add data"),
            icon="add",
            heading=_heading(targets),
            text=translate(
                "Add",
                "The content is copied to the cache and recorded in a small metafile that Git keeps instead.",
            ),
            parent=parent,
        )
        self._project, self._jobs = project, running
        self._targets: tuple[str, ...] = ()
        self._estimate: _Estimate | None = None
        self._build()
        self.choose(targets)

    @property
    def task(self) -> Task:
        """Add what was chosen."""
        project, targets, file = self._project, self._targets, self.metafile()

        def work(progress: Progress) -> Changes:
            return data.add(project, targets, file=file, progress=progress)

        return Task(_heading(targets), work)

    def metafile(self) -> str | None:
        """Where the metafile goes, None for beside the data."""
        return self.file.text().strip() if self.apart.isChecked() else None

    def _build(self) -> None:
        caption = PlainLabel(translate("Add", "&Data"))
        self.files = PathList(self._targets, translate("Add", "Data"))
        caption.setBuddy(self.files)
        self.choose_files = button(translate("Add", "Choose &files…"), "file")
        self.choose_folder = button(translate("Add", "Choose f&older…"), "folder")
        self.choose_files.clicked.connect(self._ask_files)
        self.choose_folder.clicked.connect(self._ask_folder)
        chooser = row(caption, None, self.choose_files, self.choose_folder)
        self.beside = QRadioButton(translate("Add", "Metafile &beside the data"))
        self.apart = QRadioButton(translate("Add", "Metafile in a folder of &its own"))
        places = QButtonGroup(self)
        places.addButton(self.beside)
        places.addButton(self.apart)
        self.file = QLineEdit()
        self.file.setAccessibleName(translate("Add", "Path of the metafile in the project"))
        inner = column(self.file)
        inner.setContentsMargins(3 * theme.GRID, 0, 0, 0)
        self.beside.setChecked(True)
        self.file.setVisible(False)
        self.view = PlanView(translate("Add", "What will happen"))
        self.body.addLayout(chooser)
        self.body.addWidget(self.files)
        self.body.addSpacing(theme.GRID)
        self.body.addLayout(column(self.beside, self.apart, inner, spacing=theme.HALF))
        self.body.addWidget(self.view, 1)
        self.proceed = self.primary(translate("Add", "Add"), "add")
        self.apart.toggled.connect(self._check)
        self.file.textChanged.connect(self._check)
        self.choose_files.setFocus()

    def choose(self, targets: Sequence[str]) -> None:
        """Take other paths: relative to the project, or full ones beneath it."""
        self._targets = tuple(dict.fromkeys(relative(self._project.root, path) for path in targets))
        self.files.show_paths(self._targets)
        self.files.setVisible(bool(self._targets))
        self.heading.setText(_heading(self._targets))
        self.file.setText(_suggestion(self._targets))
        one = len(self._targets) == 1
        self.apart.setEnabled(one)
        self.apart.setToolTip(
            "" if one else translate("Add", "Only one path at a time can have its metafile elsewhere")
        )
        if not one:
            self.beside.setChecked(True)
        self._estimate = None
        self.view.clear()
        if self._targets:
            self.view.add_step("busy", translate("Add", "Counting…"), dim=True)
            self._measure()
        self._check()

    def _ask_files(self) -> None:
        dialog = QFileDialog(self, translate("Add", "Choose files"), str(self._project.root))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.choose)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_folder(self) -> None:
        dialog = choose_folder(self, translate("Add", "Choose a folder"), str(self._project.root))
        dialog.fileSelected.connect(lambda path: self.choose([path]))

    def _measure(self) -> None:
        project, targets = self._project, self._targets

        def read(progress: Progress) -> _Estimate:
            return _estimate(project, targets, progress)

        self._jobs.start(
            translate("Add", "Count the data"),
            read,
            owner=self,
            slot="estimate",
            quiet=True,
            on_done=self._show_estimate,
            on_failed=self._fail,
        )

    def _show_estimate(self, found: _Estimate) -> None:
        self._estimate = found
        self.view.clear(
            translate("Add", "{files}, {size}").format(
                files=wording.files(found.files), size=wording.size(found.size)
            )
        )
        for problem in found.problems:
            self.view.add_remark("error", problem)
        if found.again:
            self.view.add_remark(
                "info",
                translate("Add", "Tracked already; what changed is recorded: {paths}").format(
                    paths=", ".join(found.again)
                ),
            )
        self._check()
        if self.proceed.isEnabled() and self.focusWidget() in (self.cancel, self.choose_files, None):
            self.proceed.setFocus()
        QTimer.singleShot(0, self, self.refit)

    def _fail(self, error: Exception) -> None:
        title = error.title if isinstance(error, ModelkeepError) else str(error)
        self.view.clear()
        self.view.add_remark("error", title, getattr(error, "hint", ""))
        allow(self.proceed, title)

    def _check(self) -> None:
        self.file.setVisible(self.apart.isChecked())
        allow(self.proceed, self._problem())

    def _problem(self) -> str:
        if not self._targets:
            return translate("Add", "Choose files or a folder first")
        if self._estimate is None:
            return translate("Add", "The data is being counted")
        if self._estimate.problems:
            return self._estimate.problems[0]
        file = self.metafile()
        if file is None:
            return ""
        if not file.endswith(".dvc"):
            return translate("Add", "The name of a metafile ends in .dvc")
        try:
            safe_relpath(file)
        except ModelkeepError as error:
            return error.title
        return ""

    def accept(self) -> None:
        if not self._problem():
            super().accept()


def _estimate(project: Project, targets: Sequence[str], progress: Progress) -> _Estimate:
    """On a worker's thread: count files and bytes, and find what cannot be added."""
    files = size = 0
    problems: list[str] = []
    tracked = {out.path for out in project.workspace.outputs().outputs}
    for target in targets:
        progress.check()
        problem, count, total = _look(project, target)
        if problem:
            problems.append(problem)
        files, size = files + count, size + total
    return _Estimate(files, size, tuple(problems), tuple(path for path in targets if path in tracked))


def _look(project: Project, target: str) -> tuple[str, int, int]:
    """(why it cannot be added, files, bytes)."""
    if os.path.isabs(target):
        return translate("Add", "{path} lies outside the project.").format(path=target), 0, 0
    try:
        if project.tree.lstat(safe_relpath(target)) is None:
            return translate("Add", "There is no {path}.").format(path=target), 0, 0
        return "", *project.workspace.measure(target)
    except ModelkeepError as error:
        return error.title, 0, 0
    except OSError as error:
        return f"{target}: {error.strerror or error}", 0, 0


def relative(root: Path, path: str) -> str:
    """`path` relative to `root` by its text alone; what lies elsewhere stays as it is and is refused later."""
    if not os.path.isabs(path):
        return path
    inner = os.path.relpath(path, root)
    return path if inner.startswith("..") else Path(inner).as_posix()


def _heading(targets: Sequence[str]) -> str:
    if not targets:
        return translate("Add", "Add data")
    if len(targets) == 1:
        return translate("Add", "Add {name}").format(name=targets[0].rstrip("/").rpartition("/")[2])
    return wording.counted(len(targets), translate("Add", "Add {n} path"), translate("Add", "Add {n} paths"))


def _suggestion(targets: Sequence[str]) -> str:
    return f"dvc/{targets[0].rstrip('/').rpartition('/')[2]}.dvc" if targets else ""
