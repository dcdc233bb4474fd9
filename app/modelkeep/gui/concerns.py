"""What in the open project waits for the user's word: an interrupted publish, passwords in files, programs.

Read on a worker's thread; shown as banners. Knows no widget.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.workflows import interrupted, publish, setup


@dataclass(frozen=True)
class Concerns:
    """All of it at one moment. `programs` are what an untrusted repository would start; `half` are sentences
    about a restore or checkout that was interrupted and that the next checkout finishes."""

    unfinished: publish.Unfinished | None = None
    secrets: tuple[setup.FoundSecret, ...] = ()
    programs: tuple[str, ...] = ()
    half: tuple[str, ...] = ()


def look(project: Project, progress: Progress) -> Concerns:
    """Read the concerns of `project`; connects to nothing and starts nothing."""
    progress.check()
    programs: tuple[str, ...] = ()
    if project.history is not None and not project.is_trusted:
        programs = project.history.executables()
    half = tuple(problem.reason for problem in interrupted.notices(project))
    return Concerns(publish.unfinished(project), setup.secrets_in_config(project), programs, half)
