"""A field for a folder, or for a file, with a button that lets the user choose it. Looks at no disk itself."""

from __future__ import annotations

import os

from PySide6.QtCore import QDir, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QWidget

from modelkeep.gui import theme
from modelkeep.gui.widgets import button
from modelkeep.gui.wording import translate


class FolderEdit(QWidget):
    """The path as typed or chosen; `changed` tells each edit. `~` stands for the home folder."""

    changed = Signal()

    def __init__(self, title: str, placeholder: str = "") -> None:
        super().__init__()
        self._title = title
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(placeholder)
        self.edit.setAccessibleName(title)
        self.browse = button(translate("FolderEdit", "Choose…"), "open")
        self.browse.clicked.connect(self._choose)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GRID)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.browse)
        self.setFocusProxy(self.edit)
        self.edit.textChanged.connect(self.changed)

    def folder(self) -> str:
        """The full path, "" while nothing or no full path is typed."""
        text = os.path.expanduser(self.edit.text().strip())
        return os.path.normpath(text) if os.path.isabs(text) else ""

    def set_folder(self, folder: str) -> None:
        """Put a path into the field."""
        self.edit.setText(folder)

    def _choose(self) -> None:
        dialog = choose_folder(self, self._title, self.folder())
        dialog.fileSelected.connect(self.set_folder)


class FileEdit(FolderEdit):
    """The same for a file; the dialog begins in `start` and shows hidden files, because keys often are."""

    def __init__(self, title: str, placeholder: str = "", *, start: str = "") -> None:
        super().__init__(title, placeholder)
        self._start = start

    def _choose(self) -> None:
        dialog = QFileDialog(self, self._title, self.folder() or os.path.expanduser(self._start))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setFilter(dialog.filter() | QDir.Filter.Hidden)
        dialog.finished.connect(dialog.deleteLater)
        dialog.fileSelected.connect(self.set_folder)
        dialog.open()


def choose_folder(parent: QWidget, title: str, start: str = "") -> QFileDialog:
    """Open the system's folder dialog without waiting; its `fileSelected` gives the path."""
    dialog = QFileDialog(parent, title, start)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog
