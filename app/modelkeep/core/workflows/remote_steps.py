"""The steps of the live test of a remote, as values: what there is to show. Knows nothing of how they are done."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from modelkeep.core.nouns import dataclass

if TYPE_CHECKING:
    from modelkeep.core.workflows.hosts import KnownAs


class State(enum.StrEnum):
    """How far a step is and how it went."""

    WAITING = "waiting"
    RUNNING = "running"
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the test. `text` says what was found, `advice` what to try, `detail` the bare facts.

    `reason` is one word for what went wrong or is special, the same in every language; `seconds` do not count
    the time a person took to answer. `forgettable` is the host, perhaps one on the way, whose key has changed.
    """

    key: str
    title: str
    state: State
    text: str = ""
    advice: str = ""
    detail: str = ""
    seconds: float = 0.0
    reason: str = ""
    forgettable: KnownAs | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a step came to, before it is known how long it took."""

    state: State
    text: str = ""
    advice: str = ""
    detail: str = ""
    reason: str = ""
    forgettable: KnownAs | None = None


#: (key, title) in the order of the test.
STEPS: tuple[tuple[str, str], ...] = (
    ("name", "The server's name"),
    ("port", "An answer"),
    ("host_key", "The server's identity"),
    ("login", "Login"),
    ("folder", "The folder"),
    ("write", "Writing"),
    ("rename", "Renaming"),
    ("space", "Free space"),
    ("clock", "The server's clock"),
    ("speed", "Speed"),
    ("commands", "Commands on the server"),
    ("content", "Data of this project"),
)
_OF_A_FOLDER = ("folder", "write", "rename", "space", "content")


def steps_for(kind: str) -> tuple[tuple[str, str], ...]:
    """(key, title) of the steps that a remote of this kind goes through."""
    return tuple(step for step in STEPS if kind != "local" or step[0] in _OF_A_FOLDER)


def ignore(_step: Step) -> None:
    """Show nothing."""
