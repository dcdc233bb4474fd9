"""The restore dialog on a real project: the preview, unsaved files in the way, and each way to bring data back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.project import Project
from modelkeep.core.values import Changes
from modelkeep.core.workflows import review
from modelkeep.core.workflows.restore import How
from modelkeep.gui.dialogs.restore import RestoreDialog
from modelkeep.gui.jobs import Jobs

Open = Callable[[Path], Project]


def opened(qtbot: QtBot, project: Project, jobs: Jobs, **chosen: object) -> RestoreDialog:
    version = review.find_version(project, "v1.0")
    dialog = RestoreDialog(project, jobs, version, **chosen)  # type: ignore[arg-type]
    qtbot.addWidget(dialog)
    dialog.show()
    settle(qtbot, dialog, jobs)
    return dialog


def settle(qtbot: QtBot, dialog: RestoreDialog, jobs: Jobs) -> None:
    qtbot.waitUntil(
        lambda: dialog._facts is not None and not dialog.is_pausing and not jobs.active(quiet=True),
        timeout=20_000,
    )


def run(qtbot: QtBot, dialog: RestoreDialog, jobs: Jobs) -> None:
    done: list[Changes] = []
    with qtbot.waitSignal(dialog.accepted):
        dialog.proceed.click()
    jobs.start(dialog.task.title, dialog.task.work, dialog.task.lane, on_done=done.append)
    qtbot.waitUntil(lambda: bool(done), timeout=30_000)


def test_unsaved_files_stop_it_until_the_user_decides(
    qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open
) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs, outputs=("model.onnx",))
    assert dialog.how is How.WORKSPACE
    assert dialog.choices.marked() == ("model.onnx",)
    assert not dialog.proceed.isEnabled()
    assert dialog.proceed.text() == "Replace 1 file"
    assert dialog.cancel.isDefault()
    assert dialog.view._replace is not None
    assert dialog.view._replace.text() == "&Save it in the cache, then replace it"
    dialog.view._replace.setChecked(True)
    assert dialog.proceed.isEnabled()
    run(qtbot, dialog, jobs)
    assert (seeded / "model.onnx").read_bytes() == b"weights one"
    assert (seeded / "data/c.csv").exists()


def test_a_copy_goes_into_another_folder(
    qtbot: QtBot, jobs: Jobs, seeded: Path, tmp_path: Path, open_project: Open
) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs, how=How.FOLDER)
    assert dialog.folder.folder() == str(seeded.with_name(f"{seeded.name}-v1.0"))
    assert not any(way.isVisible() for way in dialog.ways.values())  # it is called Export
    dialog.folder.set_folder("")
    assert not dialog.proceed.isEnabled()
    assert "folder" in dialog.proceed.toolTip()
    dialog.folder.set_folder(str(tmp_path / "copy"))
    settle(qtbot, dialog, jobs)
    assert dialog.proceed.text() == "Export 3 files"
    run(qtbot, dialog, jobs)
    assert builders.read_tree(tmp_path / "copy") == {
        "data/a.csv": b"1\n2\n3\n",
        "data/b.csv": b"x\n",
        "model.onnx": b"weights one",
    }


def test_a_branch_name_that_is_taken_is_said_by_the_plan(
    qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open
) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs)
    assert (dialog.how, dialog.branch.text()) == (How.BRANCH, "from-v1.0")
    dialog.branch.setText("main")
    settle(qtbot, dialog, jobs)
    assert not dialog.proceed.isEnabled()
    assert any("exists already" in text for text in dialog.view.texts())


def test_missing_data_is_an_obstacle_and_named(
    qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open
) -> None:
    name = builders.md5(b"weights one")
    (seeded / ".dvc/cache/files/md5" / name[:2] / name[2:]).unlink()
    dialog = opened(qtbot, open_project(seeded), jobs, outputs=("model.onnx",))
    assert not dialog.proceed.isEnabled()
    assert any("neither here nor on the remote" in text for text in dialog.view.texts())
