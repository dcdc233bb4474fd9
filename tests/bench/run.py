"""The command: `tests/bench/run.py [JOB…]` measures the jobs named (default: all but the large) and prints the table.

.venv/bin/python tests/bench/run.py                                  # needs about 20 GB for a while
.venv/bin/python tests/bench/run.py add status --scale 0.1 --repeat 5
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

if __package__ in (None, ""):  # started as a file: the nouns of the tests are one folder up
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench import data, growth, jobs_history, jobs_local, jobs_ssh, place, report
from bench.jobs import Job
from bench.measure import Contest, Failed, Runs, alternate
from bench.stage import DVC, OURS, Stage, environment
from servers import ssh_server

JOBS: tuple[Job, ...] = (*jobs_local.JOBS, *jobs_ssh.JOBS, *jobs_history.JOBS)


def main() -> int:
    """Measure what was asked for and print it; 1 if a program failed to do its work, 130 if stopped.

    A miss is no failure.
    """
    options = _options()
    if options.list:
        print("\n".join([*(f"{job.name:20}{job.about}, {job.data}" for job in JOBS), *growth.NAMES]))
        return 0
    bench, about = Bench(options), _about(options)
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # what was mounted and made is taken away then too
    code = 0
    try:
        with ExitStack() as stack:
            bench.run(stack)
    except KeyboardInterrupt:
        code = 130
        _note("stopped; what is complete follows")
    print("\n" + report.render(bench.rows, bench.growths, about, markdown=options.markdown))
    if options.json:
        options.json.write_text(report.as_json(bench.rows, bench.growths, about))
    return code or int(bench.failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="JOB", help="a name, or its beginning: add, status-B, push …"
    )
    parser.add_argument("--list", action="store_true", help="print the names of all jobs")
    parser.add_argument(
        "--full", action="store_true", help="also the large jobs that are run only when named"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="this much of the files, tags or bytes")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each side (default 3)")
    parser.add_argument(
        "--patience",
        type=float,
        default=math.inf,
        metavar="S",
        help="no more runs of a side after S seconds in all",
    )
    parser.add_argument("--against", default="dvc,floor", help="only one of dvc and floor, or (nothing) none")
    parser.add_argument(
        "--ours", type=Path, default=OURS, metavar="PROGRAM", help="another modelkeep to measure"
    )
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where to work")
    parser.add_argument("--disk", default="", help="ext4, xfs or btrfs: a fresh one for each job (root only)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args()


class Bench:
    """One run of the command: chooses the jobs, gives each its stage, and collects what was found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.sides = ("ours", *(side for side in ("dvc", "floor") if side in options.against.split(",")))
        self.rows: list[report.Row] = []
        self.growths: list[report.Growth] = []
        self.failed = False
        self._made: dict[tuple[str, float], data.Master] = {}

    def run(self, stack: ExitStack) -> None:
        """Measure all that was chosen; a job that fails is told and left out."""
        jobs = [job for job in JOBS if self._is_chosen(job.name, job.is_large)]
        growths = [name for name in growth.NAMES if self._is_chosen(name, is_large=False)]
        self._folder = stack.enter_context(place.own_folder(self.options.folder))
        os.environ.update(environment(self._folder / "home"))
        needs_server = any(job.needs for job in jobs) or bool(growths)
        self._server = stack.enter_context(ssh_server(self._folder / "sshd")) if needs_server else None
        for job in jobs:
            with self._told(job.name), self._stage(self.sides) as stage:
                contest = {name: side for name, side in job.build(stage).items() if name in self.sides}
                self.rows.append(report.Row(job, self._alternate(contest)))
        for name in growths:
            with self._told(name):
                self.growths.append(self._grow(name))

    def _grow(self, name: str) -> report.Growth:
        amounts, seconds = [], []
        for times in growth.TIMES:
            with self._stage(("ours",)) as stage:
                amount, side = growth.NAMES[name](stage, times)
                amounts.append(amount)
                seconds.append(self._alternate({"ours": side})["ours"].best)
        return report.Growth(name, amounts, seconds)

    def _alternate(self, contest: Contest) -> dict[str, Runs]:
        return alternate(contest, self.options.repeat, _note, self.options.patience)

    def _is_chosen(self, name: str, is_large: bool) -> bool:
        if not self.options.jobs:
            return self.options.full or not is_large
        is_named = name in self.options.jobs
        begins = any(name.startswith(f"{word}-") for word in self.options.jobs)
        return is_named or (begins and (self.options.full or not is_large))

    @contextmanager
    def _stage(self, sides: tuple[str, ...]) -> Iterator[Stage]:
        with (
            place.job_folder(self._folder / "jobs", self.options.disk, self._server) as folder,
            ExitStack() as stack,
        ):
            yield Stage(
                folder, self.options.scale, sides, self._master, self.options.ours, self._server, stack
            )

    def _master(self, name: str, scale: float) -> data.Master:
        if (name, scale) not in self._made:
            kind = data.KINDS[name].scaled(scale)
            _note(f"making {name}: {kind.files:,} × {kind.size:,} B")
            self._made[name, scale] = data.make(self._folder / f"masters/{name}-{scale:g}", kind)
        return self._made[name, scale]

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        _note(f"-- {name}")
        try:
            yield
        except (Failed, AssertionError, OSError, subprocess.SubprocessError) as error:
            self.failed = True
            _note(f"{name} FAILED: {error}")


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _about(options: argparse.Namespace) -> Mapping[str, str]:
    """The machine and the versions, so that a table can be understood later."""

    def first_line(*command: str | Path) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().partition("\n")[0]

    kind = options.disk or first_line("stat", "-f", "-c", "%T", options.folder)
    return {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()} {platform.release()}",
        "disk": kind,
        "versions": f"{first_line(options.ours, '--version')}, dvc {first_line(DVC, '--version')}, "
        f"Python {platform.python_version()}, {first_line('ssh', '-V')}, {first_line('git', '--version')}",
        "scale": f"{options.scale:g}, {options.repeat} runs of each side",
    }


if __name__ == "__main__":
    sys.exit(main())
