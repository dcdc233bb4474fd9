"""Where a job runs: a folder, a project and a home for each side, a server. Made ready untimed; measures nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import builders
from bench import data
from bench.measure import Call, Failed, nothing
from conftest import home_environment
from servers import Account, SshServer

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / ".venv/bin/modelkeep"
DVC = Path(os.environ.get("MODELKEEP_TEST_DVC") or ROOT / ".venv-dvc/bin/dvc")
HERE = Path(__file__).parent
PYTHON = (str(ROOT / ".venv/bin/python"), "-I")

#: What a person's own environment must not change.
_FORGOTTEN = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "SSH_AUTH_SOCK", "DISPLAY")


def environment(home: Path) -> dict[str, str]:
    """The environment of one side: a home of its own, the real dvc in reach, no window system."""
    mine = {key: value for key, value in os.environ.items() if key not in _FORGOTTEN}
    path = f"{DVC.parent}{os.pathsep}{os.environ['PATH']}"
    return {**mine, **home_environment(home), "PATH": path, "QT_QPA_PLATFORM": "offscreen"}


@dataclass
class Seat:
    """What one side works in. `renew` gives it a fresh project and a fresh home; the old ones are left aside.

    They are not deleted at once, because masses of deletions slow some file systems down for the next run.
    """

    folder: Path
    program: Path
    known_hosts: str = ""
    turn: int = 0
    env: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """Its project of this turn."""
        return self.folder / f"{self.turn}/project"

    def renew(self, *, keep: Sequence[str] = (), config: str = "") -> Path:
        """A new empty project with this DVC config; what is named in `keep` moves over from the one before."""
        before = self.project
        self.turn += 1
        self.env = environment(self.folder / f"{self.turn}/home")
        builders.make_project(self.project)
        for name in keep:
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            os.rename(before / name, self.project / name)
        discard(before.parent)
        self.configure(config)
        if self.known_hosts:
            builders.write_tree(Path(self.env["HOME"]) / ".ssh", {"known_hosts": self.known_hosts})
        return self.project

    def configure(self, config: str) -> None:
        """Replace the person's own settings of the project (.dvc/config.local); a key named there is trusted."""
        (self.project / ".dvc/config.local").write_text("[core]\n    check_update = false\n" + config)
        # A remote that leads elsewhere than last time would be a question; here every remote is a new one.
        (Path(self.env["MODELKEEP_HOME"]) / "addresses.json").unlink(missing_ok=True)

    def take(self, master: data.Master, *parts: str) -> None:
        """Copy `data`, `cache` and/or `metafile` of a master into the project, as if they had been added."""
        if "data" in parts:
            data.copy(master.data, self.project / "data")
        if "cache" in parts:
            data.copy(master.cache, self.project / ".dvc/cache")
        if "metafile" in parts:
            shutil.copy(master.metafile, self.project / "data.dvc")
            (self.project / ".gitignore").write_text("/data\n")
            builders.make_commit(self.project, message="Track the data")

    def call(self, *words: str | Path, check: Callable[[], None] = nothing) -> Call:
        """This side's program with these words, in its project."""
        return Call([self.program, *words], self.project, self.env, check)

    def run(self, *words: str | Path) -> None:
        """The same at once, untimed."""
        done = subprocess.run(
            [self.program, *words], cwd=self.project, env=self.env, capture_output=True, check=False
        )
        if done.returncode:
            raise Failed(
                f"{self.program.name} {words}: {(done.stdout + done.stderr).decode(errors='replace')}"
            )


@dataclass
class Stage:
    """What a job's builder gets: a folder that is empty and goes away, the scale, and the master data.

    What is entered into `stack` ends with the job.
    """

    folder: Path
    scale: float
    sides: tuple[str, ...]
    masters: Callable[[str, float], data.Master]
    ours: Path = OURS
    server: SshServer | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    _floors: int = 0
    _home: dict[str, str] = field(default_factory=dict)

    def master(self, name: str) -> data.Master:
        """The data called `name`, at the scale of this stage."""
        return self.masters(name, self.scale)

    def seat(self, name: str) -> Seat:
        """The place of `ours` or `dvc`."""
        return Seat(self.folder / name, self.ours if name == "ours" else DVC)

    @property
    def python(self) -> Path:
        """The interpreter that has our packages: that of the modelkeep which is measured, if it has its own."""
        beside = self.ours.with_name("python")
        return beside if beside.exists() else OURS.with_name("python")

    @property
    def ssh(self) -> SshServer:
        if self.server is None:
            raise Failed("this job needs an sshd")
        return self.server

    def account(self, *, shell: bool = True) -> Account:
        """The account with a shell, or the one that may do nothing but SFTP."""
        account = self.ssh.shell if shell else self.ssh.sftp_only
        if account is None:
            raise Failed("an SFTP-only account can only be made by root")
        return account

    def floor_folder(self) -> Path:
        """An empty folder for one run of a floor."""
        discard(self.folder / f"floor/{self._floors}")
        self._floors += 1
        folder = self.folder / f"floor/{self._floors}"
        folder.mkdir(parents=True)
        return folder

    def floor_source(self, master: data.Master) -> Path:
        """A copy of the data on the file system of the stage, which a floor may link to."""
        source = self.folder / "floor-source"
        if not source.exists():
            data.copy(master.data, source)
        return source

    def floor(self, command: Sequence[str | Path], check: Callable[[], None] = nothing) -> Call:
        """A floor as a call."""
        if not self._home:
            self._home = environment(self.folder / "floor-home")
        return Call(command, self.folder, self._home, check)

    def script(self, name: str, *words: str | Path) -> list[str | Path]:
        """The command that runs a floor written in Python: the file `name` of this folder with `words`."""
        return [*PYTHON, HERE / name, *words]


def expect_objects(folder: Path, count: int) -> Callable[[], None]:
    """A check that `folder` (a cache or a remote) holds `count` objects, and nothing half-written."""
    return expect_files(folder / "files/md5", count)


def expect_files(folder: Path, count: int) -> Callable[[], None]:
    """A check that `count` files lie below `folder`."""

    def check() -> None:
        found = data.count_files(folder) if folder.is_dir() else int(folder.is_file())
        if found != count:
            raise Failed(f"{folder} holds {found} files instead of {count}")

    return check


def discard(folder: Path) -> None:
    """Remove a few large files now; many small ones stay until the job ends, because their deletion disturbs."""
    if folder.exists() and data.count_files(folder) < 1000:
        delete(folder)


def delete(folder: Path) -> None:
    """Remove a folder and everything in it, whoever it belongs to."""
    subprocess.run(["rm", "-rf", folder], check=True)
