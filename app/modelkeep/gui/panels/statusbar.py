"""The bottom line: the remote's state, what is only on this machine, the running job. Asks nothing itself."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QProgressBar

from modelkeep.core.errors import AddressChanged, HostKeyChanged, LoginFailed, LoginNeeded, UnknownHost
from modelkeep.core.values import Presence
from modelkeep.gui import theme, wording
from modelkeep.gui.actions import ActionSet
from modelkeep.gui.jobs import State
from modelkeep.gui.session import Session
from modelkeep.gui.signs import Sign
from modelkeep.gui.widgets import Badge, ElidedLabel, action_button, row
from modelkeep.gui.wording import translate

_TOLD = 6000  # milliseconds a sentence stays


class StatusPanel(QFrame):
    """One row of 28 pixels."""

    def __init__(self, session: Session, actions: ActionSet) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setFixedHeight(theme.ROW)
        self._session = session
        self.remote = Badge()
        self.remote.setCursor(Qt.CursorShape.PointingHandCursor)
        self.remote.clicked.connect(lambda: self._manage_remotes(actions))
        self.safety = Badge()
        self.told = ElidedLabel(look="muted", size="small")
        self.job = ElidedLabel(look="muted", size="small")
        self.job.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(theme.GRID * 12)
        self.bar.setAccessibleName(translate("Status", "Progress of the running job"))
        self.activity = action_button(actions["activity"])
        self.activity.setText(translate("Status", "Activity"))
        self.activity.setFont(theme.font("small"))
        self.activity.setProperty("look", "small")
        line = row(
            self.remote, self.safety, self.told, self.job, self.bar, self.activity, spacing=theme.GRID * 2
        )
        line.setStretchFactor(self.told, 1)
        line.setStretchFactor(self.job, 1)
        line.setContentsMargins(theme.GRID + theme.HALF, 0, theme.GRID, 0)
        self.setLayout(line)
        self._clear = QTimer(self, singleShot=True, interval=_TOLD)
        self._clear.timeout.connect(lambda: self.told.setText(""))
        session.told.connect(self._tell)
        session.opened.connect(self._opened)
        session.opening.connect(self._opening)
        session.closed.connect(self._show)
        session.changed.connect(self._show)
        session.jobs.ticked.connect(self._show_job)
        session.jobs.changed.connect(self._show_job)
        self._show()
        self._show_job()

    def _manage_remotes(self, actions: ActionSet) -> None:
        facts = self._session.facts
        actions["remotes" if facts is not None and facts.remotes else "setup-storage"].trigger()

    def _opening(self, folder: str) -> None:
        self._tell(translate("Status", "Opening {folder}").format(folder=folder))

    def _tell(self, text: str) -> None:
        self.told.setText(text)
        self._clear.start()

    def _opened(self) -> None:
        facts = self._session.facts
        assert facts is not None
        facts.presence_changed.connect(self._show)
        facts.status_changed.connect(self._show)
        facts.failed.connect(lambda error: self._tell(str(error)))
        self.told.setText("")
        self._show()

    def _show(self, *_: object) -> None:
        facts = self._session.facts
        self.remote.setVisible(facts is not None)
        total = facts.total() if facts else None
        self.safety.setVisible(total is not None and total.objects > 0)
        if facts is None:
            return
        sign, tip = self._remote_sign()
        self.remote.set(sign.icon, sign.word, sign.role, tip)
        if total is not None:
            safe = safety(total, facts.only_here, len(facts.unrecorded()))
            self.safety.set(
                safe.icon, safe.word, safe.role, translate("Status", "The outputs of the workspace")
            )

    def _remote_sign(self) -> tuple[Sign, str]:
        facts = self._session.facts
        assert facts is not None
        if not facts.remotes:
            return Sign("warning", translate("Status", "no storage yet"), "warn"), translate(
                "Status", "Data stays on this machine until storage is set up. Click to set it up."
            )
        remote = facts.remotes[0]
        if facts.remote_problem is not None:
            return away(remote.name, facts.remote_problem), str(facts.remote_problem)
        return Sign("remote", wording.line(remote.name), "muted"), remote.url

    def _show_job(self, *_: object) -> None:
        running = [job for job in self._session.jobs.active() if job.state is State.RUNNING]
        self.job.setVisible(bool(running))
        self.bar.setVisible(bool(running))
        if not running:
            return
        job = running[0]
        more = len(self._session.jobs.active()) - 1
        text = (
            job.title
            if not more
            else translate("Status", "{title}, {n} more").format(title=job.title, n=more)
        )
        self.job.setText(text)
        fraction = job.reading.fraction
        self.bar.setRange(0, 0 if fraction is None else 1000)
        self.bar.setValue(round((fraction or 0) * 1000))


def away(name: str, problem: Exception) -> Sign:
    """Why the remote called `name` says nothing."""
    if isinstance(problem, UnknownHost):
        text = translate("Status", "{name} is not trusted")
    elif isinstance(problem, HostKeyChanged):
        text = translate("Status", "{name} shows another key than before")
    elif isinstance(problem, AddressChanged):
        text = translate("Status", "{name} has another address than before")
    elif isinstance(problem, LoginNeeded | LoginFailed):
        text = translate("Status", "not logged in to {name}")
    else:
        text = translate("Status", "{name} cannot be reached")
    return Sign("warning", wording.line(text.format(name=name)), "bad")


def safety(total: Presence, outputs: int, unrecorded: int = 0) -> Sign:
    """The workspace's data in one sentence; `unrecorded` outputs changed since they were added."""
    if total.asked is None:
        return Sign("unknown", translate("Status", "remote not asked yet"), "muted")
    if total.nowhere:
        text = wording.counted(
            total.nowhere,
            translate("Status", "{n} object is missing everywhere"),
            translate("Status", "{n} objects are missing everywhere"),
        )
        return Sign("missing", text, "bad")
    if total.only_here:
        text = translate("Status", "{outputs}, {size} only on this machine")
        return Sign(
            "only-here",
            text.format(outputs=wording.outputs(outputs), size=wording.size(total.only_here_bytes)),
            "warn",
        )
    if unrecorded:
        text = translate("Status", "{outputs} changed, not recorded yet")
        return Sign("only-here", text.format(outputs=wording.outputs(unrecorded)), "warn")
    return Sign("both", translate("Status", "all data is on the remote"), "good")
