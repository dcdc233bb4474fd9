"""Clone, new project and add: what they write on a real disk, and what stays locked meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.errors import ConnectionLost, UnsavedChanges
from modelkeep.core.project import Project
from modelkeep.core.values import Changes
from modelkeep.gui.dialogs.add import AddDialog, relative
from modelkeep.gui.dialogs.confirm import ConfirmDialog
from modelkeep.gui.dialogs.errors import ErrorDialog, report, show_error
from modelkeep.gui.dialogs.pathlist import PathList
from modelkeep.gui.dialogs.setup import CloneDialog, NewProjectDialog, OpenDialog, folder_name
from modelkeep.gui.dialogs.trust import TrustDialog
from modelkeep.gui.jobs import Jobs

Open = Callable[[Path], Project]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@lab:team/cats.git", "cats"),
        ("https://example.org/team/cats/", "cats"),
        ("lab:cats.git", "cats"),
        ("/srv/git/cats.git", "cats"),
        ("..", ""),
        ("", ""),
    ],
)
def test_a_clone_is_named_as_git_names_it(url: str, name: str) -> None:
    assert folder_name(url) == name


def test_a_clone_is_made_beside_the_window(qtbot: QtBot, jobs: Jobs, seeded: Path, tmp_path: Path) -> None:
    dialog = CloneDialog(jobs, folder=str(tmp_path / "work"))
    qtbot.addWidget(dialog)
    assert not dialog.proceed.isEnabled()
    dialog.url.setText(str(seeded))
    with qtbot.waitSignal(dialog.accepted, timeout=30_000):
        dialog.proceed.click()
        assert dialog.is_working
        assert not dialog.inside.isEnabled()
        assert dialog.cancel.isEnabled()
    assert dialog.folder == str(tmp_path / "work" / "project")
    assert (tmp_path / "work/project/model.onnx.dvc").exists()


def test_a_failed_clone_says_why_and_can_be_mended(qtbot: QtBot, jobs: Jobs, tmp_path: Path) -> None:
    dialog = CloneDialog(jobs, folder=str(tmp_path))
    qtbot.addWidget(dialog)
    dialog.url.setText(str(tmp_path / "nothing here"))
    dialog.proceed.click()
    qtbot.waitUntil(lambda: dialog.notice.kind == "error", timeout=30_000)
    assert dialog.inside.isEnabled()
    assert dialog.proceed.isEnabled()


def test_a_new_project_is_one(qtbot: QtBot, jobs: Jobs, tmp_path: Path) -> None:
    dialog = NewProjectDialog(jobs, folder=str(tmp_path / "fresh"))
    qtbot.addWidget(dialog)
    with qtbot.waitSignal(dialog.accepted, timeout=30_000):
        dialog.proceed.click()
    assert (tmp_path / "fresh/.dvc/config").exists()
    assert (tmp_path / "fresh/.git").exists()


def test_open_takes_only_full_paths(qtbot: QtBot, jobs: Jobs, tmp_path: Path) -> None:
    dialog = OpenDialog(jobs, recent=[tmp_path])
    qtbot.addWidget(dialog)
    dialog.place.set_folder("relative")
    assert not dialog.proceed.isEnabled()
    dialog.place.set_folder(str(tmp_path))
    dialog.proceed.click()
    assert (dialog.folder, dialog.task) == (str(tmp_path), None)


# -- add -----------------------------------------------------------------------------------------------


def test_adding_counts_first_and_puts_the_metafile_where_it_should(
    qtbot: QtBot, jobs: Jobs, project: Path, open_project: Open
) -> None:
    builders.write_tree(project / "images", {"a.png": "1234", "b.png": "56"})
    dialog = AddDialog(open_project(project), jobs, [str(project / "images")])
    qtbot.addWidget(dialog)
    qtbot.waitUntil(dialog.proceed.isEnabled, timeout=20_000)
    assert "2 files" in dialog.view.summary.text()
    dialog.apart.setChecked(True)
    dialog.file.setText("meta/images")
    assert not dialog.proceed.isEnabled()
    dialog.file.setText("../images.dvc")
    assert not dialog.proceed.isEnabled()
    dialog.file.setText("meta/images.dvc")
    dialog.accept()
    done: list[Changes] = []
    jobs.start(dialog.task.title, dialog.task.work, dialog.task.lane, on_done=done.append)
    qtbot.waitUntil(lambda: bool(done), timeout=30_000)
    assert (project / "meta/images.dvc").exists()


def test_what_lies_outside_is_refused(
    qtbot: QtBot, jobs: Jobs, project: Path, tmp_path: Path, open_project: Open
) -> None:
    dialog = AddDialog(open_project(project), jobs, [str(tmp_path / "elsewhere"), "missing.bin"])
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: not jobs.active(quiet=True), timeout=20_000)
    assert len([text for text in dialog.view.texts() if text]) >= 2
    assert not dialog.proceed.isEnabled()


def test_full_paths_become_relative_by_their_text() -> None:
    assert relative(Path("/p"), "/p/data/a") == "data/a"
    assert relative(Path("/p"), "data/a") == "data/a"
    assert relative(Path("/p"), "/q/a") == "/q/a"


# -- small ones ----------------------------------------------------------------------------------------


def test_enter_confirms_nothing(qtbot: QtBot) -> None:
    dialog = ConfirmDialog("Replace?", verb="Replace 2 files", paths=["a", "b\n<b>c"])
    qtbot.addWidget(dialog)
    dialog.show()
    with qtbot.waitSignal(dialog.rejected):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog.findChildren(PathList)[0].paths() == ["a", "b⏎<b>c"]


def test_trust_is_not_given_by_enter(qtbot: QtBot) -> None:
    dialog = TrustDialog("cats", [".git/hooks/post-checkout"])
    qtbot.addWidget(dialog)
    dialog.show()
    with qtbot.waitSignal(dialog.rejected):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)


def test_an_error_can_be_copied_whole(qtbot: QtBot) -> None:
    error = UnsavedChanges("Two files", detail="facts", hint="save them", paths=["a", "b"])
    dialog = show_error(None, error)
    qtbot.addWidget(dialog)
    dialog._copy.click()
    assert report(error) == "Two files\nfacts\nsave them\na\nb"
    dialog.close()


@pytest.mark.parametrize("error", [ConnectionLost("It broke", hint="Retry"), ValueError("<img src=x>")])
def test_every_error_has_words(qtbot: QtBot, error: Exception) -> None:
    dialog = ErrorDialog(error)
    qtbot.addWidget(dialog)
    assert dialog.heading.text()
    assert dialog.heading.textFormat() == Qt.TextFormat.PlainText
