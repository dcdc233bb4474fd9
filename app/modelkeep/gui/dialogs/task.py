"""What a dialog hands over when it is accepted: work to be started as a job. Knows not who starts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from modelkeep.core.progress import Progress
from modelkeep.gui import jobs


class Task(NamedTuple):
    """Work with the title and lane it is to run under."""

    title: str
    work: Callable[[Progress], Any]
    lane: str = jobs.REPOSITORY
