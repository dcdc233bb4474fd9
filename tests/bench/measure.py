"""Times whole processes, the sides by turns. Knows no job and judges nothing."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")


def nothing() -> None:
    """The check of a call whose exit code says enough."""


@dataclass(frozen=True)
class Call:
    """A program to be timed. `check` runs afterwards, untimed, and raises if the work was not really done."""

    command: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]
    check: Callable[[], None] = nothing


#: Makes everything ready, untimed, and says what to run. Called before every single measurement.
Side = Callable[[], Call]

#: Who takes part in a job: `ours`, `dvc`, `floor`; a side may be missing.
Contest = Mapping[str, Side]


class Failed(Exception):
    """A program that was to be timed did not do its work."""


@dataclass(frozen=True)
class Run:
    """One measurement: seconds and bytes. CPU and memory are of the program and the children it waited for."""

    wall: float
    cpu: float
    memory: int


@dataclass
class Runs:
    """All measurements of one side of one job."""

    runs: list[Run] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The shortest wall time: what the work takes when nothing else disturbs it."""
        return min(run.wall for run in self.runs)

    @property
    def median(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def total(self) -> float:
        """How long all of them took."""
        return sum(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return min(run.cpu for run in self.runs)

    @property
    def memory(self) -> int:
        return max(run.memory for run in self.runs)


def alternate(
    contest: Contest, repeat: int, note: Callable[[str], None], patience: float = math.inf
) -> dict[str, Runs]:
    """Measure every side `repeat` times, by turns, so that what the machine does meanwhile hits all of them.

    A side that has run for `patience` seconds in all is not run again.
    """
    found = {name: Runs() for name in contest}
    for _ in range(repeat):
        for name, side in contest.items():
            if found[name].total < patience:
                run = measure(side())
                found[name].runs.append(run)
                note(f"{name} {run.wall:.2f} s")
    return found


def measure(call: Call) -> Run:
    """Run the program once. Raises Failed if it did not end well or its work is not done, with what it said."""
    settle()
    output = Path(call.env.get("HOME", "/tmp")) / "said"
    told, trouble = _launch([sys.executable, "-I", "-S", LAUNCHER, output, *map(str, call.command)], call)
    if trouble:
        raise Failed(trouble)
    cost = json.loads(told)
    if cost["code"] != 0:
        said = output.read_text(errors="replace")[-3000:]
        raise Failed(f"{' '.join(map(str, call.command))} ended with {cost['code']}\n{said}")
    call.check()
    return Run(cost["wall"], cost["cpu"], cost["memory"])


def _launch(command: Sequence[str | Path], call: Call) -> tuple[str, str]:
    """What the launcher printed and complained of. If this is broken off, all it started ends too."""
    with subprocess.Popen(
        command,
        cwd=call.cwd,
        env=dict(call.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as launched:
        try:
            return launched.communicate()
        except BaseException:
            os.killpg(launched.pid, signal.SIGKILL)
            raise


def settle() -> None:
    """Let what was written before reach the disk, so that nobody pays for the work of another."""
    os.sync()


def age(since: float, seconds: float = 2.2) -> None:
    """Wait until files made at `since` (monotonic) are old enough that a program may remember their hashes."""
    time.sleep(max(0.0, since + seconds - time.monotonic()))
