"""The window on a real project: what it shows, what it can do and why not, by mouse-free means."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QPlainTextEdit, QTreeView, QWidget

import builders
from modelkeep.core.values import WORKSPACE, Version
from modelkeep.core.workflows import restore
from modelkeep.gui import theme
from modelkeep.gui.advice import in_window
from modelkeep.gui.comparing import _in_time
from modelkeep.gui.dialogs.bringback import BringBackDialog
from modelkeep.gui.dialogs.closing import ClosingDialog
from modelkeep.gui.dialogs.confirm import ReplaceDialog
from modelkeep.gui.dialogs.errors import ErrorDialog
from modelkeep.gui.dialogs.setup import NewProjectDialog
from modelkeep.gui.jobs import State
from modelkeep.gui.main_window import MainWindow
from modelkeep.gui.models import ROW
from modelkeep.gui.palette import CommandPalette, score
from modelkeep.gui.session import Pick, Session
from modelkeep.gui.views import TreeTable
from modelkeep.gui.widgets import Badge


def rows(view: QTreeView, parent=None) -> list[list[str]]:
    model = view.model()
    parent = parent if parent is not None else model.index(-1, -1)
    return [
        [model.index(row, column, parent).data() or "" for column in range(model.columnCount())]
        for row in range(model.rowCount(parent))
    ]


def version(session: Session, name: str) -> Version:
    return next(one for one in session.facts.versions.all() if one.name == name)


def index_of(view: TreeTable, text: str):
    return next(i for i in view.model().walk() if i.data() == text)


def test_versions_are_grouped_and_badged(window, session):
    view = window.versions.view
    top = [row[0] for row in rows(view)]
    assert top[:3] == ["Workspace", "Tags", "Branches"]
    tags = rows(view, index_of(view, "Tags"))
    assert [row[0] for row in tags] == ["v1.1", "v1.0", "model"]
    assert [row[1] for row in tags[:2]] == ["only here", "here, on remote"]
    assert [row[0] for row in rows(view, index_of(view, "model"))] == ["v2.0.0"]


def test_contents_follow_the_version_and_open_folders_from_the_manifest(window, session, rest):
    window.versions.view.setCurrentIndex(index_of(window.versions.view, "v1.1"))
    rest(session)
    view = window.contents.view
    assert session.version.name == "v1.1"
    assert [row[:3] for row in rows(view)] == [
        ["images", "~ changed", "only here"],
        ["model.onnx", "~ changed", "only here"],
    ]
    view.expand(index_of(view, "images"))
    rest(session)
    assert [row[0] for row in rows(view, index_of(view, "images"))] == ["daisy", "rose"]
    view.expand(index_of(view, "rose"))
    rest(session)
    assert [row[:2] for row in rows(view, index_of(view, "rose"))] == [["1.png", ""], ["2.png", "+ added"]]


def test_a_heading_leaves_the_chosen_version_alone(window, session, qtbot):
    view = window.versions.view
    view.setCurrentIndex(index_of(view, "v1.1"))
    spot = view.visualRect(index_of(view, "Tags")).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert [one.name for one in view.values()] == ["v1.1"] == [session.version.name]
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert not view.isExpanded(index_of(view, "Tags"))  # headings still open and close by keyboard


def test_compare_says_which_two_it_takes(window, session):
    session.select(version(session, "v1.0"), version(session, "v1.1"))
    assert "Compare v1.0 with v1.1" in window.command["compare"].toolTip()
    session.select(version(session, "v1.1"))
    assert "Compare v1.0 with v1.1" in window.command["compare"].toolTip()


def test_versions_of_the_same_second_are_compared_in_the_order_of_the_list(window, session):
    for one, other in (("v1.0", "v1.1"), ("v1.1", "v1.0")):
        first, second = version(session, one), version(session, other)
        at_once = [replace(each, when=first.when) for each in (first, second)]
        assert [each.name for each in _in_time(session, *at_once)] == ["v1.0", "v1.1"]
        assert _in_time(session, WORKSPACE, first) == (first, WORKSPACE)


def test_what_is_here_need_not_be_fetched(window, session, rest):
    session.select(version(session, "v1.0"))
    rest(session)
    out = session.facts.snapshot(session.version).find("images")
    session.pick((Pick(out),))
    assert window.command.reason("fetch-output") == "This is on this machine already."
    assert "already" in window.command.reason("fetch-version")


def test_a_project_being_opened_is_named_before_it_is_there(window, session):
    folder = session.project.root
    session.close()
    session.opening.emit(str(folder))
    assert window.pages.currentWidget() is window.waiting
    assert window.header.project.text().startswith(folder.name)
    session.closed.emit()
    assert window.pages.currentWidget() is window.welcome


def test_the_workspace_shows_what_is_not_recorded(window, session):
    assert session.version == WORKSPACE
    assert ["model.onnx", "~ changed", "not recorded"] in [row[:3] for row in rows(window.contents.view)]
    assert window.details.changes.title.text() == "Uncommitted changes"


def test_details_show_message_preview_and_history(window, session, rest):
    session.select(version(session, "v1.1"))
    rest(session)
    texts = [label.text() for label in window.details.findChildren(QWidget) if hasattr(label, "text")]
    assert "The second one\n\nWith more roses" in [text() if callable(text) else text for text in texts]
    out = session.facts.snapshot(session.version).find("images")
    session.pick((Pick(out, "rose/2.png"),))
    rest(session)
    assert window.details._preview._caption.text() == "16 × 16 pixels, PNG"
    assert len(rows(window.details.history.view)) == 2


def test_filter_as_you_type(window, qtbot):
    window.command["find"].trigger()
    qtbot.keyClicks(window.versions.pane.filter, "second")
    view = window.versions.view
    qtbot.waitUntil(lambda: "Branches" not in [row[0] for row in rows(view)])
    assert [row[0] for row in rows(view, index_of(view, "Tags"))] == ["v1.1"]
    qtbot.keyClick(window.versions.pane.filter, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: "Branches" in [row[0] for row in rows(view)])


def test_no_row_stays_marked_that_is_not_looked_at(window, session, rest):
    view = window.contents.view
    session.select(version(session, "v1.1"))
    rest(session)
    view.setCurrentIndex(index_of(view, "images"))
    assert [pick.path for pick in session.picks] == ["images"]
    session.select(version(session, "v1.0"))
    rest(session)
    assert view.values() == []
    view.setCurrentIndex(index_of(view, "model.onnx"))
    session.pick((Pick(session.facts.snapshot(session.version).find("images")),))
    assert [value.key for value in view.values()] == ["images"]


def test_a_second_row_is_for_comparing(window, session, qtbot, rest):
    view = window.versions.view
    for name, keys in (
        ("v1.0", Qt.KeyboardModifier.NoModifier),
        ("v1.1", Qt.KeyboardModifier.ControlModifier),
    ):
        spot = view.visualRect(index_of(view, name)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, keys, spot)
    assert {session.version.name, session.other.name} == {"v1.0", "v1.1"}
    wishes = []
    session.wish.disconnect()
    session.wish.connect(lambda name, payload: wishes.append((name, payload)))
    window.command["compare"].trigger()
    assert [(name, pair[0].name, pair[1].name) for name, pair in wishes] == [("compare", "v1.0", "v1.1")]


def test_uncommitted_files_are_told_as_what_they_are(window, session, flowers, rest):
    (flowers / "notes.txt").write_text("new")
    (flowers / "images.dvc").unlink()
    window.command["refresh"].trigger()
    rest(session)
    shown = {row[0]: row[1] for row in rows(window.details.changes.view)}
    assert shown["notes.txt"] == "+ added"
    assert shown["images"] == "− removed"
    assert shown["model.onnx"] == "~ changed"
    sizes = {row[0]: row[2] for row in rows(window.details.changes.view)}
    grown = len(b"weights three, not recorded") - len(b"weights two, longer")
    assert sizes["model.onnx"] == f"+{grown} bytes"
    assert sizes["images"].startswith("−")


def test_facts_keep_their_room_when_activity_opens(window, session, rest):
    session.select(version(session, "v1.1"))
    rest(session)
    before = window.details.facts.height()
    window.command["activity"].trigger()
    assert window.activity.isVisible()
    assert window.details.facts.height() == before > 180


def test_nothing_overlaps_in_the_smallest_window(window, session, rest):
    session.select(version(session, "v1.0"))
    rest(session)
    session.pick((Pick(session.facts.snapshot(session.version).find("images")),))
    window.command["activity"].trigger()
    window.resize(window.minimumSize())
    rest(session)
    parts = (window.details.facts, window.details._buttons)
    assert not parts[0].geometry().intersects(parts[1].geometry())
    assert window.contents.view.columnWidth(0) >= 80


def test_a_long_name_in_the_header_is_shortened_and_covers_nothing(window, session):
    window.header.branch.set("branch", "feature/" + "very-long-" * 9, "muted")
    window.resize(900, 700)
    session.told.emit("laid out")
    window.header.layout().activate()
    shown = [window.header.branch, window.header.search, *window.header.buttons]
    edges = [part.geometry() for part in shown]
    assert all(left.right() < right.left() for left, right in pairwise(edges))
    assert window.header.branch._text.text().endswith("…")


def test_a_badge_has_its_room_before_it_is_painted(window):
    badge = window.status.safety
    for text in ("all is well", "123 outputs, 45.6 GB only on this machine"):
        badge.set("both", text, "good")
        assert badge._text.text() == text  # at once, without a turn of the event loop


def test_a_disabled_command_says_why(window, session):
    restore = window.command["restore"]
    assert not restore.isEnabled() and "Choose a tag" in restore.toolTip()
    session.select(version(session, "v1.0"))
    assert restore.isEnabled() and "Choose a tag" not in restore.toolTip()
    assert not window.command["resume"].isEnabled()


def test_without_a_project_only_ways_to_begin_are_offered(window, session, rest):
    session.close()
    rest(session)
    assert window.pages.currentWidget() is window.welcome
    enabled = {name for name in window.command.names() if window.command[name].isEnabled()}
    assert {"open", "clone", "new", "demo", "palette", "quit"} <= enabled
    assert not {"publish", "push", "add", "restore", "compare"} & enabled


def test_work_on_the_start_page_is_seen_and_can_be_cancelled(window, session, rest):
    session.close()
    rest(session)
    job = session.write("Clone", lambda progress: None)
    assert window.pages.currentWidget() is window.welcome
    assert window.activity.isVisible()
    rest(session)
    assert job.state is State.DONE


def test_a_folder_that_is_no_project_can_become_one(window, session, rest, tmp_path, qtbot):
    (tmp_path / "plain").mkdir()
    session.close()
    session.problem.connect(window.show_error)
    session.open(tmp_path / "plain")
    rest(session)
    shown = window.findChild(ErrorDialog)
    offer = next(one for one in shown.findChildren(QAbstractButton) if one.text() == "Start a project here…")
    assert shown.focusWidget() is not offer
    offer.click()
    start = window.findChild(NewProjectDialog)
    start.proceed.click()
    qtbot.waitUntil(lambda: session.project is not None, timeout=10_000)
    rest(session)
    assert session.project.root == tmp_path / "plain"


def test_what_cannot_be_read_is_told_over_all_columns(window, session, flowers, rest):
    (flowers / "broken.dvc").write_text("outs: [{md5: zzz, path: ../../etc/passwd}]")
    window.command["refresh"].trigger()
    rest(session)
    view = window.contents.view
    last = view.model().rowCount() - 1
    assert view.isFirstColumnSpanned(last, QModelIndex())
    assert not view.isFirstColumnSpanned(0, QModelIndex())


def test_changed_data_is_never_called_safe(window, session, rest):
    session.select(version(session, "v1.1"))
    window.command["push-version"].trigger()
    rest(session)
    assert rows(window.versions.view)[0][1] == "not recorded"
    assert "1 output changed" in window.status.safety.accessibleName()
    session.select(WORKSPACE)
    assert "not recorded" in [badge.accessibleName() for badge in window.details.findChildren(Badge)]


def test_without_a_remote_everything_is_only_here(window, session, flowers, rest, qtbot):
    (flowers / ".dvc" / "config").write_text("")
    window.command["refresh"].trigger()
    rest(session)
    assert {row[1] for row in rows(window.versions.view, index_of(window.versions.view, "Tags"))[:2]} == {
        "only here"
    }
    assert "only on this machine" in window.status.safety.accessibleName()


def test_a_closed_comparison_gives_the_keyboard_back(window, session, rest):
    window.show_compare(version(session, "v1.0"), version(session, "v1.1"))
    rest(session)
    window._close_tab(1)
    assert window.focusWidget() is window.versions.view


def test_push_from_the_window_makes_everything_safe(window, session, rest):
    session.select(version(session, "v1.1"))
    window.command["push-version"].trigger()
    rest(session)
    assert session.problems == []
    assert rows(window.versions.view, index_of(window.versions.view, "Tags"))[0][1] == "here, on remote"
    assert session.jobs.listed()[0].state is State.DONE
    assert window.activity.isVisible()


def test_the_palette_finds_and_runs(window, session, qtbot):
    window.show_palette()
    palette = window.findChild(CommandPalette)
    palette.edit.setText("v1.0")
    qtbot.keyClick(palette.edit, Qt.Key.Key_Return)
    assert session.version.name == "v1.0"


def test_the_palette_ranks_words_first():
    assert score("Publish version…", "publ") == 0
    assert score("Publish version…", "pbv") is not None
    assert score("Publish version…", "xyz") is None
    assert score("Push", "pu") < score("Copy path up", "pu")


def test_files_dropped_in_are_offered_for_adding(window, session, flowers, monkeypatch):
    asked = []
    monkeypatch.setattr("modelkeep.gui.commands.add", lambda session, window, paths=(): asked.append(paths))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(flowers / "new.bin"))])
    event = QDropEvent(
        QPoint(9, 9),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    entering = QDragEnterEvent(event.position().toPoint(), *_of_drag(event))
    window.dragEnterEvent(entering)
    assert window.drop_cue.isVisible() and entering.isAccepted()
    window.dragLeaveEvent(QDragLeaveEvent())
    assert not window.drop_cue.isVisible()
    window.dragEnterEvent(entering)
    window.dropEvent(event)
    assert not window.drop_cue.isVisible()
    assert asked == [(str(flowers / "new.bin"),)]


def _of_drag(event):
    return event.possibleActions(), event.mimeData(), event.buttons(), event.modifiers()


def test_the_theme_that_holds_has_a_mark(window, session):
    marks = {name: window.command[f"theme-{name}"] for name in ("system", "light", "dark")}
    for name in ("dark", "dark", "light"):
        marks[name].trigger()
        assert [one for one, action in marks.items() if action.isChecked()] == [name]


@pytest.mark.parametrize("answer", ["Stay", "Cancel jobs and close"])
def test_closing_during_work_asks(window, session, qtbot, rest, monkeypatch, answer):
    def work(progress):
        while True:
            progress.check()

    job = session.write("Long", work)
    qtbot.waitUntil(lambda: job.state is State.RUNNING)

    def choose(dialog: ClosingDialog) -> int:
        assert dialog.cancel.isDefault()
        next(one for one in dialog.buttons.buttons() if one.text() == answer).click()
        return 0

    monkeypatch.setattr(ClosingDialog, "exec", choose)
    closed = window.close()
    assert closed == (answer != "Stay")
    session.jobs.cancel(job)
    rest(session)


def test_layout_is_remembered_and_can_be_reset(window, session, qtbot):
    window.resize(800, 700)  # the offscreen screen has 800 × 800
    window.panes.setSizes([420, 380])
    window._save_layout()
    again = MainWindow(session)
    qtbot.addWidget(again)
    assert again.size() == window.size()
    again.show()
    assert abs(again.panes.sizes()[0] - window.panes.sizes()[0]) < 12
    again.reset_layout()
    assert again.panes.sizes()[0] < 400
    session.jobs.clear()


def test_every_control_has_a_name_and_the_keyboard_reaches_it(window):
    kinds = (QAbstractButton, QLineEdit, QTreeView, QPlainTextEdit)
    nameless = []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, kinds) or not widget.isVisibleTo(window) or _is_part(widget):
            continue
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        if not (widget.accessibleName() or text):
            nameless.append(widget)
    assert nameless == []


def test_tab_goes_once_through_the_whole_window_in_the_order_of_the_screen(window, session, rest, qtbot):
    session.select(version(session, "v1.0"))
    rest(session)
    session.pick((Pick(session.facts.snapshot(session.version).find("images")),))
    window.command["push"].trigger()
    rest(session)
    window.versions.view.setFocus()
    reached: list[str] = []
    while window.focusWidget().accessibleName() not in reached and len(reached) < 60:
        reached.append(window.focusWidget().accessibleName())
        qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
    assert window.focusWidget() is window.versions.view
    wanted = ["Versions", "Filter contents", "Contents", "Facts", "Copy Hash", "Restore this", "Preview"]
    wanted += ["History of this output", "Hide activity", "Log of Push data", "Show or hide activity"]
    wanted += ["Project project", "Pull", "Push", "Publish version", "Menu", "Filter versions"]
    assert [name for name in reached if name in wanted] == [name for name in wanted if name in reached]
    assert set(wanted) - {"Preview"} <= set(reached)


def _is_part(widget: QWidget) -> bool:
    """Qt's own parts of a field, tab bar or scroll bar."""
    parent = widget.parentWidget()
    return (
        widget.objectName().startswith("qt_")
        or isinstance(parent, QLineEdit)
        or "Tab" in type(parent).__name__
    )


def test_hostile_names_are_shown_as_text(window, session, flowers, rest, qtbot):
    name = "<img src=x>&amp;\u202e.csv"
    builders.track_file(flowers, name, "a\n")
    builders.make_commit(flowers, message="<b>bold</b> message\u202e")
    builders.make_tag(flowers, "v2.0", "<a href='https://x'>click</a>")
    session.refresh()
    rest(session)
    session.select(version(session, "v2.0"))
    rest(session)
    view = window.contents.view
    item = index_of(view, "<img src=x>&amp;⟨U+202E⟩.csv")
    assert "<img" not in item.data(Qt.ItemDataRole.ToolTipRole)
    session.pick((Pick(item.data(ROW).output),))
    window.grab()


@pytest.mark.parametrize("size", [(1024, 700), (1920, 1080)])
@pytest.mark.parametrize("choice", ["light", "dark"])
def test_it_draws_at_every_size_and_theme(window, size, choice):
    theme.choose(choice)
    window.resize(*size)
    window.reset_layout()
    image = window.grab().toImage()
    assert (image.width(), image.height()) == size
    assert window.contents.view.columnWidth(0) >= 120


def test_what_a_restore_replaced_is_brought_back(window, session, rest, qtbot):
    file = session.project.root / "model.onnx"
    unsaved = file.read_bytes()
    plan = restore.plan_restore(
        session.project, version(session, "v1.0"), outputs=("model.onnx",), how=restore.How.WORKSPACE
    )
    restore.restore(session.project, plan, force=True)
    assert file.read_bytes() != unsaved
    file.write_bytes(b"weights four, not recorded either")
    restore.restore(session.project, plan, force=True)
    window.command["bring-back"].trigger()
    qtbot.waitUntil(lambda: window.findChild(BringBackDialog) is not None)
    dialog = window.findChild(BringBackDialog)
    assert dialog.cancel.isDefault()
    assert dialog.records.count() == 2
    dialog.records.setCurrentIndex(1)  # the older one
    dialog.proceed.click()
    rest(session)
    assert file.read_bytes() == unsaved


def test_pull_over_unsaved_files_asks_and_keeps_them(window, session, rest, qtbot):
    file = session.project.root / "model.onnx"
    unsaved, recorded = file.read_bytes(), b"weights two, longer"
    window.command["pull"].trigger()
    qtbot.waitUntil(lambda: window.findChild(ReplaceDialog) is not None, timeout=10_000)
    dialog = window.findChild(ReplaceDialog)
    assert session.problems == []  # the question is the only box
    assert dialog.cancel.isDefault() and dialog.proceed.text() == "Save and replace it"
    assert file.read_bytes() == unsaved
    dialog.proceed.click()
    rest(session)
    assert file.read_bytes() == recorded
    assert restore.replaced(session.project)[0].paths == ("model.onnx",)


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("Save them (modelkeep add), or use --force: they are then kept.", "Record the changes first"),
        ("Add one: modelkeep remote add -d NAME URL", "Add one: “Set up storage…”"),
        ("Run modelkeep publish --resume to send it again.", "Run “Resume” to send it again."),
        ("Fetch it first: modelkeep fetch a/b c.csv", "Fetch it first: “Fetch”"),
        ("Choose another name.", "Choose another name."),
        ("Log in once: modelkeep login lab", "Log in once: “Log in to remote…”"),
        (
            "If same: modelkeep remote trust lab --fingerprint SHA256:a+/b",
            "If same: run the test again, and trust",
        ),
        ("Let it be forgotten: ssh-keygen -R '[lab]:22'", "Let it be forgotten: “Forget this host…”"),
        ("If right: modelkeep remote trust lab --address 'ssh://a b'", "If right: say so when you are asked"),
    ],
)
def test_advice_names_the_commands_of_the_window(hint, said):
    assert in_window(hint).startswith(said)
