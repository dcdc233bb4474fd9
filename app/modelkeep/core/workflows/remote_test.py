"""The live test of a remote: step by step, each with a plain sentence, and nothing left behind.

What a failure means and what to try is said by remote_advice, how a place is tried out is the stores' business.
Knows no screens: whoever shows the steps is called as they begin and end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from modelkeep.core.errors import ModelkeepError, Unsupported
from modelkeep.core.nouns import replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.limits import DEFAULT, Limits
from modelkeep.core.stores.trial import FolderTrial, Trial
from modelkeep.core.workflows import remote_advice, remote_checks
from modelkeep.core.workflows.remote_advice import Place
from modelkeep.core.workflows.remote_checks import Subject
from modelkeep.core.workflows.remote_login import Waiting, Way
from modelkeep.core.workflows.remote_steps import STEPS, Found, State, Step, ignore, steps_for

if TYPE_CHECKING:
    from modelkeep.core.stores.trial_ssh import ServerTrial

__all__ = ["STEPS", "State", "Step", "ignore", "run_test", "steps_for"]

_SETTLE = 5.0  # seconds for taking everything away again
_SETTLE_CANCELLED = 1.0


def run_test(
    project: Project,
    name: str | None = None,
    *,
    spec: RemoteSpec | None = None,
    show: Callable[[Step], None] = ignore,
    progress: Progress = SILENT,
    limits: Limits = DEFAULT,
) -> tuple[Step, ...]:
    """Test a remote of the config, or one that `spec` describes and the config does not know yet.

    `show` is called in the calling thread as a step begins and as it ends. What the server or the network does
    is a FAILED step, and the rest is SKIPPED; raises only Cancelled and what is wrong with the config itself.
    """
    is_known = spec is None
    if spec is None:
        name = project.remote_config(name).name
        spec = project.remote_spec(name)
    if spec.kind not in ("local", "ssh"):
        raise Unsupported(
            f"Remotes of the kind {spec.kind} cannot be tested yet.",
            hint="Supported now are folders (also on a mounted drive) and ssh://user@host/path.",
        )
    subject = Subject(project, Place.of(spec, name or "", is_known=is_known), progress)
    return _Test(subject, spec, show, limits).run()


class _Test:
    """One test under way."""

    def __init__(
        self, subject: Subject, spec: RemoteSpec, show: Callable[[Step], None], limits: Limits
    ) -> None:
        self._subject = subject
        self._spec = spec
        self._show = show
        self._limits = limits
        self._login = Waiting(subject.project.credentials)
        self._steps = {key: Step(key, title, State.WAITING) for key, title in steps_for(spec.kind)}
        self._started = self._waited = 0.0

    def run(self) -> tuple[Step, ...]:
        trial = self._trial()
        patience = _SETTLE_CANCELLED
        try:
            self._try_out(trial)
            patience = _SETTLE
        finally:
            is_clean = trial.clean_up(patience)
            trial.close()
        if not is_clean:
            self._tell_of_rest()
        return tuple(self._steps.values())

    def _trial(self) -> Trial:
        progress = self._subject.progress
        if self._spec.kind == "local":
            return FolderTrial(self._spec.path, progress)
        from modelkeep.core.stores.trial_ssh import ServerTrial

        return ServerTrial(self._spec, self._login.login, progress, self._limits)

    def _try_out(self, trial: Trial) -> None:
        if not self._leads_where_it_did():
            return
        if trial.on_server and not self._connect(cast("ServerTrial", trial)):
            return
        for key, check in remote_checks.CHECKS:
            if key in self._steps and not self._check(key, check, trial):
                return

    def _leads_where_it_did(self) -> bool:
        """Whether the address is the one that was used last, or the user's word; asks before anything connects."""
        place = self._subject.place
        if place.is_known:
            with self._failing(lambda: next(iter(self._steps))):
                self._started = time.monotonic()
                self._subject.project.check_address(place.name)
        return self._is_well

    def _tell_of_rest(self) -> None:
        """Something of the test may still be there: said with the last step that ran."""
        last = [step for step in self._steps.values() if step.state is not State.SKIPPED][-1]
        note = "Files of the test may be left there, named “.….tmp”; the next clean-up takes them away."
        self._put_step(replace(last, detail=f"{last.detail}\n{note}".lstrip()))

    # -- the way there: one call goes through four steps ------------------------------------------------

    def _connect(self, trial: ServerTrial) -> bool:
        way = Way(self._subject.place, self._begin, self._end)
        with self._failing(lambda: way.now):
            way.start()
            trial.connect(way.reached)
            way.arrive()
        return self._is_well

    # -- steps -----------------------------------------------------------------------------------------

    def _check(self, key: str, check: Callable[[Trial, Subject], Found], trial: Trial) -> bool:
        with self._failing(lambda: key):
            self._begin(key)
            self._end(key, check(trial, self._subject))
        return self._is_well

    @property
    def _is_well(self) -> bool:
        return all(step.state is not State.FAILED for step in self._steps.values())

    @contextmanager
    def _failing(self, key: Callable[[], str]) -> Iterator[None]:
        """What is raised inside is the end of the step `key`, and of the test."""
        try:
            yield
        except ModelkeepError as error:
            self._subject.progress.check()  # a cancelled wait looks like a broken line
            self._end(key(), remote_advice.explain(error, self._subject.place))
        if not self._is_well:
            for step in self._steps.values():
                if step.state is State.WAITING:
                    self._put(step.key, Found(State.SKIPPED))

    def _begin(self, key: str) -> None:
        self._subject.progress.check()
        step = self._steps[key]
        self._subject.progress.note(step.title)
        self._started, self._waited = time.monotonic(), self._login.waited
        self._put(key, Found(State.RUNNING))
        self._subject.progress.check()

    def _end(self, key: str, found: Found) -> None:
        thinking = self._login.waited - self._waited
        seconds = max(0.0, time.monotonic() - self._started - thinking)
        self._put(key, found, seconds)

    def _put(self, key: str, found: Found, seconds: float = 0.0) -> None:
        title = self._steps[key].title
        self._put_step(
            Step(
                key, title, found.state, found.text, found.advice, found.detail, seconds, found.reason,
                found.forgettable,
            )
        )  # fmt: skip

    def _put_step(self, step: Step) -> None:
        self._steps[step.key] = step
        self._show(step)
