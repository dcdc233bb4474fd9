"""The publish dialog on a real project: what it suggests, what it plans, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.project import Project
from modelkeep.core.values import Changes
from modelkeep.gui.dialogs.publish import PublishDialog
from modelkeep.gui.jobs import Jobs

Open = Callable[[Path], Project]


def opened(qtbot: QtBot, project: Project, jobs: Jobs) -> PublishDialog:
    dialog = PublishDialog(project, jobs)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: bool(dialog.name.text()) and settled(dialog, jobs), timeout=20_000)
    return dialog


def settled(dialog: PublishDialog, jobs: Jobs) -> bool:
    return not dialog.is_pausing and not jobs.active(quiet=True)


def type_name(qtbot: QtBot, dialog: PublishDialog, jobs: Jobs, name: str) -> None:
    dialog.name.setText(name)
    qtbot.waitUntil(lambda: settled(dialog, jobs), timeout=20_000)


def test_it_suggests_the_next_version_and_what_changed(
    qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open
) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs)
    assert dialog.name.text() == "v1.1"
    assert dialog.choices.marked() == ("data", "model.onnx")
    assert any("Send data to the remote" in text for text in dialog.view.texts())
    assert dialog.proceed.isEnabled()


def test_an_existing_name_blocks_with_its_reason(
    qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open
) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs)
    type_name(qtbot, dialog, jobs, "v1.0")
    assert not dialog.proceed.isEnabled()
    assert "exists already" in dialog.proceed.toolTip()
    dialog.accept()
    assert dialog.isVisible()


@pytest.mark.parametrize("name", ["", "-v", "a b", "v1..2", "v\u202e1"])
def test_a_bad_name_blocks(qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open, name: str) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs)
    type_name(qtbot, dialog, jobs, name)
    assert not dialog.proceed.isEnabled()
    assert dialog.proceed.toolTip()


def test_a_detached_head_blocks_and_says_the_fix(
    qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open
) -> None:
    builders.git(seeded, "switch", "--quiet", "--detach", "HEAD")
    dialog = opened(qtbot, open_project(seeded), jobs)
    assert not dialog.proceed.isEnabled()
    assert any("detached" in text for text in dialog.view.texts())
    assert dialog.plan is None


def test_what_is_unmarked_is_left_out(qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs)
    dialog.choices.mark("data", False)
    qtbot.waitUntil(lambda: settled(dialog, jobs), timeout=20_000)
    assert dialog.plan is not None
    assert dialog.plan.add == ("model.onnx",)


def test_leaving_everything_out_needs_something_unchanged(
    qtbot: QtBot, jobs: Jobs, seeded: Path, open_project: Open
) -> None:
    dialog = opened(qtbot, open_project(seeded), jobs)
    for path in ("data", "model.onnx"):
        dialog.choices.mark(path, False)
    qtbot.waitUntil(lambda: settled(dialog, jobs), timeout=20_000)
    assert not dialog.proceed.isEnabled()


def test_its_task_publishes_as_planned(
    qtbot: QtBot, jobs: Jobs, seeded: Path, git_remote: Path, open_project: Open
) -> None:
    builders.git(seeded, "remote", "add", "origin", str(git_remote))
    builders.git(seeded, "push", "--quiet", "--set-upstream", "origin", "main")
    dialog = opened(qtbot, open_project(seeded), jobs)
    dialog.message.setText("Second")
    qtbot.waitUntil(lambda: settled(dialog, jobs), timeout=20_000)
    with qtbot.waitSignal(dialog.accepted):
        dialog.proceed.click()
    task = dialog.task
    done: list[Changes] = []
    jobs.start(task.title, task.work, task.lane, on_done=done.append)
    qtbot.waitUntil(lambda: bool(done), timeout=30_000)
    assert builders.git(git_remote, "tag", "--list") == "v1.1"
    assert builders.git(seeded, "tag", "--list", "--format=%(contents:subject)", "v1.1") == "Second"
