"""Starts the window, or draws it into a file where there is no display. Wires session, questions and theme."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QSize, Qt, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication, QIcon, QImageReader
from PySide6.QtWidgets import QApplication

from modelkeep.core.credentials import open_vault
from modelkeep.core.settings import Remembered, Settings
from modelkeep.gui import theme
from modelkeep.gui.collector import Collector
from modelkeep.gui.dialogs.keptvault import KeptVault
from modelkeep.gui.dialogs.questions import GuiQuestions
from modelkeep.gui.main_window import MainWindow
from modelkeep.gui.session import Session
from modelkeep.resources import resource

log = logging.getLogger(__name__)


def run(folder: Path | None = None) -> int:
    """Open the window on the project in `folder` (None: the start page) and return the exit code."""
    app = application(sys.argv[:1])
    window, session = make_window()
    _catch_errors(session)
    if folder is not None:
        session.open(folder)
    window.show()
    code = app.exec()
    if not _let_go(session):
        logging.shutdown()
        os._exit(code)  # a worker that waits for a silent server must not bring Python down at its end
    return code


def draw(
    folder: Path | None, picture: Path, size: tuple[int, int] = (1280, 800), choice: str = "light"
) -> Path:
    """Draw the window with the project in `folder` into the PNG `picture`; needs no display."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application([])
    theme.choose(choice)
    window, session = make_window(quiet=True)
    window.resize(QSize(*size))
    window.show()
    window.reset_layout()
    if folder is not None:
        session.open(folder)
        wait_until(lambda: session.facts is not None and not session.jobs.active(quiet=True), 30)
        wait_until(lambda: not session.jobs.active(quiet=True), 30)
    wait_until(lambda: False, 0.4)
    window.grab().save(str(picture), "PNG")
    window.close()
    _let_go(session)
    return picture


def _let_go(session: Session) -> bool:
    """Close the project and wait for the threads beside the window, which may not outlive it; says if they ended."""
    session.close()
    session.jobs.cancel_all()

    def at_work() -> bool:
        return any(one.daemon and not one.name.startswith("Dummy") for one in threading.enumerate())

    return wait_until(lambda: not at_work(), 3)


def application(argv: list[str]) -> QApplication:
    """The one QApplication, with name, icon, theme, and limits for pictures."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    # A painted window takes the interpreter hundreds of times; each time it waits this long for a busy worker.
    sys.setswitchinterval(0.0003)
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication(argv)
    QCoreApplication.setApplicationName("Modelkeep")
    QCoreApplication.setOrganizationName("Modelkeep")
    QGuiApplication.setDesktopFileName("modelkeep")
    QImageReader.setAllocationLimit(64)  # megabytes; safety rule 5.5
    qInstallMessageHandler(_qt_says)
    Collector(app)
    app.setWindowIcon(QIcon(str(resource("icons/modelkeep.svg"))))
    theme.install(app, Settings.load().theme)
    return app


def make_window(*, quiet: bool = False) -> tuple[MainWindow, Session]:
    """A window with its session; `quiet` asks no questions and remembers nothing."""
    settings, remembered = Settings.load(), Remembered.load()
    session = Session(settings, remembered)
    window = MainWindow(session)
    if not quiet:
        _ask_in(window, session)
    return window, session


def _ask_in(window: MainWindow, session: Session) -> None:
    """Questions of workers are dialogs of this window; what the user wants kept goes to the keyring."""
    vault = open_vault()  # chooses its backend when it is first asked, on a worker's thread

    def why_not_kept() -> str:
        if not vault.is_persistent:
            return vault.reason or vault.describe()
        return session.project.credentials.keyring_problem if session.project else ""

    questions = GuiQuestions(
        window,
        project_name=lambda: session.project.name if session.project else "",
        keyring=why_not_kept,
    )
    session.ask_with(questions, lambda: KeptVault(vault, questions.keeps))
    session.jobs.around = questions.asking_for
    window.closing.connect(questions.close)


def wait_until(ready: Callable[[], bool], seconds: float) -> bool:
    """Run the event loop until `ready` or the time is over; for drawing without a user."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        QCoreApplication.processEvents()
        time.sleep(0.01)
    return True


def _catch_errors(session: Session) -> None:
    """An unexpected error is shown, not lost in a terminal nobody sees."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QCoreApplication.quit()
            return
        log.error("unexpected error in the window", exc_info=(kind, error, trace))
        session.problem.emit(error)

    sys.excepthook = hook


def _qt_says(kind: QtMsgType, context: object, message: str) -> None:
    level = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.DEBUG,
        QtMsgType.QtWarningMsg: logging.INFO,
    }.get(kind, logging.ERROR)
    logging.getLogger("qt").log(level, "%s", message)
