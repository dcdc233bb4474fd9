"""The steps of a remote's live test on the command line: as lines while they come, and as one JSON document."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from modelkeep.core.paths import visible
from modelkeep.core.workflows.remote_test import State, Step

_SIGNS = {State.OK: "✓", State.WARNING: "!", State.FAILED: "✗", State.SKIPPED: "-"}
_TITLE = 24  # columns


def show_step(step: Step) -> None:
    """Print a step once it is over, and on a terminal also that it is under way."""
    is_terminal = sys.stdout.isatty()
    if step.state is State.RUNNING and is_terminal:
        print(f"… {step.title}", end="", flush=True)
    if step.state not in _SIGNS:
        return
    start = "\r" if is_terminal else ""
    if step.state is State.SKIPPED and not step.text:
        return
    text = visible(step.text) + (f"  ({_took(step.seconds)})" if step.seconds else "")
    print(f"{start}{_SIGNS[step.state]} {step.title:{_TITLE}} {text}", flush=True)
    if step.state in (State.WARNING, State.FAILED):
        for line in visible_lines(step.detail):
            print(f"    {line}")
        for line in visible_lines(step.advice):
            for part in textwrap.wrap(line, 100, break_long_words=False, break_on_hyphens=False):
                print(f"    {part}")


def visible_lines(text: str) -> list[str]:
    """The lines of a text that others wrote, harmless on a terminal."""
    return [visible(line) for line in text.splitlines() if line.strip()]


def _took(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))} ms" if seconds < 0.1 else f"{seconds:.1f} s"


def is_well(steps: Iterable[Step]) -> bool:
    """Whether nothing failed."""
    return all(step.state is not State.FAILED for step in steps)


def outcome(steps: Iterable[Step]) -> str:
    """What a test comes to, in one sentence."""
    states = {step.state: step for step in steps}
    if State.FAILED in states:
        return f"The test stopped at “{states[State.FAILED].title}”."
    return "It works, with something to know." if State.WARNING in states else "Everything works."


def steps_json(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """The steps for programs; seconds to the millisecond."""
    return [
        {
            "key": step.key,
            "title": step.title,
            "state": step.state.value,
            "text": step.text,
            "advice": step.advice,
            "detail": step.detail,
            "seconds": round(step.seconds, 3),
            "reason": step.reason or None,
        }
        for step in steps
    ]
