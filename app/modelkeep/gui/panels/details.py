"""The right pane: facts about what is chosen, a preview of it, and its own history. Changes nothing."""

from __future__ import annotations

from functools import partial
from operator import is_
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QScrollArea, QSplitter, QStackedWidget, QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.values import WORKSPACE, Output, Version
from modelkeep.core.workflows import review
from modelkeep.core.workflows.review import OutputVersion
from modelkeep.gui import preview, signs, theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.changes import altered
from modelkeep.gui.factsheet import Fact, FactSheet, PreviewBox
from modelkeep.gui.models import Column, RowsModel
from modelkeep.gui.pane import Pane
from modelkeep.gui.session import Pick, Session
from modelkeep.gui.views import TreeTable
from modelkeep.gui.widgets import Hairline, PlainLabel, action_button, column, framed, row
from modelkeep.gui.wording import translate


class DetailsPanel(QWidget):
    """Follows the session's version and picks."""

    def __init__(self, session: Session, actions: ActionSet) -> None:
        super().__init__()
        self._session, self._actions = session, actions
        self._sheet = FactSheet()
        self._told_of: tuple[object, ...] = ()
        self._sheet.copied.connect(self._copy)
        self._buttons = QStackedWidget()
        self._for_version = self._button_row("restore", "compare", "export")
        self._for_output = self._button_row("restore-output", "fetch-output", "export-output")
        self._for_workspace = self._button_row("add", "compare")
        self._preview = PreviewBox()
        self.history = self._history_pane()
        self.changes = self._changes_pane()
        self._below = QStackedWidget()
        self._below.addWidget(self.changes)
        self._below.addWidget(self._output_part())
        self.facts = _Facts(self._sheet)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        upper = framed(column(self._title_bar(), Hairline(), self.facts, self._buttons, spacing=0))
        for part in (upper, self._below):
            self.splitter.addWidget(part)
        self.splitter.setStretchFactor(1, 1)  # what is above keeps its height as long as there is any room
        self.splitter.setChildrenCollapsible(False)
        self.setLayout(column(self.splitter, spacing=0))
        session.opened.connect(self._opened)
        session.selected.connect(self._show)
        session.picked.connect(self._show)

    # -- parts -----------------------------------------------------------------------------------------

    def _title_bar(self) -> QWidget:
        line = row(PlainLabel(translate("Details", "Details"), bold=True), None)
        bar = framed(line, margins=(theme.GRID + theme.HALF, 0, theme.GRID, 0))
        bar.setFixedHeight(theme.GRID * 5)
        return bar

    def _button_row(self, *names: str) -> QWidget:
        box = QWidget()
        line = row(
            *(action_button(self._actions[name], look="row") for name in names), None, spacing=theme.HALF
        )
        line.setContentsMargins(theme.GRID, theme.HALF, theme.GRID, theme.HALF)
        box.setLayout(line)
        self._buttons.addWidget(box)
        self._buttons.setFixedHeight(theme.GRID * 5)
        return box

    def _output_part(self) -> QWidget:
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(Pane(translate("Details", "Preview"), self._preview))
        splitter.addWidget(self.history)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setChildrenCollapsible(False)
        return splitter

    def _history_pane(self) -> Pane:
        self._history_model = RowsModel(
            (
                Column(
                    "version",
                    translate("Details", "Version"),
                    width=160,
                    text=lambda one: signs.version_name(one.version),
                    aside=lambda one: f"+{len(one.names) - 1}" if len(one.names) > 1 else "",
                    tip=lambda one: "\n".join([*one.names, one.version.message.strip()]),
                    icon=lambda one: signs.version_icon(one.version),
                    bold=lambda one: one.output.oid == self._chosen_oid(),
                ),
                Column(
                    "size",
                    translate("Details", "Size"),
                    lambda one: wording.size(one.output.size),
                    sort=lambda one: one.output.size or 0,
                    tip=lambda one: wording.exact_size(one.output.size),
                    right=True,
                    width=72,
                ),
                Column(
                    "when",
                    translate("Details", "When"),
                    lambda one: wording.when(one.version.when),
                    sort=lambda one: one.version.when.timestamp() if one.version.when else 0.0,
                    tip=lambda one: wording.exact_when(one.version.when),
                    colour=lambda one: "muted",
                    width=104,
                ),
            )
        )
        title = translate("Details", "History of this output")
        view = TreeTable(self._history_model, "history", title, _history_key, self._session.remembered)
        view.opened.connect(lambda one: self._session.select(one.version))
        return Pane(title, view)

    def _changes_pane(self) -> Pane:
        self._changes_model = RowsModel(
            (
                Column(
                    "path",
                    translate("Details", "Path"),
                    lambda one: one.path,
                    tip=lambda one: one.path,
                ),
                Column(
                    "change",
                    translate("Details", "Change"),
                    lambda one: signs.change(one.mark).word,
                    colour=lambda one: signs.change(one.mark).role,
                    width=88,
                ),
                Column(
                    "size",
                    translate("Details", "Size"),
                    lambda one: signed_size(one.growth),
                    sort=lambda one: one.growth or 0,
                    right=True,
                    width=88,
                ),
            ),
            most=300,  # nobody reads thousands of new files here, and they would hold up the window
        )
        title = translate("Details", "Changes")
        view = TreeTable(
            self._changes_model, "changes", title, lambda one: str(one.path), self._session.remembered
        )
        return Pane(title, view)

    # -- following the session -------------------------------------------------------------------------

    def _opened(self) -> None:
        facts = self._session.facts
        assert facts is not None
        for signal in (
            facts.snapshots_changed,
            facts.presence_changed,
            facts.status_changed,
            facts.sizes_changed,
        ):
            signal.connect(self._refresh)
        self._show()

    def _refresh(self) -> None:
        if self._session.picks:
            self._show_sheet()
        else:
            self._show()

    def _show(self) -> None:
        self._show_sheet()
        picks = self._session.picks
        self._below.setCurrentIndex(1 if picks else 0)
        if len(picks) == 1:
            self._load_preview(picks[0])
            self._load_history(picks[0].output)
        elif picks:
            self._preview.show_reason("info", translate("Details", "Choose one row to see it."))
            self.history.show_empty("history", translate("Details", "Choose one row to see its history."))
        else:
            self._show_changes()

    def _show_sheet(self) -> None:
        picks, version = self._session.picks, self._session.version
        if len(picks) == 1:
            self._buttons.setCurrentWidget(self._for_output)
            self._show_pick(picks[0])
        elif picks:
            self._buttons.setCurrentWidget(self._for_output)
            text = translate("Details", "{n} rows chosen").format(n=wording.number(len(picks)))
            self._sheet.show_facts("info", text, "", "", ())
        else:
            self._buttons.setCurrentWidget(self._for_workspace if version == WORKSPACE else self._for_version)
            self._show_version(version)

    def _show_version(self, version: Version) -> None:
        facts = self._session.facts
        snapshot = facts.snapshot(version) if facts else None
        presence = facts.presence(version) if facts else None
        lines = []
        if version.when is not None:
            exact = wording.exact_when(version.when)
            lines.append(Fact(translate("Details", "When"), wording.when(version.when), exact))
        if version.author:
            who = f"{version.author} <{version.email}>" if version.email else version.author
            lines.append(Fact(translate("Details", "Who"), version.author, who))
        if version.commit:
            short = version.commit[:8]
            lines.append(Fact(translate("Details", "Commit"), short, copy=version.commit))
        if snapshot is not None:
            text = translate("Details", "{outputs}, {size}").format(
                outputs=wording.outputs(len(snapshot.outputs)), size=wording.size(snapshot.size)
            )
            lines.append(Fact(translate("Details", "Contents"), text, wording.exact_size(snapshot.size)))
        if presence is not None:
            tip = signs.where_tip(presence, has_remote=facts is None or facts.has_remote)
            unrecorded = version == WORKSPACE and facts is not None and bool(facts.unrecorded())
            sign = signs.where_all(presence, unrecorded)
            lines.append(Fact(translate("Details", "Data"), "", tip, sign=sign))
        if self._session.other is not None:
            other = signs.version_name(self._session.other)
            text = translate("Details", "Compare shows what differs between the two")
            lines.append(Fact(translate("Details", "Also chosen"), other, text))
        icon, name = signs.version_icon(version), signs.version_name(version)
        self._sheet.show_facts(icon, name, _about(version), version.message.strip(), lines)

    def _show_pick(self, pick: Pick) -> None:
        out = pick.output
        lines = [] if pick.entry else self._output_facts(out)
        if pick.entry:
            lines.append(
                Fact(translate("Details", "Size"), wording.size(pick.size), wording.exact_size(pick.size))
            )
            if pick.hash:
                lines.append(Fact(translate("Details", "Hash"), pick.hash[:8], copy=pick.hash))
            lines.append(Fact(translate("Details", "In"), out.path, out.path))
        icon = (
            signs.kind(out).icon
            if not pick.entry
            else ("folder" if pick.is_folder else signs.file_icon(pick.path))
        )
        about = signs.kind(out).word if not pick.entry else translate("Details", "in a folder output")
        self._sheet.show_facts(icon, pick.path, about, out.desc, lines)

    def _output_facts(self, out: Output) -> list[Fact]:
        lines = [Fact(translate("Details", "Size"), wording.size(out.size), wording.exact_size(out.size))]
        if out.is_dir:
            lines.append(Fact(translate("Details", "Files"), wording.number(out.file_count)))
        if out.oid is not None:
            lines.append(Fact(translate("Details", "Hash"), out.oid.hash[:8], copy=out.oid.name))
        lines.append(Fact(translate("Details", "Metafile"), out.metafile, out.metafile))
        for name, value in (
            (translate("Details", "Stage"), out.stage or ""),
            (translate("Details", "Type"), out.type),
            (translate("Details", "Labels"), ", ".join(out.labels)),
            (translate("Details", "Remote"), out.remote or ""),
        ):
            if value:
                lines.append(Fact(name, value, value))
        return lines

    def _show_changes(self) -> None:
        facts, version = self._session.facts, self._session.version
        snapshot = facts.snapshot(version) if facts else None
        if facts is None or snapshot is None:
            return
        if version == WORKSPACE and facts.status is None:
            self._told_of = ()
            self.changes.show_loading()
            return
        before = facts.previous(version)
        older = facts.snapshot(before) if before else None
        status = facts.status if version == WORKSPACE else None
        made_of = (snapshot, older, status, facts.sizes if status is not None else None)
        if len(self._told_of) == len(made_of) and all(map(is_, made_of, self._told_of)):
            return  # they are shown already, and showing takes the window a moment
        self._told_of = made_of
        rows = altered(*made_of)
        title = translate("Details", "Uncommitted changes")
        if version != WORKSPACE:
            since = translate("Details", "Changes since {version}")
            title = since.format(version=before.name) if before else translate("Details", "Changes")
        self.changes.title.setText(title)
        self._changes_model.set_rows(rows)
        if rows:
            self.changes.show_view()
        elif version != WORKSPACE and before is None:
            self.changes.show_empty("history", translate("Details", "There is no version before this one."))
        else:
            self.changes.show_empty("done", translate("Details", "No tracked data changed."))

    # -- reading ---------------------------------------------------------------------------------------

    def _load_preview(self, pick: Pick) -> None:
        project, version = self._session.project, self._session.version
        if project is None:
            return
        if pick.is_folder:
            self._preview.show_reason(
                "folder", translate("Details", "Open the folder and choose a file to see it.")
            )
            return

        def work(progress: Progress) -> preview.Shown:
            found = review.preview(project, version, pick.output, pick.entry, progress=progress)
            if found.kind == "image":
                return preview.image_of(found.data)
            if found.kind == "text":
                return preview.text_of(found.data, pick.path, truncated=found.truncated)
            return preview.Shown(found.reason)

        self._start(translate("Details", "Preview"), work, self._preview.show_content, "preview")

    def _load_history(self, out: Output) -> None:
        project = self._session.project
        if project is None or project.history is None:
            self._have_history(())
            return
        work = partial(review.output_history, project, out.path)
        self._start(translate("Details", "Read the history"), work, self._have_history, "history")

    def _have_history(self, found: tuple[OutputVersion, ...]) -> None:
        self._history_model.set_rows(found)
        if found:
            self.history.show_view()
        else:
            self.history.show_empty(
                "history", translate("Details", "No listed version holds this output yet.")
            )

    def _start(self, title: str, work: Any, done: Any, slot: str) -> None:
        def failed(error: Exception) -> None:
            self._preview.show_reason("warning", str(error))

        self._session.jobs.start(
            title, work, on_done=done, on_failed=failed, owner=self, slot=slot, quiet=True
        )

    def _chosen_oid(self) -> Any:
        picks = self._session.picks
        return picks[0].output.oid if picks else None

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._session.told.emit(translate("Details", "Copied {text}").format(text=text))


class _Facts(QScrollArea):
    """Scrolls the facts, but never shows less than the first few of them."""

    def __init__(self, sheet: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(sheet)
        self.setAccessibleName(translate("Details", "Facts"))
        for part in (self.viewport(), sheet):
            part.setAutoFillBackground(False)
        self.setMinimumHeight(theme.GRID * 10)


def signed_size(growth: int | None) -> str:
    """How much a path grew or shrank, with its sign."""
    if growth is None:
        return ""
    if not growth:
        return "±0"
    sign = "+" if growth > 0 else "−"
    return f"{sign}{wording.size(abs(growth))}"


def _about(version: Version) -> str:
    if version == WORKSPACE:
        return translate("Details", "the project's folder, as it is now")
    words = {
        "tag": translate("Details", "annotated tag") if version.annotated else translate("Details", "tag"),
        "branch": translate("Details", "branch"),
        "remote branch": translate("Details", "branch of a Git remote"),
        "commit": translate("Details", "commit"),
    }
    return words.get(version.kind.value, "")


def _history_key(one: OutputVersion) -> str:
    return one.version.key
