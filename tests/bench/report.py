"""Turns measurements into the table: ratios, what was wanted, met or missed. Measures nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.jobs import Job
from bench.measure import Runs

_HEAD = (
    "job",
    "data",
    "ours s",
    "dvc s",
    "floor s",
    "dvc ÷ ours (want)",
    "ours ÷ floor (want)",
    "MiB ours/dvc",
    "CPU s ours/dvc",
    "verdict",
)

NOTES = """\
Seconds are the shortest of all runs, the median in brackets; the ratios are of the shortest. Whole processes, start
included, the sides by turns on the same data; caches of the system warm, everything written before is on disk when a
run begins. Memory is the highest peak, of the largest process; CPU is the lowest, of the program and its children.
Ours syncs what it wrote and verifies what it sent or received; dvc and the floors do neither. Ratios hold for this run
on this machine; absolute times are worth nothing elsewhere."""


@dataclass(frozen=True)
class Row:
    """What was found about one job. `missed` says in words what was wanted and not reached."""

    job: Job
    runs: Mapping[str, Runs]

    def ratio(self, above: str, below: str) -> float | None:
        """The shortest run of one side through that of another, if both took part."""
        if above not in self.runs or below not in self.runs:
            return None
        return self.runs[above].best / self.runs[below].best

    @property
    def faster(self) -> float | None:
        return self.ratio("dvc", "ours")

    @property
    def within(self) -> float | None:
        return self.ratio("ours", "floor")

    @property
    def memory(self) -> float | None:
        """Our peak memory through dvc's."""
        if "dvc" not in self.runs:
            return None
        return self.runs["ours"].memory / self.runs["dvc"].memory

    @property
    def missed(self) -> list[str]:
        job, found = self.job, []
        if job.faster and self.faster and self.faster < job.faster:
            found.append("dvc")
        if job.within and self.within and self.within > job.within:
            found.append("floor")
        if job.memory and self.memory and self.memory > job.memory:
            found.append("memory")
        if job.later is not None and self.runs["ours"].best - self.runs["floor"].best > job.later:
            found.append("seconds")
        return found

    @property
    def verdict(self) -> str:
        return f"missed: {', '.join(self.missed)}" if self.missed else "met"

    def cells(self) -> list[str]:
        """The row as the table shows it."""
        later = f" (≤ {self.job.later:g} s later)" if self.job.later is not None else ""
        return [
            f"{self.job.name}: {self.job.about}",
            self.job.data,
            *(self._seconds(side) for side in ("ours", "dvc", "floor")),
            _wanted(self.faster, "≥", self.job.faster),
            _wanted(self.within, "≤", self.job.within) + later,
            self._pair(lambda runs: f"{runs.memory / (1 << 20):.0f}"),
            self._pair(lambda runs: f"{runs.cpu:.2f}"),
            self.verdict,
        ]

    def _seconds(self, side: str) -> str:
        if side not in self.runs:
            return "–"
        runs = self.runs[side]
        return f"{runs.best:.2f} ({runs.median:.2f})"

    def _pair(self, show: Callable[[Runs], str]) -> str:
        return "/".join(show(self.runs[side]) if side in self.runs else "–" for side in ("ours", "dvc"))


def _wanted(ratio: float | None, sign: str, want: float | None) -> str:
    if ratio is None:
        return "–"
    return f"{ratio:.2f}" + (f" ({sign} {want:g})" if want else "")


@dataclass(frozen=True)
class Growth:
    """Seconds for 1, 2, 4 and 8 times the work; linear work has the exponent 1, squared work 2."""

    name: str
    amounts: Sequence[int]
    seconds: Sequence[float]
    limit: float = 1.15

    @property
    def exponent(self) -> float:
        """The slope of the straight line through the logarithms, by least squares."""
        xs = [math.log(amount) for amount in self.amounts]
        ys = [math.log(seconds) for seconds in self.seconds]
        mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
        rise = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
        return rise / sum((x - mean_x) ** 2 for x in xs)

    @property
    def last(self) -> float:
        """The exponent of the last step alone, where what every run costs anyway weighs least."""
        return Growth(self.name, self.amounts[-2:], self.seconds[-2:]).exponent

    @property
    def verdict(self) -> str:
        return "met" if self.exponent <= self.limit else "missed"

    def cells(self) -> list[str]:
        """The row as the table shows it."""
        steps = zip(self.amounts, self.seconds, strict=True)
        told = ", ".join(f"{amount:,}: {seconds:.2f}" for amount, seconds in steps)
        return [self.name, told, f"{self.exponent:.2f} (≤ {self.limit:g})", f"{self.last:.2f}", self.verdict]


def render(
    rows: Sequence[Row], growths: Sequence[Growth], about: Mapping[str, str], *, markdown: bool
) -> str:
    """Both tables, the floors by name and the notes, as text for a terminal or as Markdown."""
    table = _markdown if markdown else _plain
    parts = []
    if rows:
        parts.append(table(_HEAD, [row.cells() for row in rows]))
        parts.append(_floors([row.job for row in rows]))
    if growths:
        parts.append(
            table(
                ("growth", "amount: seconds", "exponent", "last step", "verdict"),
                [g.cells() for g in growths],
            )
        )
    told = "\n".join(f"{name}: {value}" + ("  " if markdown else "") for name, value in about.items())
    return "\n\n".join([*parts, told, NOTES])


def _floors(jobs: Sequence[Job]) -> str:
    """Which floor belongs to which jobs."""
    named: dict[str, list[str]] = {}
    for job in jobs:
        if job.floor:
            named.setdefault(job.floor, []).append(job.name)
    return "Floors: " + "; ".join(f"{floor} ({', '.join(names)})" for floor, names in named.items()) + "."


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(rows: Sequence[Row], growths: Sequence[Growth], about: Mapping[str, str]) -> str:
    """Everything that was measured, for programs."""
    jobs = [
        {
            "job": row.job.name,
            "data": row.job.data,
            "wanted": {"dvc": row.job.faster, "floor": row.job.within, "memory": row.job.memory},
            "found": {"dvc": row.faster, "floor": row.within, "memory": row.memory},
            "missed": row.missed,
            "runs": {side: [vars(run) for run in runs.runs] for side, runs in row.runs.items()},
        }
        for row in rows
    ]
    slopes = [{**vars(growth), "exponent": growth.exponent} for growth in growths]
    return json.dumps({"about": dict(about), "jobs": jobs, "growth": slopes}, indent=1) + "\n"
