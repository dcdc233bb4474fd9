"""The commands that put data into the workspace as it is recorded; unsaved files are replaced only with the user's word."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import QWidget

from modelkeep.core.errors import UnsavedChanges
from modelkeep.core.progress import Progress
from modelkeep.core.values import Changes
from modelkeep.core.workflows import data
from modelkeep.gui.commands import project_of
from modelkeep.gui.session import Session
from modelkeep.gui.wording import translate

Work = Callable[[bool, Progress], Changes]


def pull(session: Session, window: QWidget) -> None:
    """Fetch and put into the workspace."""
    project = project_of(session)

    def work(force: bool, progress: Progress) -> Changes:
        return data.pull(project, force=force, progress=progress)

    _place(session, window, translate("Commands", "Pull data"), work, ("dvc pull",))


def finish_checkout(session: Session, window: QWidget) -> None:
    """Finish the restore or checkout that was interrupted."""
    project = project_of(session)

    def work(force: bool, progress: Progress) -> Changes:
        return data.checkout(project, force=force, progress=progress)

    _place(session, window, translate("Commands", "Finish restoring"), work)


def _place(
    session: Session,
    window: QWidget,
    title: str,
    work: Work,
    same_as: tuple[str, ...] = (),
    force: bool = False,
) -> None:
    """Run `work`; where unsaved files stand in the way, ask whether they are to be saved and replaced."""

    def answers(error: Exception) -> bool:
        if not isinstance(error, UnsavedChanges) or force:
            return False
        from modelkeep.gui.dialogs.confirm import ReplaceDialog

        dialog = ReplaceDialog(error.paths, window)
        dialog.accepted.connect(lambda: _place(session, window, title, work, same_as, True))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return True

    session.write(title, partial(work, force), same_as=same_as, answers=answers)
