"""The centre pane: the outputs of the chosen version; folders open from their manifest. Changes nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QPoint
from PySide6.QtWidgets import QWidget

from modelkeep.core.progress import Progress
from modelkeep.core.values import WORKSPACE, Change, Presence
from modelkeep.core.workflows import review
from modelkeep.gui import signs, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.content_rows import Item, folder_rows, output_rows
from modelkeep.gui.jobs import FACTS
from modelkeep.gui.models import ROW, Column, Placeholder, TreeModel, failure, loading
from modelkeep.gui.pane import Pane
from modelkeep.gui.session import Pick, Session
from modelkeep.gui.signs import Sign
from modelkeep.gui.views import TreeTable
from modelkeep.gui.widgets import column
from modelkeep.gui.wording import translate


class ContentsPanel(QWidget):
    """Shows what the session's version holds; what is selected becomes the session's picks."""

    def __init__(self, session: Session, actions: ActionSet) -> None:
        super().__init__()
        self._session, self._actions = session, actions
        self._opened_folders: dict[str, tuple[Item, ...]] = {}
        self._shown = ""
        self._rows: tuple[Any, ...] = ()
        self.model = TreeModel(self._columns(), self._children)
        title = translate("Contents", "Contents")
        self.view = TreeTable(self.model, "contents", title, _key, session.remembered, several=True)
        self.pane = Pane(title, self.view, placeholder=translate("Contents", "Filter contents"))
        self.pane.on_filter(self._filter)
        self.view.chosen.connect(self._chosen)
        self.view.menu_wanted.connect(self._menu)
        self.setLayout(column(self.pane, spacing=0))
        session.opened.connect(self._opened)
        session.selected.connect(self._show)
        session.picked.connect(self._follow)
        session.changed.connect(self._changed)

    def focus_filter(self) -> None:
        """Put the cursor into the filter."""
        self.pane.filter.setFocus()
        self.pane.filter.selectAll()

    def _columns(self) -> tuple[Column, ...]:
        return (
            Column(
                "name",
                translate("Contents", "Name"),
                lambda item: item.name,
                sort=lambda item: item.name.casefold(),
                tip=lambda item: item.key,
                icon=lambda item: _icon(item),
                aside=lambda item: item.output.desc.partition("\n")[0] if item.entry is None else "",
                find=lambda item: item.key,
                width=152,
            ),
            Column(
                "change",
                translate("Contents", "Change"),
                lambda item: signs.change(item.mark).word,
                tip=lambda item: self._change_tip(item),
                colour=lambda item: signs.change(item.mark).role,
                width=84,
                drop=1,
            ),
            Column(
                "data",
                translate("Contents", "Data"),
                lambda item: self._where(item).word,
                tip=lambda item: self._where_tip(item),
                icon=lambda item: _sign_icon(self._where(item)),
                colour=lambda item: self._where(item).role,
                width=136,
            ),
            *_measures(),
        )

    def _where(self, item: Item) -> Sign:
        if item.entry is not None:
            return Sign("", "", "muted")
        if self._is_unrecorded(item):
            return signs.not_recorded()
        return signs.where(self._session.places.get(item.output.path))

    def _where_tip(self, item: Item) -> str:
        if item.entry:
            return ""
        facts = self._session.facts
        said = signs.where_tip(
            self._session.places.get(item.output.path), has_remote=facts is None or facts.has_remote
        )
        return f"{signs.not_recorded_tip()}\n{said}" if self._is_unrecorded(item) else said

    def _is_unrecorded(self, item: Item) -> bool:
        facts = self._session.facts
        return (
            facts is not None
            and self._session.version == WORKSPACE
            and item.output.path in facts.unrecorded()
        )

    def _change_tip(self, item: Item) -> str:
        word = signs.change(item.mark).word
        facts = self._session.facts
        if not word or facts is None:
            return word
        before = facts.previous(self._session.version)
        if self._session.version == WORKSPACE or before is None:
            return word
        return translate("Contents", "{word} since {version}").format(word=word, version=before.name)

    # -- rows ------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        facts = self._session.facts
        assert facts is not None
        facts.snapshots_changed.connect(self._show)
        facts.status_changed.connect(self._status_came)
        facts.presence_changed.connect(self._look_up)
        facts.failed.connect(self._failed)
        self._show()

    def _status_came(self) -> None:
        if self._session.version == WORKSPACE:
            self._show()

    def _show(self) -> None:
        """Show the session's version as far as it is known."""
        facts, version = self._session.facts, self._session.version
        if facts is None:
            return
        snapshot = facts.snapshot(version)
        if snapshot is None:
            self._shown = ""
            self.pane.show_loading()
            return
        before = facts.previous(version)
        older = facts.snapshot(before) if before else None
        rows = output_rows(snapshot, older, facts.status if version == WORKSPACE else None)
        problems = tuple(failure(f"{one.file}: {one.reason}") for one in snapshot.problems)
        if self._shown != f"{version.key} {version.commit}":
            self._shown = f"{version.key} {version.commit}"
            self._opened_folders.clear()
            self._rows = ()
        if (*rows, *problems) != self._rows:
            self._rows = (*rows, *problems)
            with self.view.keeping():
                self.model.set_roots(self._rows)
        self._show_or_say_why(bool(rows or problems))
        self._look_up()

    def _show_or_say_why(self, filled: bool) -> None:
        if filled:
            self.pane.show_view()
        elif self._session.version == WORKSPACE:
            text = translate(
                "Contents", "Nothing is tracked yet. Add a dataset or a model, or drop files here."
            )
            self.pane.show_empty("add", text, self._actions["add"])
        else:
            self.pane.show_empty("dataset", translate("Contents", "This version tracks no data."))

    def _failed(self, error: Exception) -> None:
        if not self._shown:
            self.pane.show_empty("warning", str(error), self._actions["refresh"])

    def _look_up(self) -> None:
        """Ask where the data of each output is: once here, the remote's listing is known or being read."""
        facts, project, version = self._session.facts, self._session.project, self._session.version
        snapshot = facts.snapshot(version) if facts else None
        if project is None or snapshot is None or not snapshot.outputs:
            return

        def work(progress: Progress) -> dict[str, Presence]:
            return review.presence(project, snapshot.outputs, progress, ask_remote=False)

        def done(found: dict[str, Presence]) -> None:
            if self._session.version == version:
                self._session.place(found)
                self.model.touch()

        title = translate("Contents", "Look where the data is")
        self._session.jobs.start(title, work, FACTS, on_done=done, owner=self, slot="presence", quiet=True)

    def _children(self, item: Any) -> tuple[Any, ...] | None:
        if not isinstance(item, Item) or not item.is_folder:
            return None
        if item.children is not None:
            return item.children
        known = self._opened_folders.get(item.hash)
        if known is None:
            if not item.hash:
                return tuple(_listed(item))
            self._read_folder(item)
            return (loading(),)
        return known or (Placeholder(translate("Contents", "This folder is empty"), "none"),)

    def _read_folder(self, item: Item) -> None:
        project, facts = self._session.project, self._session.facts
        if project is None or facts is None:
            return
        before = facts.previous(self._session.version)
        older = facts.snapshot(before) if before else None
        old = older.find(item.output.path) if older else None
        self._session.jobs.start(
            translate("Contents", "Open {name}").format(name=wording.line(item.name)),
            partial(folder_rows, project, item.output, old),
            on_done=partial(self._folder_came, item.hash),
            on_failed=partial(self._folder_failed, item.hash),
            owner=self,
            slot=f"folder {item.hash}",
            quiet=True,
        )

    def _folder_came(self, oid: str, rows: tuple[Item, ...]) -> None:
        self._opened_folders[oid] = rows
        empty = (Placeholder(translate("Contents", "This folder is empty"), "none"),)
        self._fill(oid, rows or empty)

    def _folder_failed(self, oid: str, error: Exception) -> None:
        self._fill(oid, (failure(getattr(error, "title", str(error))),))

    def _fill(self, oid: str, rows: tuple[Any, ...]) -> None:
        for index in list(self.model.walk()):
            item = index.data(ROW)
            if isinstance(item, Item) and item.entry is None and item.hash == oid and self._is_open(index):
                self.model.set_children(index, rows)

    def _is_open(self, index: QModelIndex) -> bool:
        return self.model.rowCount(index) > 0

    # -- talking ---------------------------------------------------------------------------------------

    def _changed(self, what: Change) -> None:
        if what & (Change.CACHE | Change.REMOTE):
            self._look_up()

    def _filter(self, text: str) -> None:
        with self.view.keeping():
            self.model.set_filter(text)
        if text:
            for row in range(self.model.rowCount()):
                self.view.expand(self.model.index(row, 0))

    def _chosen(self, values: list[Any]) -> None:
        items = [value for value in values if isinstance(value, Item)]
        self._session.pick(tuple(Pick(i.output, i.entry, i.is_folder, i.size, i.hash) for i in items))

    def _follow(self) -> None:
        """Leave no row marked that is not looked at, and mark the one that is."""
        picked = {pick.path for pick in self._session.picks}
        if picked == {_key(value) for value in self.view.values()}:
            return
        if not picked:
            self.view.unchoose()
        elif len(picked) == 1:
            self.view.choose(*picked)

    def _menu(self, value: Any, spot: QPoint) -> None:
        if isinstance(value, Item):
            self._actions.menu("contents", self).popup(spot)


def _measures() -> tuple[Column, ...]:
    """The columns that are the same wherever the data is."""
    return (
        Column(
            "size",
            translate("Contents", "Size"),
            lambda item: wording.size(item.size),
            sort=lambda item: -1 if item.size is None else item.size,
            tip=lambda item: wording.exact_size(item.size),
            right=True,
            width=80,
            drop=2,
        ),
        Column(
            "files",
            translate("Contents", "Files"),
            lambda item: wording.number(item.files) if item.is_folder else "",
            sort=lambda item: item.files or 0,
            right=True,
            width=64,
            drop=3,
        ),
        Column(
            "kind",
            translate("Contents", "Kind"),
            lambda item: signs.kind(item.output).word if item.entry is None else "",
            width=72,
            drop=4,
        ),
        Column(
            "hash",
            translate("Contents", "Hash"),
            lambda item: item.hash[:8],
            tip=lambda item: item.hash,
            mono=True,
            width=88,
            drop=5,
        ),
    )


def _listed(item: Item) -> list[Item]:
    """The files a cloud-versioned folder names in its metafile."""
    return [Item(path, item.output, path, False, size, 1, digest) for path, digest, size in item.output.files]


def _icon(item: Item) -> str:
    if item.entry is None:
        return signs.kind(item.output).icon
    return "folder" if item.is_folder else signs.file_icon(item.name)


def _sign_icon(sign: Sign) -> tuple[str, str] | None:
    return (sign.icon, sign.role) if sign.word else None


def _key(value: Any) -> str:
    return value.key if isinstance(value, Item) else ""
