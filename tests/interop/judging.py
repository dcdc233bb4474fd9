"""What the two programs say of a project, in one line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conftest import Dvc
from interop.projects import opened
from modelkeep.core.values import State, Status


def dvc_status(dvc: Dvc, project: Path) -> dict[str, Any]:
    """What `dvc status` finds changed; {} is clean."""
    return json.loads(dvc("status", "--json", cwd=project).stdout)  # type: ignore[no-any-return]


def cloud_status(dvc: Dvc, project: Path) -> dict[str, Any]:
    """What `dvc status --cloud` finds out of step; {} is in sync."""
    return json.loads(dvc("status", "--cloud", "--json", cwd=project).stdout)  # type: ignore[no-any-return]


def our_status(project: Path) -> Status:
    """The workspace as we see it."""
    with opened(project) as one:
        return one.workspace.status()


def our_states(project: Path) -> dict[str, State]:
    """The state of each output."""
    return {one.output.path: one.state for one in our_status(project).outputs}


def assert_clean(project: Path) -> None:
    """Everything is as recorded, and in the cache, as we see it."""
    status = our_status(project)
    assert not status.problems
    assert not {one.output.path: one for one in status.outputs if one.state is not State.CLEAN or one.missing}
