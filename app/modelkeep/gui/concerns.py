"""What in the open project waits for the user's word: an interrupted publish, passwords in files, programs.

Read on a worker's thread; shown as banners. Knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from modelkeep.core.errors import InvalidFile, Refused
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.workflows import interrupted, publish, secrets
from modelkeep.core.workflows.secrets import Finding, Findings

Found = TypeVar("Found")


@dataclass(frozen=True)
class Concerns:
    """All of it at one moment. `programs` are what an untrusted repository would start; `half` are sentences
    about a restore or checkout that was interrupted and that the next checkout finishes. `past` are secrets that
    the history has; they are looked for apart, because that may take a while. `no_storage` means no remote."""

    unfinished: publish.Unfinished | None = None
    secrets: Findings = Findings()
    past: tuple[Finding, ...] = ()
    no_storage: bool = False
    programs: tuple[str, ...] = ()
    half: tuple[str, ...] = ()


def look(project: Project, progress: Progress) -> Concerns:
    """Read the concerns of `project`; connects to nothing and starts nothing."""
    progress.check()
    programs: tuple[str, ...] = ()
    if project.history is not None and not project.is_trusted:
        programs = project.history.executables()
    return Concerns(
        _read(project, publish.unfinished),
        secrets.scan(project, history=False, progress=progress),
        programs=programs,
        half=tuple(problem.reason for problem in _read(project, interrupted.notices) or ()),
        no_storage=not project.remotes(),
    )


def look_back(project: Project, progress: Progress) -> tuple[Finding, ...]:
    """The secrets that the Git history of `project` gives to everyone who has it."""
    return secrets.scan(project, history=True, progress=progress).in_history


def _read(project: Project, record: Callable[[Project], Found]) -> Found | None:
    """What a record of interrupted work says. One that is refused (it came with the repository, or is damaged)
    must not keep the project from being opened; whoever publishes or checks out is told of it then."""
    try:
        return record(project)
    except (InvalidFile, Refused):
        return None
