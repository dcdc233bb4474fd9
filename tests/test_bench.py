"""The benchmark command runs, measures both sides and judges rightly. How fast anything is, is not asked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.jobs import Job
from bench.measure import Call, Failed, Run, Runs, measure
from bench.report import Growth, Row, render

RUN = Path(__file__).parent / "bench/run.py"


def job(**wanted: float | None) -> Job:
    return Job("add-B", "add", "B", lambda _stage: {}, **wanted)  # type: ignore[arg-type]


def runs(*walls: float, memory: int = 1 << 20) -> Runs:
    return Runs([Run(wall, wall / 2, memory) for wall in walls])


def test_the_command_measures_a_job_and_prints_its_ratios(dvc_program: Path, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    words = [
        "push-folder-B",
        "--scale",
        "0.0005",
        "--repeat",
        "1",
        "--folder",
        str(tmp_path),
        "--json",
        str(found),
    ]
    done = subprocess.run([sys.executable, RUN, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(found.read_text())["jobs"]
    assert set(row["runs"]) == {"ours", "dvc", "floor"}
    ratio = row["found"]["dvc"]
    assert ratio == row["runs"]["dvc"][0]["wall"] / row["runs"]["ours"][0]["wall"]
    assert f"{ratio:.2f} (≥ 2.3)" in done.stdout
    assert list(tmp_path.iterdir()) == [found]  # what it made is gone


def test_a_program_that_fails_or_leaves_work_undone_is_no_measurement(tmp_path: Path) -> None:
    def undone() -> None:
        raise Failed("nothing was stored")

    env = {"HOME": str(tmp_path)}
    with pytest.raises(Failed, match="ended with 3\nbad luck"):
        measure(Call(["sh", "-c", "echo bad luck; exit 3"], tmp_path, env))
    with pytest.raises(Failed, match="nothing was stored"):
        measure(Call(["true"], tmp_path, env, undone))
    assert measure(Call(["true"], tmp_path, env)).memory < 20 << 20  # its own, not that of this process


def test_what_was_missed_is_said() -> None:
    sides = {"ours": runs(1.0, 9.0), "dvc": runs(4.0, 4.1), "floor": runs(0.5)}
    assert Row(job(faster=4, within=2), sides).verdict == "met"
    assert Row(job(faster=4.1, within=1.9, memory=0.5), sides).missed == ["dvc", "floor", "memory"]
    assert Row(job(later=0.4), sides).missed == ["seconds"]
    table = render([Row(job(faster=4.1), sides)], [], {}, markdown=True)
    assert "| 4.00 (≥ 4.1) | 2.00 | 1/1 | 0.50/2.00 | missed: dvc |" in table


def test_growth_is_the_exponent_of_the_work() -> None:
    linear = Growth("add", [1, 2, 4, 8], [0.3, 0.6, 1.2, 2.4])
    squared = Growth("add", [1, 2, 4, 8], [1, 4, 16, 64])
    assert (round(linear.exponent, 3), linear.verdict) == (1.0, "met")
    assert (round(squared.exponent, 3), squared.verdict) == (2.0, "missed")
    assert round(Growth("add", [1, 2, 4], [1, 1, 4]).last, 3) == 2.0
