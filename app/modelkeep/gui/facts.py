"""What has been read from the open project: versions, what each holds, where the data is. Reads only in jobs.

Panels show what is here already and listen to the signals for the rest. Nothing here changes a project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

from modelkeep.core.errors import LoginNeeded, ModelkeepError
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.project import Project
from modelkeep.core.values import (
    WORKSPACE,
    Change,
    Presence,
    Remote,
    Snapshot,
    State,
    Status,
    Version,
    VersionList,
)
from modelkeep.core.workflows import review
from modelkeep.gui.jobs import FACTS, Jobs
from modelkeep.gui.wording import translate

Answer = TypeVar("Answer")
_Places = tuple[dict[str, Presence], int]
_FIRST = 40  # versions whose content is read before the rest, because they are on the screen


class Facts(QObject):
    """Facts about one project, kept fresh by `refresh`. All signals come on the GUI thread."""

    versions_changed = Signal()
    snapshots_changed = Signal()
    presence_changed = Signal()
    status_changed = Signal()
    sizes_changed = Signal()
    failed = Signal(object)  # what could not be read: an exception

    def __init__(self, project: Project, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project, self._jobs = project, jobs
        self.versions: VersionList | None = None
        self.status: Status | None = None
        self.remotes: tuple[Remote, ...] = project.remotes()
        self.problem: Exception | None = None
        self.remote_problem: Exception | None = None
        #: How many outputs of the workspace have data that no remote has.
        self.only_here = 0
        #: How large those outputs are on the disk that differ from what is recorded, by path.
        self.sizes: dict[str, int] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._presence: dict[str, Presence] = {}

    @property
    def has_remote(self) -> bool:
        """Whether data can be anywhere but on this machine."""
        return bool(self.remotes)

    @property
    def presences(self) -> Mapping[str, Presence]:
        """Where the data of each version is, by `Version.key`, as far as is known."""
        return MappingProxyType(self._presence)

    def snapshot(self, version: Version) -> Snapshot | None:
        """What `version` holds, None while it is being read."""
        return self._snapshots.get(version.key)

    def presence(self, version: Version) -> Presence | None:
        """Where the data of `version` is, None while it is being looked up."""
        return self._presence.get(version.key)

    def total(self) -> Presence | None:
        """The workspace's outputs together: what the status bar tells."""
        return self._presence.get(WORKSPACE.key)

    def unrecorded(self) -> frozenset[str]:
        """Outputs of the workspace whose present content is recorded nowhere, so that no badge counts it."""
        states = self.status.outputs if self.status else ()
        return frozenset(one.output.path for one in states if one.state in (State.MODIFIED, State.NEW))

    def find(self, key: str) -> Version | None:
        """The listed version with this key."""
        if key == WORKSPACE.key:
            return WORKSPACE
        every = self.versions.all() if self.versions else ()
        return next((version for version in every if version.key == key), None)

    def previous(self, version: Version) -> Version | None:
        """What `version` is compared with to say what it changed: the next older one of its group."""
        listed = self.versions or VersionList()
        if version == WORKSPACE:
            return next((branch for branch in listed.branches if branch.is_head), None)
        for group in (listed.tags, listed.commits):
            if version in group:
                return _older(version, group)
        tip = next((commit for commit in listed.commits if commit.commit == version.commit), None)
        return _older(tip, listed.commits) if tip else None

    def refresh(self, what: Change = Change.EVERYTHING) -> None:
        """Read again what `what` may have changed."""
        if what & Change.CONFIG:
            self.remotes = self.project.remotes()
        if what & (Change.WORKSPACE | Change.METAFILES | Change.REFS):
            self._read("status", self._read_status, self._have_status)
        if what & (Change.REFS | Change.METAFILES | Change.CONFIG):
            self._read("versions", self._read_versions, self._have_versions)
        elif what & (Change.CACHE | Change.REMOTE):
            self._look_up()

    def forgive_remote(self) -> None:
        """Ask the remote again when there is something to ask: what kept it away may be over."""
        self.remote_problem = None

    def ask_remote(self) -> None:
        """Ask the remotes again what they have."""
        self.forgive_remote()

        def work(progress: Progress) -> None:
            self._asking(progress, lambda: review.refresh_remote(self.project, progress))

        self._jobs.start(
            translate("Facts", "Ask the remote what it has"),
            work,
            on_done=lambda _: self._look_up(),
            on_failed=self._remote_away,
            owner=self,
            slot="remote",
            quiet=True,
        )

    def _read(self, slot: str, work: Any, done: Any) -> None:
        title = translate("Facts", "Read the project")
        self._jobs.start(
            title, work, FACTS, on_done=done, on_failed=self._fail, owner=self, slot=slot, quiet=True
        )

    def _read_status(self, progress: Progress) -> Status:
        return review.status(self.project, progress)

    def _have_status(self, status: Status) -> None:
        self.status = status
        self.status_changed.emit()
        changed = [one.output.path for one in status.outputs if one.state in (State.MODIFIED, State.NEW)]
        if changed:
            self._read("sizes", partial(self._measure, changed), self._have_sizes)
        else:
            self._have_sizes({})

    def _measure(self, paths: list[str], progress: Progress) -> dict[str, int]:
        """How large outputs are on the disk that differ from what is recorded."""
        sizes = {}
        for path in paths:
            progress.check()
            with suppress(ModelkeepError, OSError):  # what cannot be read has no size that is known
                sizes[path] = self.project.workspace.measure(path)[1]
        return sizes

    def _have_sizes(self, sizes: dict[str, int]) -> None:
        if sizes != self.sizes:
            self.sizes = sizes
            self.sizes_changed.emit()

    def _read_versions(self, progress: Progress) -> tuple[VersionList, Snapshot]:
        workspace = review.snapshot(self.project, WORKSPACE, progress)
        if self.project.history is None:
            return VersionList(), workspace
        return review.versions(self.project, progress), workspace

    def _have_versions(self, answer: tuple[VersionList, Snapshot]) -> None:
        self.versions, workspace = answer
        self.problem = None
        keys = {version.key: version.commit for version in self.versions.all()}
        self._snapshots = {
            key: found for key, found in self._snapshots.items() if keys.get(key) == found.version.commit
        }
        self._presence = {key: one for key, one in self._presence.items() if key in self._snapshots}
        self._snapshots[WORKSPACE.key] = workspace
        self.versions_changed.emit()
        self.snapshots_changed.emit()
        every = self.versions.all()
        self._read_snapshots((*every[:_FIRST], *self.versions.branches), every)

    def _read_snapshots(self, now: tuple[Version, ...], later: tuple[Version, ...]) -> None:
        wanted = [version for version in dict.fromkeys(now) if version.key not in self._snapshots]

        def done(found: dict[str, Snapshot]) -> None:
            self._snapshots.update(found)
            self.snapshots_changed.emit()
            if later:
                self._read_snapshots(later, ())
            else:
                self._look_up()

        if not wanted:
            done({})
            return
        self._read("snapshots", partial(review.snapshots, self.project, wanted), done)

    def _look_up(self) -> None:
        """Say what the cache and earlier listings know at once, then ask the remote if it never was."""
        found = dict(self._snapshots)
        near = partial(self._where, found, False)

        def done(answer: _Places) -> None:
            self._have_presence(answer)
            if self.remotes and self.remote_problem is None:
                self._look_far(found)

        self._read("presence", near, done)

    def _look_far(self, found: dict[str, Snapshot]) -> None:
        self._jobs.start(
            translate("Facts", "Ask the remote what it has"),
            partial(self._where, found, True),
            on_done=self._have_presence,
            on_failed=self._remote_away,
            owner=self,
            slot="far presence",
            quiet=True,
        )

    def _where(self, found: dict[str, Snapshot], ask_remote: bool, progress: Progress) -> _Places:
        """On a worker's thread."""
        by_version = self._asking(
            progress,
            lambda: review.version_presence(self.project, found, progress, ask_remote=ask_remote),
        )
        workspace = found[WORKSPACE.key].outputs if WORKSPACE.key in found else ()
        single = review.presence(self.project, workspace, progress, ask_remote=False)
        return by_version, sum(1 for one in single.values() if one.asked and one.only_here)

    def _asking(self, progress: Progress, ask: Callable[[], Answer]) -> Answer:
        """What `ask` gives. A login that the user cancelled is a problem of the remote, so that it is not asked
        for again at every change."""
        try:
            return ask()
        except Cancelled as error:
            progress.check()  # the job itself was cancelled
            address = self.project.address(None) or ""
            raise LoginNeeded(address, hint=translate("Facts", "Log in to remote… asks again.")) from error

    def _have_presence(self, answer: _Places) -> None:
        self._presence, self.only_here = answer
        self.presence_changed.emit()

    def _remote_away(self, error: Exception) -> None:
        self.remote_problem = error
        self.presence_changed.emit()

    def _fail(self, error: Exception) -> None:
        self.problem = error
        self.failed.emit(error)


def _older(version: Version, group: tuple[Version, ...]) -> Version | None:
    family = [one for one in group if _artifact(one) == _artifact(version)]
    place = family.index(version) + 1
    return family[place] if place < len(family) else None


def _artifact(version: Version) -> str:
    return version.gto.artifact if version.gto else ""
