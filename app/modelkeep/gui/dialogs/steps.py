"""What a live test has shown so far: its steps, how they stand, and a sentence. Knows no widget and no thread."""

from __future__ import annotations

from collections.abc import Sequence

from modelkeep.core.nouns import replace
from modelkeep.core.workflows.remote_test import State, Step
from modelkeep.gui.signs import Sign
from modelkeep.gui.wording import translate

_OVER = (State.OK, State.WARNING, State.FAILED, State.SKIPPED)


class Steps:
    """The steps of one test, in order. `take` what the test shows; it may show a step twice (running, ended)."""

    def __init__(self, names: Sequence[tuple[str, str]] = ()) -> None:
        """`names` are keys and titles of the steps to come."""
        self._rows = [Step(key, title, State.WAITING) for key, title in names]
        self.is_running = False

    @property
    def rows(self) -> tuple[Step, ...]:
        """All steps as they stand."""
        return tuple(self._rows)

    def begin(self) -> None:
        """The test starts, perhaps again: nothing is known yet."""
        self._rows = [Step(one.key, one.title, State.WAITING) for one in self._rows]
        self.is_running = True

    def take(self, step: Step) -> int:
        """Know how a step stands now; returns its place. A step nobody announced comes last."""
        for place, known in enumerate(self._rows):
            if known.key == step.key:
                self._rows[place] = step
                return place
        self._rows.append(step)
        return len(self._rows) - 1

    def end(self, steps: Sequence[Step]) -> None:
        """The test is over, with these steps."""
        for step in steps:
            self.take(step)
        self.is_running = False

    def cancel(self) -> None:
        """The test was given up: what was not finished is left out."""
        self._rows = [one if one.state in _OVER else replace(one, state=State.SKIPPED) for one in self._rows]
        self.is_running = False

    # -- what it comes to ------------------------------------------------------------------------------

    @property
    def failed(self) -> Step | None:
        """The step that failed, if one did."""
        return next((one for one in self._rows if one.state is State.FAILED), None)

    @property
    def is_good(self) -> bool:
        """Whether the test ran to its end and nothing failed."""
        over = bool(self._rows) and all(one.state in _OVER for one in self._rows)
        ran = any(one.state in (State.OK, State.WARNING) for one in self._rows)
        return over and ran and not self.is_running and self.failed is None and not self.was_cancelled

    @property
    def was_cancelled(self) -> bool:
        """Whether it ended early though nothing failed."""
        skipped = [one for one in self._rows if one.state is State.SKIPPED]
        return not self.is_running and bool(skipped) and self.failed is None and not _reasoned(skipped)

    @property
    def seconds(self) -> float:
        """How long the finished steps took together."""
        return sum(one.seconds for one in self._rows if one.state in _OVER)

    def sentence(self) -> str:
        """What it comes to, in one sentence."""
        if self.is_running:
            current = next((one for one in self._rows if one.state is State.RUNNING), None)
            if current is None:
                return translate("Steps", "Testing…")
            return translate("Steps", "Testing: {what}").format(what=current.title)
        if self.failed is not None:
            return translate("Steps", "The test stopped at “{step}”.").format(step=self.failed.title)
        if not self.is_good:
            return translate("Steps", "The test was cancelled.") if self.was_cancelled else ""
        remarks = sum(one.state is State.WARNING for one in self._rows)
        if remarks:
            return translate("Steps", "All steps passed, with something to know.")
        return translate("Steps", "All steps passed.")


def _reasoned(skipped: Sequence[Step]) -> bool:
    """Whether each step that was left out says why: then it was not needed."""
    return all(one.text for one in skipped)


def sign_of(step: Step) -> Sign:
    """How a step's state is shown: icon, word and colour."""
    return {
        State.WAITING: Sign("later", translate("Steps", "to come"), "faint"),
        State.RUNNING: Sign("running", translate("Steps", "running"), "accent"),
        State.OK: Sign("done", translate("Steps", "fine"), "good"),
        State.WARNING: Sign("warning", translate("Steps", "fine, but"), "warn"),
        State.FAILED: Sign("error", translate("Steps", "failed"), "bad"),
        State.SKIPPED: Sign("none", translate("Steps", "left out"), "faint"),
    }[step.state]


def took(step: Step) -> str:
    """The time of a finished step."""
    if step.state not in (State.OK, State.WARNING, State.FAILED):
        return ""
    return lasted(step.seconds)


def lasted(seconds: float) -> str:
    """A short time: `12 ms`, `1.2 s`."""
    if seconds < 0.0995:
        return translate("Steps", "{n} ms").format(n=max(1, round(seconds * 1000)))
    return translate("Steps", "{n} s").format(n=f"{seconds:.1f}")
