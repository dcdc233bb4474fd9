"""What each user command does: ask in a dialog where needed, then start a job. Conditions are checked before.

Dialogs are imported when they are needed, so that the window is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QWidget

from modelkeep.core.errors import ModelkeepError
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import WORKSPACE, Change, Changes, Version, VersionKind
from modelkeep.core.workflows import data, demo, publish, restore, setup
from modelkeep.gui import theme, wording
from modelkeep.gui.session import Session
from modelkeep.gui.wording import translate

Run = Callable[[Session, QWidget], None]


def wish(name: str) -> Run:
    """A command that the window itself carries out."""
    return lambda session, window: session.wish.emit(name, None)


def project_of(session: Session) -> Project:
    """The open project; a command that needs one is disabled without."""
    assert session.project is not None
    return session.project


def _run_dialog(session: Session, dialog: Any, then: Callable[[Any], object] | None = None) -> None:
    """Show a dialog without stopping the window; start its task when it is accepted, and `then` what follows."""

    def accepted() -> None:
        task = dialog.task
        if task is not None:
            session.write(task.title, task.work, lane=task.lane, then=then)

    dialog.accepted.connect(accepted)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


# -- project -------------------------------------------------------------------------------------------


def open_project(session: Session, window: QWidget) -> None:
    """Ask for a folder and open it."""
    from modelkeep.gui.dialogs import setup as dialogs

    _open_after(session, dialogs.OpenDialog(session.jobs, window, recent=session.remembered.recent))


def new_project(session: Session, window: QWidget, folder: str = "") -> None:
    """Make a project and open it; `folder` is suggested."""
    from modelkeep.gui.dialogs import setup as dialogs

    _open_after(session, dialogs.NewProjectDialog(session.jobs, window, folder=folder))


def clone_project(session: Session, window: QWidget) -> None:
    """Clone a repository and open it."""
    from modelkeep.gui.dialogs import setup as dialogs

    beside = next((str(folder.parent) for folder in session.remembered.recent), str(Path.home()))
    _open_after(session, dialogs.CloneDialog(session.jobs, session.questions, window, folder=beside))


def _open_after(session: Session, dialog: Any) -> None:
    """Open what the dialog names, or what its task makes."""

    def accepted() -> None:
        task = dialog.task
        if task is None:
            session.open(dialog.folder)
        else:
            session.write(task.title, task.work, lane=task.lane, then=session.open)

    dialog.accepted.connect(accepted)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def open_demo(session: Session, window: QWidget) -> None:
    """Open the demonstration; make it first where it is not there."""
    folder = Path.home() / "modelkeep-demo"

    def work(progress: Progress) -> Path:
        return demo.find_demo(folder) or demo.make_demo(folder, progress, session.settings)

    session.write(translate("Commands", "Make the demonstration"), work, then=session.open)


def close_project(session: Session, window: QWidget) -> None:
    """Back to the start page."""
    session.close()


def preferences(session: Session, window: QWidget) -> None:
    """Show the user's choices."""
    from modelkeep.gui.dialogs.preferences import PreferencesDialog

    dialog = PreferencesDialog(session.settings, window, running=session.jobs, vault=session.vault)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def use_theme(choice: str) -> Run:
    """Switch to light, dark or the system's choice, and remember it."""

    def run(session: Session, window: QWidget) -> None:
        theme.choose(choice)
        session.settings.theme = choice
        session.settings.save()

    return run


def refresh(session: Session, window: QWidget) -> None:
    """Read everything again."""
    session.refresh()


# -- data ----------------------------------------------------------------------------------------------


def add(session: Session, window: QWidget, paths: tuple[str, ...] = ()) -> None:
    """Choose files and folders to track."""
    from modelkeep.gui.dialogs.add import AddDialog

    _run_dialog(session, AddDialog(project_of(session), session.jobs, paths, parent=window))


def push(session: Session, window: QWidget) -> None:
    """Send what is only here."""
    _push(session, ())


def push_version(session: Session, window: QWidget) -> None:
    """Send the data of the chosen version."""
    _push(session, (), session.version)


def fetch_version(session: Session, window: QWidget) -> None:
    """Download the data of the chosen version into the cache."""
    _fetch(session, (), session.version)


def push_output(session: Session, window: QWidget) -> None:
    """Send what is chosen in Contents."""
    _push(session, _targets(session), session.version)


def fetch_output(session: Session, window: QWidget) -> None:
    """Download what is chosen in Contents into the cache."""
    _fetch(session, _targets(session), session.version)


def record_output(session: Session, window: QWidget) -> None:
    """Record the present content of the chosen outputs."""
    project = project_of(session)
    targets = tuple(dict.fromkeys(pick.output.path for pick in session.picks))

    def work(progress: Progress) -> Any:
        return data.add(project, targets, progress=progress)

    session.write(translate("Commands", "Record changes"), work, same_as=(f"dvc add {' '.join(targets)}",))


def _push(session: Session, targets: tuple[str, ...], version: Version = WORKSPACE) -> None:
    project, versions = project_of(session), _versions(version)

    def work(progress: Progress) -> Any:
        return data.push(project, targets, versions=versions, progress=progress)

    session.write(translate("Commands", "Push data"), work, same_as=("dvc push",))


def _fetch(session: Session, targets: tuple[str, ...], version: Version) -> None:
    project, versions = project_of(session), _versions(version)

    def work(progress: Progress) -> Any:
        return data.fetch(project, targets, versions=versions, progress=progress)

    session.write(translate("Commands", "Fetch data"), work, same_as=("dvc fetch",))


def _versions(version: Version) -> tuple[Version, ...]:
    return () if version.kind is VersionKind.WORKSPACE else (version,)


def _targets(session: Session) -> tuple[str, ...]:
    return tuple(pick.path for pick in session.picks)


# -- versions ------------------------------------------------------------------------------------------


def publish_version(session: Session, window: QWidget) -> None:
    """Ask for name and message, show the plan, and publish."""
    from modelkeep.gui.dialogs.publish import PublishDialog

    _run_dialog(session, PublishDialog(project_of(session), session.jobs, window))


def resume_publish(session: Session, window: QWidget) -> None:
    """Go on with the publish that was interrupted."""
    project = project_of(session)
    title = translate("Commands", "Resume publishing")
    session.write(title, lambda progress: publish.resume(project, progress))


def undo_publish(session: Session, window: QWidget) -> None:
    """Take back the publish that was interrupted."""
    from modelkeep.gui.dialogs.confirm import ConfirmDialog

    project, found = project_of(session), session.concerns.unfinished
    assert found is not None
    dialog = ConfirmDialog(
        translate("Commands", "Undo publishing {version}?").format(version=found.version),
        verb=translate("Commands", "Undo publish"),
        text=translate(
            "Commands", "Commit and tag are removed again. Data that was pushed stays on the remote."
        ),
        parent=window,
    )
    title = translate("Commands", "Undo publishing")
    dialog.accepted.connect(lambda: session.write(title, lambda progress: publish.undo(project, progress)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def restore_version(session: Session, window: QWidget) -> None:
    """Bring the chosen version back."""
    _restore(session, window, session.version)


def export_version(session: Session, window: QWidget) -> None:
    """Put the chosen version into another folder."""
    _restore(session, window, session.version, how=restore.How.FOLDER)


def restore_output(session: Session, window: QWidget) -> None:
    """Bring back what is chosen in Contents."""
    _restore(session, window, session.version, outputs=_targets(session))


def export_output(session: Session, window: QWidget) -> None:
    """Put what is chosen in Contents into another folder."""
    _restore(session, window, session.version, outputs=_targets(session), how=restore.How.FOLDER)


def _restore(session: Session, window: QWidget, version: Version, **chosen: Any) -> None:
    from modelkeep.gui.dialogs.restore import RestoreDialog

    _run_dialog(session, RestoreDialog(project_of(session), session.jobs, version, parent=window, **chosen))


# -- small things --------------------------------------------------------------------------------------


def _copy(session: Session, text: str) -> None:
    QGuiApplication.clipboard().setText(text)
    session.told.emit(translate("Commands", "Copied {text}").format(text=wording.line(text)))


def copy_name(session: Session, window: QWidget) -> None:
    """The version's name to the clipboard."""
    _copy(session, session.version.name)


def copy_commit(session: Session, window: QWidget) -> None:
    """The full commit id to the clipboard."""
    _copy(session, session.version.commit)


def copy_path(session: Session, window: QWidget) -> None:
    """The chosen paths to the clipboard, one per line."""
    _copy(session, "\n".join(_targets(session)))


def copy_hash(session: Session, window: QWidget) -> None:
    """The hashes of what is chosen to the clipboard."""
    _copy(session, "\n".join(pick.hash for pick in session.picks if pick.hash))


def open_file(session: Session, window: QWidget) -> None:
    """Hand the workspace file to the program the system uses for it."""
    project = project_of(session)
    try:
        path = project.tree.path(session.picks[0].path)
    except ModelkeepError as error:
        session.problem.emit(error)
        return
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def set_up_storage(session: Session, window: QWidget, folder: str = "") -> None:
    """From a folder to storage that works, step by step; then to the first version, if the user likes."""
    from modelkeep.gui.dialogs.wizard.storage import SetupWizard

    dialog = SetupWizard(session, window, folder=folder)
    dialog.accepted.connect(lambda: _go_on_to(session, window, dialog.following))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _go_on_to(session: Session, window: QWidget, following: str) -> None:
    """Publish; where nothing is tracked yet, "add" asks for the data first."""
    if following == "publish":
        publish_version(session, window)
    elif following == "add":
        from modelkeep.gui.dialogs.add import AddDialog

        dialog = AddDialog(project_of(session), session.jobs, (), parent=window)
        _run_dialog(session, dialog, then=lambda _: publish_version(session, window))


def remotes(session: Session, window: QWidget) -> None:
    """List, change, test and remove remotes."""
    from modelkeep.gui.dialogs.remotes import RemotesDialog

    dialog = RemotesDialog(session, window)
    dialog.changed.connect(session.notify)
    dialog.accepted.connect(lambda: _go_on_to(session, window, dialog.following))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def login(session: Session, window: QWidget) -> None:
    """Connect to the default remote, asking for what is needed."""
    project = project_of(session)

    def work(progress: Progress) -> Any:
        return setup.login(project, None, None, progress)

    session.write(translate("Commands", "Log in"), work, same_as=("modelkeep login",))


def move_secrets(session: Session, window: QWidget) -> None:
    """Show which secrets stand in files, and move them into the keyring."""
    from modelkeep.gui.dialogs.secrets import SecretsDialog

    dialog = SecretsDialog(project_of(session), session.jobs, window)
    dialog.changed.connect(session.notify)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def trust(session: Session, window: QWidget) -> None:
    """Show which programs the repository would start, and allow them if the user says so."""
    from modelkeep.gui.dialogs.trust import TrustDialog

    project = project_of(session)
    dialog = TrustDialog(project.name, session.concerns.programs, window)

    def work(progress: Progress) -> Changes:
        setup.trust_project(project)
        return Changes(Change.EVERYTHING, translate("Commands", "This project is trusted now."))

    title = translate("Commands", "Trust {name}").format(name=wording.line(project.name))
    dialog.accepted.connect(lambda: session.write(title, work))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
