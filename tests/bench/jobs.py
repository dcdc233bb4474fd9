"""What a job is: a name, the data, what is wanted of it, and how its sides are set up. Runs and judges nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.measure import Contest
from bench.stage import Stage

#: Sets the sides of a job up in a stage.
Build = Callable[[Stage], Contest]


@dataclass(frozen=True)
class Job:
    """One row of the table. What is None is not asked for."""

    name: str
    about: str
    data: str
    build: Build
    faster: float | None = None  # dvc ÷ ours, at least
    within: float | None = None  # ours ÷ floor, at most
    memory: float | None = 1.0  # peak memory, ours ÷ dvc, at most
    later: float | None = None  # ours − floor in seconds, at most
    floor: str = ""  # what the floor is
    needs: str = ""  # "ssh", or "sftp" for the account without a shell
    is_large: bool = False  # run only when named, or with --full
