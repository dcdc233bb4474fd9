"""The command that puts back what a restore had replaced: asks which files, then runs as a job."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.values import Changes
from modelkeep.core.workflows import restore
from modelkeep.core.workflows.restore import Replaced
from modelkeep.gui import wording
from modelkeep.gui.commands import project_of
from modelkeep.gui.session import Session
from modelkeep.gui.wording import translate


def bring_back(session: Session, window: QWidget) -> None:
    """Show the newest record of unsaved files that were replaced, and put them back if the user says so."""
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
    from modelkeep.gui.dialogs.confirm import ConfirmDialog

    if not found:
        session.told.emit(
            translate("BringBack", "Nothing was replaced here, so nothing can be brought back.")
        )
        return
    newest, project = found[0], project_of(session)
    files = wording.files(len(newest.paths))
    dialog = ConfirmDialog(
        translate("BringBack", "Bring back what was replaced {when}?").format(when=wording.when(newest.when)),
        verb=translate("BringBack", "Bring back {files}").format(files=files),
        text=translate("BringBack", "They go where they were. What is there now and unsaved is kept first."),
        paths=newest.paths,
        remark=translate("BringBack", "Earlier ones: modelkeep restore --replaced") if found[1:] else "",
        parent=window,
    )

    def work(progress: Progress) -> Changes:
        return restore.bring_back(project, newest.id, progress)

    title = translate("BringBack", "Bring back {files}").format(files=files)
    same = (f"modelkeep restore --bring-back {newest.id}",)
    dialog.accepted.connect(lambda: session.write(title, work, same_as=same))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
