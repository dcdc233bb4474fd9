"""The bottom pane: running, queued and finished jobs, with Cancel, Retry and a log. Knows jobs, nothing else."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from modelkeep.gui import theme, wording
from modelkeep.gui.jobs import Job, State
from modelkeep.gui.session import Session
from modelkeep.gui.signs import Sign
from modelkeep.gui.widgets import (
    ElidedLabel,
    EmptyState,
    Hairline,
    IconLabel,
    PlainLabel,
    button,
    column,
    row,
    tab_through,
    tool,
)
from modelkeep.gui.wording import translate


def state_sign(job: Job) -> Sign:
    """The state of a job as sign, word and colour."""
    if job.state is State.RUNNING and job.progress.is_cancelled:
        return Sign("busy", translate("Activity", "cancelling"), "muted")
    return {
        State.QUEUED: Sign("queued", translate("Activity", "waiting"), "muted"),
        State.RUNNING: Sign("running", translate("Activity", "running"), "link"),
        State.DONE: Sign("done", translate("Activity", "done"), "good"),
        State.FAILED: Sign("error", translate("Activity", "failed"), "bad"),
        State.CANCELLED: Sign("cancel", translate("Activity", "cancelled"), "muted"),
    }[job.state]


def numbers(job: Job) -> str:
    """Bytes, files, speed and time left of a running job, in one line."""
    reading = job.reading
    parts = []
    if reading.total_bytes:
        text = translate("Activity", "{done} of {total}")
        parts.append(
            text.format(done=wording.size(reading.done_bytes), total=wording.size(reading.total_bytes))
        )
    elif reading.done_bytes:
        parts.append(wording.size(reading.done_bytes))
    if reading.total_files > 1:
        text = translate("Activity", "{done} of {total} files")
        done, total = wording.number(reading.done_files), wording.number(reading.total_files)
        parts.append(text.format(done=done, total=total))
    if job.meter.speed:
        parts.append(translate("Activity", "{size}/s").format(size=wording.size(round(job.meter.speed))))
    if job.meter.left is not None:
        left = wording.duration(job.meter.left)
        parts.append(translate("Activity", "{time} left").format(time=left))
    return "  ·  ".join(parts)


def log_text(job: Job) -> str:
    """The log of a job, with what the same thing is called on the command line."""
    lines = list(job.log)
    if job.same_as:
        lines += [
            "",
            translate("Activity", "The same on the command line:"),
            *(f"  {one}" for one in job.same_as),
        ]
    return wording.lines("\n".join(lines)).strip()


def _outcome(job: Job) -> str:
    """What is to be said of a job that is over, in one line."""
    if job.error is not None:
        return str(job.error).partition("\n")[0]
    if job.state is State.CANCELLED and job.began:
        return translate("Activity", "What was finished is kept; Retry goes on from there.")
    return job.summary


class JobRow(QWidget):
    """One job."""

    def __init__(self, session: Session, job: Job) -> None:
        super().__init__()
        self.job, self._session = job, session
        self._icon = IconLabel("queued")
        self._title = ElidedLabel(job.title, bold=True)
        self._note = ElidedLabel(look="muted", size="small")
        self._numbers = PlainLabel(look="muted", size="small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 0)
        self._bar.setAccessibleName(translate("Activity", "Progress of {title}").format(title=job.title))
        self._cancel = button(translate("Activity", "Cancel"))
        self._cancel.clicked.connect(lambda: session.jobs.cancel(job))
        self._retry = button(translate("Activity", "Retry"), "retry")
        self._retry.clicked.connect(self._try_again)
        self._why = button(translate("Activity", "Details…"))
        self._why.clicked.connect(lambda: session.problem.emit(job.error))
        self._toggle = self._log_button()
        self._log = QPlainTextEdit()
        self._log.setReadOnly(True)
        self._log.setFont(theme.mono())
        self._log.setFixedHeight(theme.GRID * 14)
        self._log.setAccessibleName(translate("Activity", "Log"))
        self._log.hide()
        heading = row(self._icon, self._title, self._numbers)
        heading.setStretch(1, 1)
        beneath = column(self._bar, self._note, spacing=theme.HALF)
        beneath.setContentsMargins(self._icon.width() + theme.GRID, 0, 0, 0)
        words = column(heading, beneath, spacing=theme.HALF)
        line = row(words, self._cancel, self._why, self._retry, self._toggle)
        line.setStretch(0, 1)
        layout = column(line, self._log)
        layout.setContentsMargins(theme.GRID * 2, theme.GRID, theme.GRID * 2, theme.GRID)
        self.setLayout(layout)
        self.refresh()

    def _log_button(self) -> QToolButton:
        result = tool(translate("Activity", "Log of {title}").format(title=self.job.title), "text")
        result.setCheckable(True)
        result.toggled.connect(self._show_log)
        return result

    def refresh(self) -> None:
        """Show the job as it is now."""
        job, sign = self.job, state_sign(self.job)
        self._icon.set(sign.icon, sign.role, sign.word)
        running = job.state is State.RUNNING
        self._bar.setVisible(running)
        self._cancel.setVisible(not job.state.is_over)
        self._cancel.setEnabled(not job.progress.is_cancelled)
        self._retry.setVisible(job.may_retry)
        self._why.setVisible(job.error is not None)
        if running:
            self.tick()
        else:
            self._numbers.setText(
                sign.word if not job.took else f"{sign.word}  ·  {wording.duration(job.took)}"
            )
            self._note.setText(_outcome(job))
        self._note.setVisible(bool(running or _outcome(job)))
        if self._log.isVisible():
            self._log.setPlainText(log_text(job))

    def tick(self) -> None:
        """Show the progress as it is now."""
        reading = self.job.reading
        if reading.fraction is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(reading.fraction * 1000))
        self._numbers.setText(numbers(self.job))
        self._note.setText("  ".join(part for part in (reading.phase, reading.note) if part))

    def _show_log(self, on: bool) -> None:
        self._log.setVisible(on)
        self._log.setPlainText(log_text(self.job))

    def _try_again(self) -> None:
        self._session.jobs.retry(self.job)
        self._retry.setEnabled(False)


class ActivityPanel(QWidget):
    """All jobs that are not quiet, newest first."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._rows: dict[Job, JobRow] = {}
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self._list.addStretch(1)
        inside = QWidget()
        inside.setLayout(self._list)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it takes the focus and scrolls it
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidget(inside)
        self._scroll.setObjectName("pane")
        for part in (inside, self._scroll.viewport()):
            part.setAutoFillBackground(False)
        self._empty = EmptyState(
            "activity", translate("Activity", "Nothing is being done. Jobs appear here.")
        )
        self.close_button = tool(translate("Activity", "Hide activity"), "collapse")
        self.copy_button = tool(translate("Activity", "Copy all logs"), "copy")
        self.copy_button.clicked.connect(self._copy)
        self.clear_button = button(translate("Activity", "Clear finished"), look="link")
        self.clear_button.clicked.connect(self._clear)
        head = row(
            PlainLabel(translate("Activity", "Activity"), bold=True),
            None,
            self.clear_button,
            self.copy_button,
            self.close_button,
        )
        head.setContentsMargins(theme.GRID + theme.HALF, theme.HALF, theme.GRID, theme.HALF)
        self.setLayout(column(head, Hairline(), self._empty, self._scroll, spacing=0))
        session.jobs.added.connect(self._added)
        session.jobs.changed.connect(self._changed)
        session.jobs.ticked.connect(self._tick)
        self._show_or_say()

    def _added(self, job: Job) -> None:
        if job.quiet:
            return
        line = self._rows[job] = JobRow(self._session, job)
        self._list.insertWidget(0, line)
        tab_through(self.close_button, line)
        self._sweep()

    def _changed(self, job: Job) -> None:
        if job in self._rows:
            self._rows[job].refresh()
            self._show_or_say()

    def _tick(self) -> None:
        if self.isVisible():
            for job, line in self._rows.items():
                if job.state is State.RUNNING:
                    line.tick()

    def _sweep(self) -> None:
        """Drop the rows of jobs that are forgotten."""
        kept = set(self._session.jobs.listed())
        for job in [job for job in self._rows if job not in kept]:
            self._rows.pop(job).deleteLater()
        self._show_or_say()

    def _clear(self) -> None:
        self._session.jobs.clear()
        self._sweep()

    def _show_or_say(self) -> None:
        self._empty.setVisible(not self._rows)
        self._scroll.setVisible(bool(self._rows))
        self.copy_button.setVisible(bool(self._rows))
        self.clear_button.setVisible(any(job.state.is_over for job in self._rows))

    def _copy(self) -> None:
        jobs = self._session.jobs.listed()
        text = "\n\n".join(f"{job.title}: {state_sign(job).word}\n{log_text(job)}" for job in jobs)
        QGuiApplication.clipboard().setText(text)
