"""The command that puts back what a restore had replaced: asks which files, then runs as a job."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.values import Changes
from modelkeep.core.workflows import restore
from modelkeep.core.workflows.restore import Replaced
from modelkeep.gui.commands import project_of
from modelkeep.gui.session import Session
from modelkeep.gui.wording import translate


def bring_back(session: Session, window: QWidget) -> None:
    """Show the records of unsaved files that were replaced, and put those of one back if the user says so."""
    project = project_of(session)

    def read(progress: Progress) -> tuple[Replaced, ...]:
        return restore.replaced(project)

    session.jobs.start(
        translate("BringBack", "Look what was replaced"),
        read,
        owner=session,
        slot="replaced",
        quiet=True,
        on_done=partial(_ask, session, window),
        on_failed=session.problem.emit,
    )


def _ask(session: Session, window: QWidget, found: tuple[Replaced, ...]) -> None:
    from modelkeep.gui.dialogs.bringback import BringBackDialog

    if not found:
        session.told.emit(
            translate("BringBack", "Nothing was replaced here, so nothing can be brought back.")
        )
        return
    project, dialog = project_of(session), BringBackDialog(found, window)

    def accepted() -> None:
        chosen = dialog.chosen.id

        def work(progress: Progress) -> Changes:
            return restore.bring_back(project, chosen, progress)

        session.write(dialog.verb(), work, same_as=(f"modelkeep restore --bring-back {chosen}",))

    dialog.accepted.connect(accepted)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
