"""The Compare tab: two versions, the tree of what differs, and how the chosen file differs. Changes nothing."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QSplitter, QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.values import WORKSPACE, Change, Version
from modelkeep.gui import signs, theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.diffviews import content, rows
from modelkeep.gui.diffviews.columns import balance, columns
from modelkeep.gui.diffviews.content import Content
from modelkeep.gui.diffviews.picker import VersionPicker
from modelkeep.gui.diffviews.rows import Compared, Node
from modelkeep.gui.diffviews.view import DiffView
from modelkeep.gui.models import TreeModel
from modelkeep.gui.pane import Pane
from modelkeep.gui.session import Session
from modelkeep.gui.views import TreeTable
from modelkeep.gui.widgets import Hairline, PlainLabel, button, column, row
from modelkeep.gui.wording import translate


class ComparePanel(QWidget):
    """Compares in jobs. `show_versions` chooses both versions, and so do the pickers."""

    def __init__(self, session: Session, actions: ActionSet | None = None) -> None:
        super().__init__()
        self._session = session
        self.found: Compared | None = None
        self._began = False
        self.before = VersionPicker(translate("Compare", "Before"))
        self.after = VersionPicker(translate("Compare", "After"))
        self.model = TreeModel(columns(), lambda node: node.children if node.opens else None)
        title = translate("Compare", "What differs")
        self.tree = TreeTable(
            self.model, "compare", title, lambda node: getattr(node, "key", ""), session.remembered
        )
        self.pane = Pane(title, self.tree, placeholder=translate("Compare", "Filter files"))
        self.view = DiffView()
        self.footer = PlainLabel("", look="muted")
        self._build()
        self._connect()
        self._show_nothing()

    def show_versions(self, before: Version, after: Version) -> None:
        """Choose both versions and compare them."""
        for picker, version in ((self.before, before), (self.after, after)):
            picker.blockSignals(True)
            picker.choose(version.key)
            picker.blockSignals(False)
        self.start()

    def title(self) -> str:
        """What the tab is called: the names of both versions."""
        return f"{self.before.currentText()} → {self.after.currentText()}"

    def swap(self) -> None:
        """Let before be after, and the other way round."""
        before, after = self.before.version(), self.after.version()
        if before and after:
            self.show_versions(after, before)

    # -- building --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.swapper = button(
            translate("Compare", "S&wap"), tip=translate("Compare", "Swap the two versions")
        )
        self.only = QCheckBox(translate("Compare", "Changes &only"))
        self.only.setChecked(True)
        old, new = PlainLabel(translate("Compare", "&Before")), PlainLabel(translate("Compare", "&After"))
        old.setBuddy(self.before)
        new.setBuddy(self.after)
        bar = row(old, self.before, self.swapper, new, self.after, theme.GRID, self.only)
        bar.setStretch(1, 1)
        bar.setStretch(4, 1)
        bar.setContentsMargins(theme.GRID + theme.HALF, theme.GRID, theme.GRID + theme.HALF, theme.GRID)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.pane)
        split.addWidget(self.view)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([360, 240])
        foot = row(self.footer, None)
        foot.setContentsMargins(theme.GRID + theme.HALF, theme.HALF, theme.GRID + theme.HALF, theme.HALF)
        whole = column(bar, Hairline(), split, Hairline(), foot, spacing=0)
        whole.setStretch(2, 1)
        self.setLayout(whole)

    def _connect(self) -> None:
        self.swapper.clicked.connect(self.swap)
        self.only.toggled.connect(lambda _: self.start())
        self.before.currentIndexChanged.connect(lambda _: self.start())
        self.after.currentIndexChanged.connect(lambda _: self.start())
        self.pane.on_filter(self._filter)
        self.tree.chosen.connect(self._choose)
        self._session.opened.connect(self._opened)
        self._session.closed.connect(self._closed)
        self._session.changed.connect(self._changed)
        if self._session.project is not None:
            self._opened()

    # -- following the session -------------------------------------------------------------------------

    def _opened(self) -> None:
        assert self._session.facts is not None
        self._session.facts.versions_changed.connect(self._list)
        self._list()
        self._show_nothing()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._began:
            self.start()

    def _closed(self) -> None:
        self.found, self._began = None, False
        self.before.clear()
        self.after.clear()
        self.model.set_roots(())
        self._show_nothing()

    def _list(self) -> None:
        facts = self._session.facts
        if facts is not None and facts.versions is not None:
            fresh = not self.before.count()
            self.before.list_versions(facts.versions)
            self.after.list_versions(facts.versions)
            head = facts.previous(WORKSPACE)
            if fresh and head is not None:
                self.before.blockSignals(True)
                self.before.choose(head.key)
                self.before.blockSignals(False)

    def _changed(self, what: Change) -> None:
        """Compare again if what is shown may be different now."""
        if self.found is None or not self.isVisible():
            return
        both = (self.found.before, self.found.after)
        if what & Change.REFS or (WORKSPACE in both and what & (Change.WORKSPACE | Change.METAFILES)):
            self.start()

    # -- comparing -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Compare the chosen versions."""
        project, before, after = self._session.project, self.before.version(), self.after.version()
        if project is None or before is None or after is None:
            return
        self._began = True
        everything = not self.only.isChecked()

        def work(progress: Progress) -> Compared:
            return rows.compare(project, before, after, everything, progress)

        self.pane.show_loading()
        self.footer.setText("")
        self.view.clear()
        title = translate("Compare", "Compare {before} and {after}")
        self._session.jobs.start(
            title.format(before=signs.version_name(before), after=signs.version_name(after)),
            work,
            owner=self,
            slot="compare",
            quiet=True,
            on_done=self._show,
            on_failed=self._fail,
        )

    def _show(self, found: Compared) -> None:
        self.found = found
        shown = found.changes if self.only.isChecked() else found.all
        self.footer.setText(balance(found))
        self.view.setVisible(bool(shown))
        if not shown:
            self.pane.show_empty("done", translate("Compare", "These two versions hold the same data."))
            return
        with self.tree.keeping():
            self.model.set_roots(shown)
        self.pane.show_view()

    def _fail(self, error: Exception) -> None:
        self.found = None
        title, hint = rows.why(error)
        self.view.setVisible(False)
        self.pane.show_empty("warning", "\n".join(part for part in (title, hint) if part))

    def _show_nothing(self) -> None:
        self.footer.setText("")
        self.view.setVisible(False)
        self.pane.show_empty(
            "compare", translate("Compare", "Choose two versions to see what changed in the data.")
        )

    def _filter(self, text: str) -> None:
        with self.tree.keeping():
            self.model.set_filter(text)
        if text:
            self.tree.expandAll()

    # -- one file --------------------------------------------------------------------------------------

    def _choose(self, values: list[Node]) -> None:
        found, project = self.found, self._session.project
        line = values[0].row if values and isinstance(values[0], Node) else None
        if found is None or project is None or line is None:
            self.view.clear()
            return
        if line.status == rows.SAME:
            self.view.clear(translate("Compare", "This file is the same in both versions."))
            return

        def work(progress: Progress) -> Content:
            return content.read(project, line, found.before, found.after, progress)

        self._session.jobs.start(
            translate("Compare", "Read {path}").format(path=wording.line(line.path)),
            work,
            owner=self,
            slot="content",
            quiet=True,
            on_done=self.view.show_content,
            on_failed=lambda error: self.view.clear(rows.why(error)[0]),
        )
