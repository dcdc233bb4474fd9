"""The page that shows what will be written, literally, before it is: texts of files, and the keyring entry's name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from PySide6.QtWidgets import QWidget

from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.values import Changes
from modelkeep.core.workflows import storage
from modelkeep.core.workflows.storage import FileChange
from modelkeep.gui import theme
from modelkeep.gui.advice import in_window
from modelkeep.gui.dialogs.frame import Notice
from modelkeep.gui.dialogs.planview import Scroll, empty
from modelkeep.gui.dialogs.wizard.choices import Choices
from modelkeep.gui.dialogs.wizard.page import Page, remark
from modelkeep.gui.session import Session
from modelkeep.gui.widgets import IconLabel, PlainLabel, column, framed, row
from modelkeep.gui.wording import line, translate

Run = Callable[[str, Callable[[Progress], object], Callable[[object], None]], None]


@dataclass(frozen=True)
class Preview:
    """All that would be written. `keyring` is the name of the entry, `kept` where it lies; never a value."""

    files: tuple[FileChange, ...]
    keyring: str = ""
    kept: str = ""
    persistent: bool = True


class ReviewPage(Page):
    """Reads the preview in a job; its button writes it."""

    def __init__(self, choices: Choices, session: Session, run: Run) -> None:
        super().__init__()
        self.title = translate("Setup", "Write it down")
        self.heading = translate("Setup", "This will be written")
        self.text = translate("Setup", "Word for word. Lines marked + are new; nothing else changes.")
        self._choices, self._session, self._run = choices, session, run
        self._preview: Preview | None = None
        self.written: Changes | None = None
        self._scroll = Scroll(translate("Setup", "What will be written"), most=80 * theme.GRID)
        self._scroll.content.setSpacing(2 * theme.GRID)
        self.body.addWidget(self._scroll, 1)

    # -- page ------------------------------------------------------------------------------------------

    def enter(self) -> None:
        project, draft = self._session.project, self._choices.draft
        if project is None or draft is None:
            return
        self._preview = None

        def read(progress: Progress) -> Preview:
            entry = storage.keyring_entry(project, draft)
            files = storage.preview(project, draft)
            if not entry:
                return Preview(files)
            return Preview(files, entry, project.vault.describe(), project.vault.is_persistent)

        title = translate("Setup", "Look what will be written")
        self._session.jobs.start(
            title,
            read,
            owner=self,
            slot="preview",
            quiet=True,
            on_done=self.show_preview,
            on_failed=self._failed,
        )

    def problem(self) -> str:
        return "" if self._preview is not None else translate("Setup", "The files are being read")

    def next_text(self) -> str:
        return translate("Setup", "&Write")

    def leave(self, go_on: Callable[[], None]) -> None:
        project, draft = self._session.project, self._choices.draft
        assert project is not None and draft is not None

        def write(progress: Progress) -> Changes:
            return storage.save(project, draft)

        def written(changes: object) -> None:
            assert isinstance(changes, Changes)
            self.written = changes
            self._session.notify(changes)
            go_on()

        self._run(translate("Setup", "Write the configuration"), write, written)

    # -- showing ---------------------------------------------------------------------------------------

    def show_preview(self, preview: Preview) -> None:
        """Show it."""
        self._preview = preview
        empty(self._scroll.content)
        changed = [one for one in preview.files if one.before != one.after]
        for one in changed:
            self._add(_file_box(one))
        if not changed:
            self._add(remark(translate("Setup", "The files say this already; nothing has to be written.")))
        if preview.keyring:
            self._add(_keyring_box(preview))
        self._scroll.content.addStretch(1)
        self.changed.emit()
        self.turned.emit()

    def texts(self) -> list[str]:
        """What the boxes say, for tests."""
        content = self._scroll.content
        items = (content.itemAt(place) for place in range(content.count()))
        widgets = (item.widget() for item in items if item is not None)
        return [one.accessibleName() for one in widgets if one is not None]

    def _add(self, widget: QWidget) -> None:
        self._scroll.content.addWidget(widget)

    def _failed(self, error: Exception) -> None:
        empty(self._scroll.content)
        notice = Notice()
        self._add(notice)
        notice.say("error", getattr(error, "title", "") or str(error), in_window(getattr(error, "hint", "")))
        self._scroll.content.addStretch(1)


def marked(before: str, after: str) -> tuple[tuple[str, str], ...]:
    """The lines of `after` and what went away: ("+" new, "−" gone, "" as it was; the line)."""
    signs = {"+ ": "+", "- ": "−", "  ": ""}
    compared = difflib.ndiff(before.splitlines(), after.splitlines())
    return tuple((signs[one[:2]], one[2:]) for one in compared if one[:2] in signs)


def _file_box(change: FileChange) -> QWidget:
    lines = marked(change.before, change.after)
    head = row(IconLabel("text"), PlainLabel(change.path, bold=True), _about_file(change), None)
    frame = framed(column(head, _text_of(lines), spacing=theme.GRID), "banner", (12, 10, 12, 10))
    said = "\n".join(f"{sign} {text}".strip() for sign, text in lines)
    frame.setAccessibleName(f"{change.path}\n{said}")
    return frame


def _about_file(change: FileChange) -> PlainLabel:
    private = change.path.endswith(".local")
    text = (
        translate("Setup", "only on this machine, Git leaves it out")
        if private
        else translate("Setup", "shared by Git with your colleagues")
    )
    return PlainLabel(text, look="muted", size="small")


def _text_of(lines: Iterable[tuple[str, str]]) -> QWidget:
    box = column(spacing=0)
    for sign, text in lines:
        words = PlainLabel(
            f"{sign or ' '} {text}", look={"+": "good", "−": "bad"}.get(sign, "muted")
        ).selectable()
        words.setFont(theme.mono())
        box.addWidget(words)
    holder = QWidget()
    holder.setLayout(box)
    return holder


def _keyring_box(preview: Preview) -> QWidget:
    where = (
        translate("Setup", "in {place}; the value itself is shown and written nowhere").format(
            place=preview.kept
        )
        if preview.persistent
        else preview.kept
    )
    name = PlainLabel(preview.keyring).selectable()
    name.setFont(theme.mono())
    head = row(IconLabel("key"), PlainLabel(translate("Setup", "Keyring"), bold=True), None)
    about = PlainLabel(where, look="muted" if preview.persistent else "warn", wrap=True)
    frame = framed(column(head, name, about, spacing=theme.HALF), "banner", (12, 10, 12, 10))
    frame.setAccessibleName(line(f"{preview.keyring}: {where}"))
    return frame
