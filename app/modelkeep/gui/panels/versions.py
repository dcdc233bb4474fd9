"""The left pane: the workspace, tags, branches and commits as a tree to choose from. Changes nothing."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.core.values import (
    WORKSPACE,
    Presence,
    Snapshot,
    Status,
    Version,
    VersionKind,
    VersionList,
)
from modelkeep.gui import signs, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.facts import Facts
from modelkeep.gui.models import Column, TreeModel
from modelkeep.gui.pane import Pane
from modelkeep.gui.session import Session
from modelkeep.gui.signs import Sign
from modelkeep.gui.views import TreeTable
from modelkeep.gui.widgets import column
from modelkeep.gui.wording import translate


@dataclass(frozen=True)
class Group:
    """A heading with versions or further headings beneath it."""

    key: str
    title: str
    icon: str
    children: tuple[Any, ...]
    count: int
    starts_open: bool = True
    is_group: bool = True

    @property
    def opens(self) -> bool:
        """Whether there is anything beneath it."""
        return bool(self.children)


def grouped(listed: VersionList) -> tuple[Any, ...]:
    """The rows of the pane: the workspace and one group for each kind of version that exists."""
    groups = (
        Group("tags", translate("Versions", "Tags"), "tag", _tags(listed.tags), len(listed.tags)),
        _group("branches", translate("Versions", "Branches"), "branch", listed.branches),
        _group(
            "remote", translate("Versions", "Remote branches"), "remote-branch", listed.remote_branches, False
        ),
        _group("commits", translate("Versions", "Commits with data"), "commit", listed.commits, False),
    )
    return (WORKSPACE, *(group for group in groups if group.count))


def _group(key: str, title: str, icon: str, found: tuple[Version, ...], starts_open: bool = True) -> Group:
    return Group(key, title, icon, found, len(found), starts_open)


def _tags(tags: tuple[Version, ...]) -> tuple[Any, ...]:
    """Plain tags as they come; those in GTO form under their artifact."""
    artifacts: dict[str, list[Version]] = {}
    for tag in tags:
        if tag.gto is not None:
            artifacts.setdefault(tag.gto.artifact, []).append(tag)
    plain = tuple(tag for tag in tags if tag.gto is None)
    return plain + tuple(
        Group(f"artifact/{name}", name, "artifact", tuple(found), len(found))
        for name, found in sorted(artifacts.items())
    )


class VersionsPanel(QWidget):
    """Chooses the session's version. Ctrl-click on a second row compares the two."""

    def __init__(self, session: Session, actions: ActionSet) -> None:
        super().__init__()
        self._session, self._actions = session, actions
        self.model = TreeModel(self._columns(), lambda row: row.children if isinstance(row, Group) else None)
        title = translate("Versions", "Versions")
        self.view = TreeTable(self.model, "versions", title, _key, session.remembered, several=True)
        self.pane = Pane(title, self.view, placeholder=translate("Versions", "Filter versions"))
        self.pane.on_filter(self._filter)
        self.view.chosen.connect(self._chosen)
        self.view.menu_wanted.connect(self._menu)
        self.setLayout(column(self.pane, spacing=0))
        session.opened.connect(self._opened)
        session.selected.connect(self._follow)

    def focus_filter(self) -> None:
        """Put the cursor into the filter."""
        self.pane.filter.setFocus()
        self.pane.filter.selectAll()

    # -- columns ---------------------------------------------------------------------------------------

    def _columns(self) -> tuple[Column, ...]:
        return (
            Column(
                "name",
                translate("Versions", "Name"),
                lambda v: v.title if isinstance(v, Group) else signs.version_name(v),
                sort=lambda v: _of(v, lambda one: one.name.casefold()),
                tip=lambda v: _of(v, self._tip),
                icon=lambda v: v.icon if isinstance(v, Group) else (signs.version_icon(v), self._tint(v)),
                aside=lambda v: wording.number(v.count) if isinstance(v, Group) else self._aside(v),
                bold=lambda v: isinstance(v, Group) or v.is_head or v == WORKSPACE,
                find=lambda v: _of(v, lambda one: f"{one.name} {one.message} {one.author} {one.commit}"),
                width=176,
            ),
            Column(
                "data",
                translate("Versions", "Data"),
                lambda v: _of(v, lambda one: self._where(one).word),
                tip=lambda v: _of(v, self._where_tip),
                icon=lambda v: _of(v, self._where_icon, None),
                colour=lambda v: _of(v, lambda one: self._where(one).role),
                width=136,
            ),
            Column(
                "outputs",
                translate("Versions", "Outputs"),
                lambda v: _of(
                    v, lambda one: self._of_snapshot(one, lambda s: wording.number(len(s.outputs)))
                ),
                sort=lambda v: _of(v, lambda one: self._of_snapshot(one, lambda s: len(s.outputs), -1)),
                right=True,
                width=72,
                drop=4,
            ),
            Column(
                "size",
                translate("Versions", "Size"),
                lambda v: _of(v, lambda one: self._of_snapshot(one, lambda s: wording.size(s.size))),
                sort=lambda v: _of(v, lambda one: self._of_snapshot(one, lambda s: s.size, -1)),
                tip=lambda v: _of(
                    v, lambda one: self._of_snapshot(one, lambda s: wording.exact_size(s.size))
                ),
                right=True,
                width=80,
                drop=2,
            ),
            *_authorship(),
        )

    @property
    def _facts(self) -> Facts | None:
        return self._session.facts

    def _presence(self, version: Version) -> Presence | None:
        return self._facts.presence(version) if self._facts else None

    def _where(self, version: Version) -> Sign:
        return signs.where_all(self._presence(version), self._is_unrecorded(version))

    def _where_tip(self, version: Version) -> str:
        said = signs.where_tip(
            self._presence(version), has_remote=self._facts is None or self._facts.has_remote
        )
        return f"{signs.not_recorded_tip()}\n{said}" if self._is_unrecorded(version) else said

    def _is_unrecorded(self, version: Version) -> bool:
        return version == WORKSPACE and self._facts is not None and bool(self._facts.unrecorded())

    def _where_icon(self, version: Version) -> tuple[str, str] | None:
        sign = self._where(version)
        return (sign.icon, sign.role) if sign.word else None

    def _of_snapshot(self, version: Version, get: Any, otherwise: Any = "") -> Any:
        found: Snapshot | None = self._facts.snapshot(version) if self._facts else None
        return otherwise if found is None else get(found)

    def _tint(self, version: Version) -> str:
        return "accent" if version.is_head or version == WORKSPACE else "icon"

    def _aside(self, version: Version) -> str:
        if version == WORKSPACE:
            return workspace_aside(self._facts.status if self._facts else None)
        return version.subject

    def _tip(self, version: Version) -> str:
        if version == WORKSPACE:
            return translate("Versions", "The files in the project's folder, as they are now")
        parts = [version.name, version.message.strip()]
        if version.author:
            parts.append(f"{version.author}, {wording.exact_when(version.when)}")
        return "\n".join(part for part in parts if part)

    # -- following the session -------------------------------------------------------------------------

    def _opened(self) -> None:
        facts = self._session.facts
        assert facts is not None
        facts.versions_changed.connect(self._list)
        for signal in (facts.snapshots_changed, facts.presence_changed, facts.status_changed):
            signal.connect(self.model.touch)
        self.model.set_roots((WORKSPACE,))
        self.view.choose(WORKSPACE.key)
        self.pane.show_view()

    def _list(self) -> None:
        facts = self._session.facts
        if facts is None or facts.versions is None:
            return
        with self.view.keeping():
            self.model.set_roots(grouped(facts.versions))
        known = facts.find(self._session.version.key) or WORKSPACE
        other = facts.find(self._session.other.key) if self._session.other else None
        if not self.view.values():
            self.view.choose(known.key)
        self._session.select(known, other)

    def _filter(self, text: str) -> None:
        with self.view.keeping():
            self.model.set_filter(text)
        if text:
            self.view.expandAll()
            self.view.expandAll()  # what the first pass fetched has children of its own

    def _chosen(self, values: list[Any]) -> None:
        versions = [value for value in values if isinstance(value, Version)]
        if versions:
            self._session.select(versions[0], versions[1] if len(versions) == 2 else None)

    def _follow(self) -> None:
        chosen = [value for value in self.view.values() if isinstance(value, Version)]
        if self._session.version not in chosen:
            self.view.choose(self._session.version.key)

    def _menu(self, value: Any, spot: QPoint) -> None:
        if isinstance(value, Version):
            name = "workspace" if value.kind is VersionKind.WORKSPACE else "version"
            self._actions.menu(name, self).popup(spot)


def _of(value: Any, version: Any, group: Any = "") -> Any:
    """What `version` says of the value, or `group` if it is a heading."""
    return group if isinstance(value, Group) else version(value)


def _authorship() -> tuple[Column, ...]:
    return (
        Column(
            "who",
            translate("Versions", "Who"),
            lambda v: _of(v, lambda one: one.author),
            tip=lambda v: _of(v, lambda one: f"{one.author} <{one.email}>" if one.email else one.author),
            width=112,
            drop=5,
        ),
        Column(
            "when",
            translate("Versions", "When"),
            lambda v: _of(v, lambda one: wording.when(one.when)),
            sort=lambda v: _of(v, lambda one: one.when.timestamp() if one.when else 0.0, 0.0),
            tip=lambda v: _of(v, lambda one: wording.exact_when(one.when)),
            colour=lambda v: "muted",
            width=88,
            drop=1,
        ),
    )


def workspace_aside(status: Status | None) -> str:
    """How many uncommitted changes there are, in words."""
    if status is None:
        return ""
    changed = {o.output.metafile for o in status.outputs if signs.mark_of(o.state) not in ("", "absent")}
    count = len(changed | set(status.git_changes))
    if not count:
        return translate("Versions", "no changes")
    return wording.counted(count, translate("Versions", "{n} change"), translate("Versions", "{n} changes"))


def _key(value: Any) -> str:
    return str(getattr(value, "key", ""))
