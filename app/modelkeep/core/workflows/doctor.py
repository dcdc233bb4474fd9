"""Looks a project over and says what is right, what to mind and what is wrong, each with what to do about it.

Changes nothing. Connects to remotes only when asked to, and then not for long.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator

from modelkeep.core.errors import ModelkeepError
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.project import Project


class State(enum.StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `text` is a sentence about it, `advice` what to do, "" where nothing has to be done."""

    key: str
    title: str
    state: State
    text: str
    advice: str = ""


Checks = Iterator[Check]
Examine = Callable[[Project, bool, Progress], Checks]


def examine(project: Project, *, online: bool = False, progress: Progress = SILENT) -> tuple[Check, ...]:
    """Every check, in the order people read them. With `online` the remotes are asked, each for a few seconds.

    A check that fails by itself is a problem of its own; only Cancelled passes.
    """
    from modelkeep.core.workflows import doctor_places, doctor_secrets

    found: list[Check] = []
    for title, look in (*doctor_secrets.CHECKS, *doctor_places.CHECKS):
        progress.check()
        try:
            found += look(project, online, progress.child(title))
        except (ModelkeepError, OSError) as error:
            said = error.title if isinstance(error, ModelkeepError) else str(error)
            hint = error.hint if isinstance(error, ModelkeepError) else ""
            found.append(
                Check(look.__name__, title, State.PROBLEM, f"This could not be looked at: {said}", hint)
            )
    return tuple(found)
