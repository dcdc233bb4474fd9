"""The open project, what is selected in it, and the signals by which panels meet. Knows no panel and no dialog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from modelkeep.core.credentials import NO_QUESTIONS, Questions, Vault, open_vault
from modelkeep.core.errors import AddressChanged, UnknownHost
from modelkeep.core.nouns import dataclass, replace
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.settings import Remembered, Settings
from modelkeep.core.values import WORKSPACE, Change, Changes, Output, Presence, Version
from modelkeep.core.workflows import review
from modelkeep.core.workflows.secrets import Finding
from modelkeep.gui import concerns, jobs
from modelkeep.gui.concerns import Concerns
from modelkeep.gui.facts import Facts
from modelkeep.gui.jobs import Job, Jobs
from modelkeep.gui.watcher import Watcher
from modelkeep.gui.wording import line, translate


@dataclass(frozen=True)
class Pick:
    """A row chosen in Contents: an output, or a file or folder `entry` inside a folder output."""

    output: Output
    entry: str | None = None
    is_folder: bool = False
    size: int | None = None
    hash: str = ""

    @property
    def path(self) -> str:
        """Its path in the project."""
        return f"{self.output.path}/{self.entry}" if self.entry else self.output.path


def pick_of(output: Output) -> Pick:
    """The whole output."""
    return Pick(output, None, output.is_dir, output.size, output.oid.name if output.oid else "")


class Session(QObject):
    """What the window is about. All of it belongs to the GUI thread.

    `write` is the way to change a project: one job at a time, and what it changed goes to everybody.
    """

    opening = Signal(str)  # the folder being opened
    opened = Signal()
    closed = Signal()
    selected = Signal()  # another version
    picked = Signal()  # other outputs or files
    placed = Signal()  # it is known where the data of the chosen version's outputs is
    changed = Signal(Change)
    concerned = Signal()  # something waits for the user's word, or does no longer
    problem = Signal(object)  # an exception the user should see now
    told = Signal(str)  # a sentence for the status bar
    wish = Signal(str, object)  # something the window does: ("compare", (before, after)), ("palette", None)

    def __init__(
        self,
        settings: Settings,
        remembered: Remembered,
        *,
        questions: Questions = NO_QUESTIONS,
        vault: Vault | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.settings, self.remembered = settings, remembered
        self.questions, self.vault = questions, vault
        self._make_vault: Callable[[], Vault] = open_vault
        self.jobs = Jobs(self)
        self.jobs.ended.connect(self._job_ended)
        self.project: Project | None = None
        self.facts: Facts | None = None
        self.watcher: Watcher | None = None
        self.concerns = Concerns()
        self.version: Version = WORKSPACE
        self.other: Version | None = None
        self.picks: tuple[Pick, ...] = ()
        #: Where the data of each output of the chosen version is, by path, as far as it is known.
        self.places: dict[str, Presence] = {}

    def ask_with(self, questions: Questions, make_vault: Callable[[], Vault]) -> None:
        """Who asks the user, and where answers are kept, in projects opened from now on."""
        self.questions, self._make_vault = questions, make_vault

    # -- opening ---------------------------------------------------------------------------------------

    def open(self, folder: Path | str) -> Job:
        """Open the project in `folder` beside the window; `opened` or `problem` follows."""
        self.opening.emit(str(folder))

        def work(progress: Progress) -> tuple[Project, Concerns]:
            self.vault = self.vault or self._make_vault()
            project = Project.open(folder, vault=self.vault, questions=self.questions, settings=self.settings)
            return project, concerns.look(project, progress)

        title = translate("Session", "Open {name}").format(name=Path(folder).name)
        return self.jobs.start(
            title, work, on_done=self._opened, on_failed=self._not_opened, owner=self, slot="open", quiet=True
        )

    def close(self) -> None:
        """Let go of the project; running jobs end on their own."""
        if self.project is None:
            return
        if self.watcher is not None:
            self.watcher.stop()
            self.watcher.deleteLater()
        if self.facts is not None:
            self.facts.deleteLater()
        project, self.project = self.project, None
        self.watcher = self.facts = None
        self.concerns = Concerns()
        self.version, self.other, self.picks, self.places = WORKSPACE, None, (), {}
        self.closed.emit()
        title = translate("Session", "Close {name}").format(name=project.name)
        self.jobs.start(title, lambda progress: project.close(), quiet=True)

    def _opened(self, answer: tuple[Project, Concerns]) -> None:
        self.close()
        self.project, self.concerns = answer
        self.remembered.add_recent(self.project.root)
        self.facts = Facts(self.project, self.jobs, self)
        self.watcher = Watcher(self.project.stamp, self)
        self.watcher.changed.connect(self._changed_outside)
        # What has just been read is known, whoever changed it: only what differs from it is a change outside.
        self.facts.versions_changed.connect(self.watcher.forgive)
        self.watcher.start()
        self.opened.emit()
        self.facts.refresh()
        self._look_back(self.project)

    def _not_opened(self, error: Exception) -> None:
        self.problem.emit(error)
        if self.project is None:
            self.closed.emit()

    # -- selecting -------------------------------------------------------------------------------------

    def select(self, version: Version, other: Version | None = None) -> None:
        """Look at `version`; `other` is a second one chosen for comparing."""
        if (version, other) != (self.version, self.other):
            if version != self.version:
                self.places = {}
            self.version, self.other = version, other
            self.picks = ()
            self.selected.emit()
            self.picked.emit()

    def pick(self, picks: tuple[Pick, ...]) -> None:
        """Look at these rows of Contents."""
        if picks != self.picks:
            self.picks = picks
            self.picked.emit()

    def place(self, places: dict[str, Presence]) -> None:
        """Know where the data of the chosen version's outputs is."""
        self.places = places
        self.placed.emit()

    # -- changing --------------------------------------------------------------------------------------

    def write(
        self,
        title: str,
        work: Callable[[Progress], Any],
        *,
        lane: str = jobs.REPOSITORY,
        same_as: tuple[str, ...] = (),
        then: Callable[[Any], object] | None = None,
        answers: Callable[[Exception], bool] | None = None,
    ) -> Job:
        """Run `work`, which changes the project and returns Changes, after the writes before it.

        `answers` says whether it has dealt with an error itself; any other is shown as a `problem`.
        """
        project = self.project

        def done(result: Any) -> None:
            if isinstance(result, Changes) and project is self.project:
                self.notify(result)
            if then is not None:
                then(result)

        def failed(error: Exception) -> None:
            if answers is None or not answers(error):
                self._write_failed(error)

        return self.jobs.start(title, work, lane, on_done=done, on_failed=failed, owner=self, same_as=same_as)

    def notify(self, changes: Changes) -> None:
        """Tell everybody what an operation changed."""
        if changes.summary:
            self.told.emit(changes.summary)
        if self.facts is not None and changes.what & (Change.REMOTE | Change.CONFIG):
            self.facts.forgive_remote()  # it was just reached, or is set up another way
        self._tell(changes.what)

    def refresh(self) -> None:
        """Read everything again, and ask the remotes again what they have."""
        self._reread(Change.EVERYTHING, translate("Session", "Read everything again"), ask_remote=True)

    def _write_failed(self, error: Exception) -> None:
        """Show it, unless it only says what the user has just answered."""
        if isinstance(error, AddressChanged):
            text = translate("Session", "Not done: the new address of {name} was not accepted.")
            self.told.emit(text.format(name=line(error.remote)))
        elif isinstance(error, UnknownHost):
            self.told.emit(
                translate("Session", "Not done: {host} is not trusted.").format(host=line(error.host))
            )
        else:
            self.problem.emit(error)

    def _job_ended(self, job: Job) -> None:
        """A write that failed or was cancelled half-way may have changed something too."""
        if job.lane == jobs.REPOSITORY and job.began and job.state is not jobs.State.DONE:
            self._tell(Change.EVERYTHING)

    def _tell(self, what: Change) -> None:
        if self.project is None or self.facts is None or not what:
            return
        if what & (Change.REFS | Change.METAFILES | Change.CONFIG):
            self._look_for_concerns(self.project)
        self.facts.refresh(what)
        self.changed.emit(what)

    def _look_for_concerns(self, project: Project) -> None:
        def done(found: Concerns) -> None:
            if project is self.project:
                self._know(replace(found, past=self.concerns.past))
                self._look_back(project)

        self.jobs.start(
            translate("Session", "Look for unfinished work"),
            lambda progress: concerns.look(project, progress),
            on_done=done,
            owner=self,
            slot="concerns",
            quiet=True,
        )

    def _look_back(self, project: Project) -> None:
        """Look for secrets in the history too, beside everything else."""

        def done(past: tuple[Finding, ...]) -> None:
            if project is self.project:
                self._know(replace(self.concerns, past=past))

        self.jobs.start(
            translate("Session", "Look for passwords in the history"),
            lambda progress: concerns.look_back(project, progress),
            on_done=done,
            owner=self,
            slot="past",
            quiet=True,
        )

    def _know(self, found: Concerns) -> None:
        if found != self.concerns:
            self.concerns = found
            self.concerned.emit()

    def _changed_outside(self) -> None:
        if any(job.lane == jobs.REPOSITORY for job in self.jobs.active()):
            return  # our own doing; its end tells everybody
        self._reread(Change.EVERYTHING & ~Change.REMOTE, translate("Session", "Notice changes from outside"))

    def _reread(self, what: Change, title: str, *, ask_remote: bool = False) -> None:
        """Read the config again, then tell everybody that `what` may be different."""
        project = self.project
        if project is None:
            return

        def done(_: object) -> None:
            if project is not self.project:
                return
            if ask_remote and self.facts is not None:
                self.facts.ask_remote()
            self._tell(what)

        def work(progress: Progress) -> None:
            project.reload()
            review.snapshot(project, WORKSPACE, progress)  # the stamp covers the outputs that were last read

        slot = "refresh" if ask_remote else "reload"
        self.jobs.start(
            title, work, on_done=done, on_failed=self.problem.emit, owner=self, slot=slot, quiet=True
        )
