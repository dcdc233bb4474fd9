"""Shows a live test: steps that light up one after another, with time, sentence, and what to try. Starts nothing."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from modelkeep.core.workflows.remote_test import State, Step
from modelkeep.gui import theme
from modelkeep.gui.advice import in_window
from modelkeep.gui.dialogs.planview import Scroll, empty
from modelkeep.gui.dialogs.steps import Steps, lasted, sign_of, took
from modelkeep.gui.widgets import IconLabel, PlainLabel, button, column, row
from modelkeep.gui.wording import line, lines, translate

_TICK = 100  # milliseconds between two looks at the clock of the running step


class StepLine(QFrame):
    """One step: sign, title, time; beneath them the sentence, and after a failure what it means and what to try."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.setObjectName("step")
        self._sign = IconLabel("later", size=20)
        self._title = PlainLabel(step.title)
        self._time = PlainLabel("", look="muted", size="small")
        self._text = PlainLabel("", look="muted", wrap=True).selectable()
        self._advice = PlainLabel("", wrap=True).selectable()
        self._detail = PlainLabel("", look="muted", wrap=True).selectable()
        self._detail.setFont(theme.mono())
        self._copy = button(translate("Steps", "Copy"), "copy", look="link")
        self._copy.clicked.connect(self._copy_all)
        self._step = step
        self._arrange()
        self.show_step(step)

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(theme.GRID)
        head.addWidget(self._title, 1)
        head.addWidget(self._copy)
        head.addWidget(self._time, 0, Qt.AlignmentFlag.AlignRight)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addLayout(head)
        for part in (self._text, self._advice, self._detail):
            words.addWidget(part)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.GRID, 3, theme.GRID, 3)
        layout.setSpacing(theme.GRID + theme.HALF)
        layout.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)

    def show_step(self, step: Step) -> None:
        """Show how the step stands now."""
        self._step = step
        sign = sign_of(step)
        self._sign.set(sign.icon, sign.role, sign.word)
        quiet = step.state in (State.WAITING, State.SKIPPED)
        self._title.set_look("muted" if quiet else "")
        self._title.setFont(theme.font(bold=step.state in (State.RUNNING, State.FAILED)))
        self._time.setText(took(step))
        bad = step.state is State.FAILED
        troubled = bad or step.state is State.WARNING
        for part, text in (
            (self._text, step.text),
            (self._advice, in_window(step.advice) if troubled else ""),
            (self._detail, step.detail if troubled else ""),
        ):
            part.setText(text)
            part.setVisible(bool(text))
        self._text.set_look("bad" if bad else "warn" if troubled else "muted")
        self._copy.setVisible(bad)
        self.setProperty("look", "bad" if bad else "now" if step.state is State.RUNNING else "")
        self.style().unpolish(self)
        self.style().polish(self)
        self.setAccessibleName(line(f"{step.title}: {sign.word}. {step.text}"))
        self.setAccessibleDescription(lines(step.advice))

    def show_time(self, seconds: float) -> None:
        """The running step has taken so long."""
        self._time.setText(lasted(seconds) if seconds >= 1 else "")

    def text(self) -> str:
        """All it says, for the clipboard."""
        step = self._step
        return "\n".join(
            part for part in (step.title, step.text, in_window(step.advice), step.detail) if part
        )

    def _copy_all(self) -> None:
        QGuiApplication.clipboard().setText(self.text())
        self._copy.setText(translate("Steps", "Copied"))


class StepsView(QWidget):
    """The lines of a `Steps` and the sentence above them. `refresh` after each change."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._shown: tuple[Step, ...] = ()
        self._lines: list[StepLine] = []
        self._since = 0.0
        self._sign = IconLabel("later", size=20)
        self._sentence = PlainLabel("", bold=True, wrap=True)
        self._total = PlainLabel("", look="muted")
        self._scroll = Scroll(name, most=70 * theme.GRID)
        self._scroll.content.setSpacing(0)
        head = row(self._sign, self._sentence, self._total)
        head.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        head.setStretch(1, 1)
        layout = column(head, self._scroll, spacing=theme.GRID)
        layout.setStretch(1, 1)
        self.setLayout(layout)
        self._clock = QTimer(self, interval=_TICK)
        self._clock.timeout.connect(self._tick)

    def show_steps(self, steps: Steps) -> None:
        """Show how they stand; only what changed is touched."""
        rows = steps.rows
        if [one.key for one in rows] != [one.key for one in self._shown]:
            self._make_lines(rows)
        for place, step in enumerate(rows):
            if place >= len(self._shown) or step != self._shown[place]:
                self._lines[place].show_step(step)
                if step.state is State.RUNNING:
                    self._since = time.monotonic()
                if step.state in (State.RUNNING, State.FAILED):
                    self._reveal(self._lines[place])
        self._shown = rows
        self._show_head(steps)
        self._clock.start() if steps.is_running else self._clock.stop()

    def line_of(self, key: str) -> StepLine:
        """The line of one step."""
        return self._lines[[one.key for one in self._shown].index(key)]

    def texts(self) -> list[str]:
        """What the lines say, for tests."""
        return [one.accessibleName() for one in self._lines]

    def _make_lines(self, rows: tuple[Step, ...]) -> None:
        content = self._scroll.content
        empty(content)
        self._lines = [StepLine(step) for step in rows]
        for one in self._lines:
            content.addWidget(one)
        content.addStretch(1)
        self._shown = ()

    def _show_head(self, steps: Steps) -> None:
        sentence = steps.sentence()
        good, failed = steps.is_good, steps.failed is not None
        icon, role = (
            ("running", "accent")
            if steps.is_running
            else ("error", "bad")
            if failed
            else ("done", "good")
            if good
            else ("info", "icon")
        )
        self._sign.set(icon, role)
        self._sign.setVisible(bool(sentence))
        self._sentence.setText(sentence)
        self._total.setText(lasted(steps.seconds) if not steps.is_running and steps.seconds else "")
        self._scroll.setAccessibleDescription(line(sentence))

    def _reveal(self, shown: StepLine) -> None:
        """After its layout is made, so that all of it is seen."""
        QTimer.singleShot(0, shown, lambda: self._scroll.ensureWidgetVisible(shown, 0, theme.GRID))

    def _tick(self) -> None:
        for place, step in enumerate(self._shown):
            if step.state is State.RUNNING:
                self._lines[place].show_time(time.monotonic() - self._since)
