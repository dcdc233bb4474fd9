"""Opens a window, and ends the process at a moment: `window.py empty|painted|listed PROJECT VERSIONS`.

    empty     an empty PySide6 window was painted
    painted   Modelkeep's window on PROJECT was painted
    listed    so many VERSIONS stand in its list

The whole process is what is timed, from outside.
"""

import os
import sys
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget


class Painted(QObject):
    """Ends the process when the window it watches has been painted once."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the paint event happen, then end."""
        if event.type() == QEvent.Type.Paint:
            QTimer.singleShot(0, lambda: os._exit(0))
        return False


def end_when_painted(window: QWidget) -> None:
    """Watch `window`; the filter lives as long as it does."""
    window.installEventFilter(Painted(window))


def empty() -> None:
    """The least a window costs."""
    app = QApplication([])
    window = QMainWindow()
    end_when_painted(window)
    window.show()
    app.exec()


def modelkeep(moment: str, project: Path, versions: int) -> None:
    """The window as a user starts it, up to the moment."""
    from modelkeep.gui import app

    application = app.application(sys.argv[:1])
    window, session = app.make_window()
    session.open(project)
    if moment == "painted":
        end_when_painted(window)
    else:
        timer = QTimer(window, interval=10)
        timer.timeout.connect(lambda: _end_when_listed(window, versions))
        timer.start()
    window.show()
    application.exec()


def _end_when_listed(window: QWidget, versions: int) -> None:
    from modelkeep.gui.panels.versions import VersionsPanel

    panel = window.findChild(VersionsPanel)
    assert panel is not None
    model = panel.model
    groups = [model.index(row, 0) for row in range(model.rowCount())]
    if sum(model.rowCount(group) for group in groups) >= versions:
        os._exit(0)


def main() -> None:
    """Open what is wanted."""
    moment, project, versions = sys.argv[1:]
    if moment == "empty":
        empty()
    else:
        modelkeep(moment, Path(project), int(versions))


if __name__ == "__main__":
    main()
