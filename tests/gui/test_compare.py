"""The Compare tab on a real project: the tree, the balance, and how single files are shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

import builders
from modelkeep.core.credentials import MemoryVault
from modelkeep.core.diff.tree import Row
from modelkeep.core.settings import Remembered, Settings
from modelkeep.core.values import WORKSPACE
from modelkeep.gui import theme
from modelkeep.gui.diffviews import rows, text
from modelkeep.gui.diffviews.columns import delta
from modelkeep.gui.diffviews.rows import Node
from modelkeep.gui.models import ROW
from modelkeep.gui.panels.compare import ComparePanel
from modelkeep.gui.session import Session


@pytest.fixture
def panel(qtbot: QtBot, qapp: QApplication, project: Path, tmp_path: Path) -> Iterator[ComparePanel]:
    theme.install(qapp, "light")
    builders.track_folder(
        project, "data", {"a.csv": "1\n2\n3\n", "old.csv": "moved\n", "gone.bin": b"\0", "same.txt": "s"}
    )
    builders.track_file(project, "pic.png", builders.png(8, 8))
    builders.make_commit(project, message="First")
    builders.make_tag(project, "v1.0", "One")
    (project / "data/gone.bin").unlink()
    (project / "data/old.csv").unlink()
    builders.track_folder(
        project, "data", {"a.csv": "1\n2\nthree\n", "new.csv": "moved\n", "same.txt": "s", "x/y.csv": "y"}
    )
    builders.track_file(project, "pic.png", builders.png(16, 8, (1, 2, 3)))
    builders.make_commit(project, message="Second")
    builders.make_tag(project, "v2.0", "Two")
    session = Session(Settings(tmp_path), Remembered(tmp_path), vault=MemoryVault())
    made = ComparePanel(session)
    qtbot.addWidget(made)
    made.resize(1000, 700)
    session.open(project)
    qtbot.waitUntil(lambda: made.before.count() > 2, timeout=20_000)
    yield made
    session.close()
    session.jobs.cancel_all()
    qtbot.waitUntil(lambda: not session.jobs.active(quiet=True), timeout=20_000)


def compare(qtbot: QtBot, panel: ComparePanel, before: str, after: str) -> dict[str, str]:
    facts = panel._session.facts
    assert facts is not None and facts.versions is not None
    named = {version.name: version for version in facts.versions.tags} | {"workspace": WORKSPACE}
    panel.show_versions(named[before], named[after])
    idle(qtbot, panel)
    panel.tree.expandAll()
    panel.tree.expandAll()
    return {node.key: node.status for node in nodes(panel) if node.row}


def idle(qtbot: QtBot, panel: ComparePanel) -> None:
    qtbot.waitUntil(lambda: not panel._session.jobs.active(quiet=True), timeout=20_000)


def nodes(panel: ComparePanel) -> list[Node]:
    return [index.data(ROW) for index in panel.model.walk()]


def choose(qtbot: QtBot, panel: ComparePanel, key: str) -> None:
    assert panel.tree.choose(key, tell=True)
    idle(qtbot, panel)


def test_the_tree_says_what_happened_to_each_file(qtbot: QtBot, panel: ComparePanel) -> None:
    assert compare(qtbot, panel, "v1.0", "v2.0") == {
        "data/a.csv": "changed",
        "data/new.csv": "renamed",
        "data/gone.bin": "removed",
        "data/x/y.csv": "added",
        "pic.png": "changed",
    }
    assert panel.footer.text().startswith("+ 1 added   ~ 2 changed   − 1 removed   → 1 renamed   1 the same")


def test_the_model_keeps_its_promises(qtbot: QtBot, panel: ComparePanel, qtmodeltester: ModelTester) -> None:
    compare(qtbot, panel, "v1.0", "v2.0")
    qtmodeltester.check(panel.model, force_py=True)


def test_what_is_the_same_shows_when_asked(qtbot: QtBot, panel: ComparePanel) -> None:
    panel.only.setChecked(False)
    assert compare(qtbot, panel, "v1.0", "v2.0")["data/same.txt"] == "same"


def test_swapping_turns_added_into_removed(qtbot: QtBot, panel: ComparePanel) -> None:
    compare(qtbot, panel, "v1.0", "v2.0")
    panel.swapper.click()
    idle(qtbot, panel)
    assert panel.found is not None
    assert (panel.found.diff.added, panel.found.diff.removed) == (1, 1)
    assert panel.before.currentText() == "v2.0"


def test_two_versions_with_the_same_data_say_so(qtbot: QtBot, panel: ComparePanel) -> None:
    compare(qtbot, panel, "v2.0", "workspace")
    assert "same data" in panel.pane.empty.accessibleName()


def test_the_workspace_counts_as_it_is_on_disk(qtbot: QtBot, panel: ComparePanel, project: Path) -> None:
    (project / "data/a.csv").write_text("1\n2\nfour\n")
    assert compare(qtbot, panel, "v2.0", "workspace") == {"data/a.csv": "changed"}
    choose(qtbot, panel, "data/a.csv")
    assert "+four" in panel.view.text.toPlainText()


def test_texts_are_compared_by_lines(qtbot: QtBot, panel: ComparePanel) -> None:
    compare(qtbot, panel, "v1.0", "v2.0")
    choose(qtbot, panel, "data/a.csv")
    assert panel.view.currentWidget() is panel.view.text
    assert panel.view.text.toPlainText().splitlines()[-2:] == ["-3", "+three"]


def test_pictures_are_side_by_side(qtbot: QtBot, panel: ComparePanel) -> None:
    compare(qtbot, panel, "v1.0", "v2.0")
    choose(qtbot, panel, "pic.png")
    assert panel.view.currentWidget() is panel.view.image
    assert "16 × 8" in panel.view.image._new.text()


def test_of_other_files_the_facts_are_said(qtbot: QtBot, panel: ComparePanel) -> None:
    compare(qtbot, panel, "v1.0", "v2.0")
    choose(qtbot, panel, "data/gone.bin")
    assert panel.view.currentWidget() is panel.view._facts


def test_content_that_is_not_here_is_not_fetched(qtbot: QtBot, panel: ComparePanel, project: Path) -> None:
    name = builders.md5("1\n2\n3\n")
    (project / ".dvc/cache/files/md5" / name[:2] / name[2:]).unlink()
    compare(qtbot, panel, "v1.0", "v2.0")
    choose(qtbot, panel, "data/a.csv")
    assert "not on this machine" in panel.view._reason.text()


def test_closing_the_project_empties_the_tab(qtbot: QtBot, panel: ComparePanel) -> None:
    compare(qtbot, panel, "v1.0", "v2.0")
    panel._session.close()
    assert not panel.model.rowCount()
    assert panel.found is None


def test_a_chain_of_folders_is_one_row() -> None:
    found = rows.tree(
        [Row("added", "a/b/c/x", None, None, 5, "", "1"), Row("added", "a/b/c/y", None, None, 6, "", "2")]
    )
    assert [(node.name, node.changes, node.after) for node in found] == [("a/b/c", 2, 11)]


def test_the_difference_in_words() -> None:
    assert delta(None, None) == ""
    assert delta(5, 5) == "±0"
    assert delta(None, 1_200_000) == "+1.2 MB"
    assert delta(300, 0) == "−300 bytes"


def test_long_texts_are_not_compared() -> None:
    with pytest.raises(text.TooLong):
        text.unified(b"x\n" * 2_001, b"")
