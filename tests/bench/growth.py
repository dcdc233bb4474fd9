"""How our time grows with the work: the same jobs at 1×, 2×, 4× and 8×, ours alone. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench import data, jobs_history, jobs_local, jobs_ssh
from bench.jobs import Build
from bench.measure import Side
from bench.stage import Stage

TIMES = (1, 2, 4, 8)
_FIRST = 0.25  # 1× is a quarter of B or T, so that 8× is twice of it

#: Sets one step up and says how much work it is: files or tags.
Step = Callable[[Stage, int], tuple[int, Side]]


def _of(build: Build, amount: Callable[[float], int]) -> Step:
    def step(stage: Stage, times: int) -> tuple[int, Side]:
        scale = stage.scale * _FIRST * times
        return amount(scale), build(replace(stage, scale=scale))["ours"]

    return step


def _files(scale: float) -> int:
    return data.KINDS["B"].scaled(scale).files


NAMES: dict[str, Step] = {
    "growth-add": _of(jobs_local.add("B"), _files),
    "growth-status": _of(jobs_local.status("B"), _files),
    "growth-push": _of(jobs_ssh.push("B"), _files),
    "growth-tags": _of(jobs_history.tags(jobs_history.TAGS), jobs_history.count),
}
