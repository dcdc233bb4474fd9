"""The table of user commands: each exists once, with its text, icon, shortcut, condition and what it does.

Menus, toolbar, context menus and the command palette are lists of names from here. What a command does is in
`commands`; why it cannot be done now is in `conditions`. To add a command, add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.gui import bringback, commands, comparing, conditions, placing, theme, wording
from modelkeep.gui.commands import Run, wish
from modelkeep.gui.conditions import Condition
from modelkeep.gui.session import Session


@dataclass(frozen=True)
class Action:
    """One command. `enabled_when` gives the reason why not, or None. `tip` says more than `text`, `short` less,
    for a button; `means` says what it would do now, "" if there is nothing more to say. With `checked` its menu
    entry has a mark while that holds."""

    name: str
    text: str
    icon: str
    run: Run
    enabled_when: Condition = conditions.always
    shortcut: str = ""
    tip: str = ""
    short: str = ""
    role: str = "icon"
    means: Callable[[Session], str] | None = None
    checked: Callable[[], bool] | None = None


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:  # lupdate knows this name
    """Marks `text` for translators; it is translated when it is shown."""
    return text


def _t(text: str) -> str:
    return wording.translate("Actions", text)


def theme_is(choice: str) -> Callable[[], bool]:
    """Whether this is the theme that was chosen."""
    return lambda: theme.notifier().choice == choice


_C = conditions

# fmt: off
TABLE: tuple[Action, ...] = (
    # project
    Action("open", QT_TRANSLATE_NOOP("Actions", "Open project…"), "open", commands.open_project, shortcut="Ctrl+O"),
    Action("new", QT_TRANSLATE_NOOP("Actions", "New project…"), "new", commands.new_project, shortcut="Ctrl+N"),
    Action("clone", QT_TRANSLATE_NOOP("Actions", "Clone from Git…"), "clone", commands.clone_project, shortcut="Ctrl+Shift+O"),
    Action("demo", QT_TRANSLATE_NOOP("Actions", "Open the demonstration"), "demo", commands.open_demo,
           tip=QT_TRANSLATE_NOOP("Actions", "Make a small project to try everything on; it needs no server")),
    Action("close-project", QT_TRANSLATE_NOOP("Actions", "Close project"), "close", commands.close_project, _C.open_project,
           shortcut="Ctrl+W"),
    Action("preferences", QT_TRANSLATE_NOOP("Actions", "Preferences…"), "preferences", commands.preferences, shortcut="Ctrl+,"),
    Action("quit", QT_TRANSLATE_NOOP("Actions", "Quit"), "quit", wish("quit"), shortcut="Ctrl+Q"),
    # data
    Action("add", QT_TRANSLATE_NOOP("Actions", "Add data…"), "add", commands.add, _C.writable, shortcut="Ctrl+Shift+A",
           tip=QT_TRANSLATE_NOOP("Actions", "Start tracking files or folders, or record their changes")),
    Action("push", QT_TRANSLATE_NOOP("Actions", "Push"), "push", commands.push, _C.remote_ready,
           tip=QT_TRANSLATE_NOOP("Actions", "Send data that is only on this machine to the remote")),
    Action("pull", QT_TRANSLATE_NOOP("Actions", "Pull"), "pull", placing.pull, _C.remote_ready,
           tip=QT_TRANSLATE_NOOP("Actions", "Fetch missing data and put it into the workspace")),
    Action("fetch-version", QT_TRANSLATE_NOOP("Actions", "Fetch data of this version"), "fetch", commands.fetch_version,
           _C.version_fetchable, tip=QT_TRANSLATE_NOOP("Actions", "Download into the cache; the workspace stays as it is")),
    Action("push-version", QT_TRANSLATE_NOOP("Actions", "Push data of this version"), "push", commands.push_version,
           _C.version_remote),
    Action("publish", QT_TRANSLATE_NOOP("Actions", "Publish version…"), "publish", commands.publish_version, _C.publishable,
           shortcut="Ctrl+Shift+P", role="on_accent",
           tip=QT_TRANSLATE_NOOP("Actions", "Push the data, prove that it arrived, then tag and push Git")),
    # versions
    Action("restore", QT_TRANSLATE_NOOP("Actions", "Restore…"), "restore", commands.restore_version, _C.past_version,
           shortcut="Ctrl+R", tip=QT_TRANSLATE_NOOP("Actions", "Bring this version back; first a preview of what changes")),
    Action("export", QT_TRANSLATE_NOOP("Actions", "Export…"), "export", commands.export_version, _C.past_version,
           shortcut="Ctrl+E"),
    Action("compare", QT_TRANSLATE_NOOP("Actions", "Compare"), "compare", comparing.compare, _C.comparable, shortcut="Ctrl+D",
           means=comparing.what_compare_means,
           tip=QT_TRANSLATE_NOOP("Actions", "Show what differs: the two chosen versions, or this one and the one before")),
    Action("compare-workspace", QT_TRANSLATE_NOOP("Actions", "Compare with the workspace"), "compare",
           comparing.compare_workspace, _C.past_version),
    Action("copy-name", QT_TRANSLATE_NOOP("Actions", "Copy name"), "copy", commands.copy_name, _C.past_version),
    Action("copy-commit", QT_TRANSLATE_NOOP("Actions", "Copy commit"), "copy", commands.copy_commit, _C.past_version),
    # outputs
    Action("open-file", QT_TRANSLATE_NOOP("Actions", "Open file"), "open", commands.open_file, _C.in_workspace,
           tip=QT_TRANSLATE_NOOP("Actions", "Open the file in the workspace with the program your system uses for it")),
    Action("restore-output", QT_TRANSLATE_NOOP("Actions", "Restore this…"), "restore", commands.restore_output,
           _C.picked_past, short=QT_TRANSLATE_NOOP("Actions", "Restore…"),
           tip=QT_TRANSLATE_NOOP("Actions", "Bring this back into the workspace; the code stays as it is")),
    Action("export-output", QT_TRANSLATE_NOOP("Actions", "Export this…"), "export", commands.export_output,
           _C.picked_any, short=QT_TRANSLATE_NOOP("Actions", "Export…")),
    Action("fetch-output", QT_TRANSLATE_NOOP("Actions", "Fetch this"), "fetch", commands.fetch_output, _C.picked_fetchable,
           short=QT_TRANSLATE_NOOP("Actions", "Fetch")),
    Action("push-output", QT_TRANSLATE_NOOP("Actions", "Push this"), "push", commands.push_output, _C.picked_remote),
    Action("record-output", QT_TRANSLATE_NOOP("Actions", "Record changes"), "add", commands.record_output, _C.picked_workspace),
    Action("copy-path", QT_TRANSLATE_NOOP("Actions", "Copy path"), "copy", commands.copy_path, _C.picked_any),
    Action("copy-hash", QT_TRANSLATE_NOOP("Actions", "Copy hash"), "copy", commands.copy_hash, _C.picked_any),
    # remotes and trust
    Action("setup-storage", QT_TRANSLATE_NOOP("Actions", "Set up storage…"), "server", commands.set_up_storage,
           tip=QT_TRANSLATE_NOOP("Actions", "Step by step: project, place for the data, login, a live test")),
    Action("remotes", QT_TRANSLATE_NOOP("Actions", "Remotes…"), "remote", commands.remotes, _C.open_project),
    Action("login", QT_TRANSLATE_NOOP("Actions", "Log in to remote…"), "key", commands.login, _C.remote_ready),
    Action("move-secrets", QT_TRANSLATE_NOOP("Actions", "Move to keyring…"), "key", commands.move_secrets, _C.open_project),
    Action("trust", QT_TRANSLATE_NOOP("Actions", "Trust this project…"), "unsafe", commands.trust, _C.open_project),
    Action("resume", QT_TRANSLATE_NOOP("Actions", "Resume"), "publish", commands.resume_publish, _C.unfinished),
    Action("undo", QT_TRANSLATE_NOOP("Actions", "Undo"), "restore", commands.undo_publish, _C.undoable),
    Action("finish-checkout", QT_TRANSLATE_NOOP("Actions", "Finish it"), "restore", placing.finish_checkout, _C.half_done),
    Action("bring-back", QT_TRANSLATE_NOOP("Actions", "Bring back what was replaced…"), "restore", bringback.bring_back, _C.open_project,
           tip=QT_TRANSLATE_NOOP("Actions", "Put back the unsaved files that the last restore replaced")),
    # window
    Action("refresh", QT_TRANSLATE_NOOP("Actions", "Refresh"), "refresh", commands.refresh, _C.open_project, shortcut="F5"),
    Action("find", QT_TRANSLATE_NOOP("Actions", "Filter versions"), "search", wish("find"), _C.open_project, shortcut="Ctrl+F"),
    Action("find-contents", QT_TRANSLATE_NOOP("Actions", "Filter contents"), "search", wish("find-contents"), _C.open_project,
           shortcut="Ctrl+Shift+F"),
    Action("palette", QT_TRANSLATE_NOOP("Actions", "Command palette"), "palette", wish("palette"), shortcut="Ctrl+K"),
    Action("activity", QT_TRANSLATE_NOOP("Actions", "Show or hide activity"), "activity", wish("activity"), shortcut="Ctrl+J"),
    Action("theme-system", QT_TRANSLATE_NOOP("Actions", "Theme: like the system"), "theme", commands.use_theme("system"),
           checked=theme_is("system")),
    Action("theme-light", QT_TRANSLATE_NOOP("Actions", "Theme: light"), "theme", commands.use_theme("light"), checked=theme_is("light")),
    Action("theme-dark", QT_TRANSLATE_NOOP("Actions", "Theme: dark"), "theme", commands.use_theme("dark"), checked=theme_is("dark")),
    Action("reset-layout", QT_TRANSLATE_NOOP("Actions", "Reset layout"), "reset", wish("reset-layout")),
)
# fmt: on

#: "-" is a separator; what changes or destroys comes last.
MENUS: dict[str, tuple[str, ...]] = {
    "project": ("open", "clone", "new", "demo", "-", "setup-storage", "-", "close-project"),
    "main": (
        "add",
        "fetch-version",
        "bring-back",
        "-",
        "setup-storage",
        "remotes",
        "login",
        "-",
        "refresh",
        "palette",
        "activity",
        "-",
        "theme-system",
        "theme-light",
        "theme-dark",
        "reset-layout",
        "-",
        "preferences",
        "quit",
    ),
    "version": (
        "compare",
        "compare-workspace",
        "-",
        "fetch-version",
        "push-version",
        "export",
        "-",
        "copy-name",
        "copy-commit",
        "-",
        "restore",
    ),
    "workspace": ("add", "compare", "-", "push", "pull", "-", "publish"),
    "contents": (
        "open-file",
        "-",
        "fetch-output",
        "push-output",
        "export-output",
        "-",
        "copy-path",
        "copy-hash",
        "-",
        "record-output",
        "restore-output",
    ),
}


class ActionSet(QObject):
    """The table's QActions for one window. A disabled one says why in its tooltip."""

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._window = session, window
        self._rows = {row.name: row for row in TABLE}
        self._made = {row.name: self._make(row) for row in TABLE}
        for signal in (
            session.opened,
            session.closed,
            session.selected,
            session.picked,
            session.placed,
            session.changed,
            session.concerned,
        ):
            signal.connect(self.refresh)
        session.opened.connect(self._listen)
        theme.notifier().changed.connect(self._mark)
        self.refresh()

    def __getitem__(self, name: str) -> QAction:
        return self._made[name]

    def names(self) -> Iterable[str]:
        """All commands, in the order of the table."""
        return self._rows

    def icon_name(self, name: str) -> str:
        """The meaning of a command's icon."""
        return self._rows[name].icon

    def reason(self, name: str) -> str | None:
        """Why a command cannot be done now, None if it can."""
        return self._rows[name].enabled_when(self._session)

    def menu(self, name: str, parent: QWidget | None = None) -> QMenu:
        """A new menu of the commands listed under `name`."""
        menu = QMenu(parent or self._window)
        menu.setToolTipsVisible(True)
        for entry in MENUS[name]:
            if entry == "-":
                menu.addSeparator()
            else:
                menu.addAction(self._made[entry])
        return menu

    def refresh(self, *_: object) -> None:
        """Look again at what can be done now."""
        for name, row in self._rows.items():
            action, reason = self._made[name], row.enabled_when(self._session)
            action.setEnabled(reason is None)
            action.setToolTip(wording.tip(_tooltip(row, action, reason, self._session)))

    def _mark(self) -> None:
        for name, row in self._rows.items():
            if row.checked is not None:
                self._made[name].setChecked(row.checked())

    def _listen(self) -> None:
        facts = self._session.facts
        if facts is not None:
            for signal in (facts.status_changed, facts.versions_changed, facts.presence_changed):
                signal.connect(self.refresh)

    def _make(self, row: Action) -> QAction:
        action = QAction(theme.icon(row.icon, row.role), _t(row.text), self._window)
        action.setObjectName(row.name)
        action.setIconText(_t(row.short or row.text))
        if row.shortcut:
            action.setShortcut(QKeySequence(row.shortcut))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(row.checked is not None)
        action.setChecked(row.checked is not None and row.checked())
        action.triggered.connect(lambda checked=False, row=row: self._run(row))
        self._window.addAction(action)
        return action

    def _run(self, row: Action) -> None:
        if row.enabled_when(self._session) is None:
            row.run(self._session, self._window)
        self._mark()  # a click takes the mark off what holds already


def _tooltip(row: Action, action: QAction, reason: str | None, session: Session) -> str:
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    first = (row.means(session) if row.means else "") or _t(row.tip or row.text).rstrip("…")
    if keys:
        first = f"{first} ({keys})"
    return first if reason is None else f"{first}\n{reason}"
