"""The vocabulary of the tests: places, servers and judges, all real. Nothing here knows how Modelkeep works.

Every test has a home of its own: HOME, the XDG folders, git's, DVC's and Modelkeep's settings point into a
fresh folder, and no session bus, agent or display of the person who runs the tests can be reached. A test
fails when it leaves a thread or a program running, or when Modelkeep logs a warning nobody expected.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import builders
import keyring_daemon
import servers

if TYPE_CHECKING:
    from keyring_daemon import KeyringDaemon
    from modelkeep.core.credentials import MemoryVault
    from servers import SshServer

# Before anything imports PySide6: without a platform and a display Qt aborts the interpreter.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parent.parent

_GITCONFIG = """\
[user]
    name = Test Person
    email = test@example.org
[init]
    defaultBranch = main
[commit]
    gpgSign = false
[protocol "file"]
    allow = always
[gc]
    auto = 0
"""
_FORGOTTEN = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "MODELKEEP_DEMO",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHON_KEYRING_BACKEND",
    "SSH_AGENT_PID",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
    "WAYLAND_DISPLAY",
)
_KEPT_GIT = {"GIT_SSL_CAINFO"}


def home_environment(home: Path) -> dict[str, str]:
    """The variables that make `home` the home of this process and its children; creates the folders."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, parents=True)
    gitconfig = home / ".gitconfig"
    gitconfig.write_text(_GITCONFIG)
    return {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_RUNTIME_DIR": str(runtime),
        "MODELKEEP_HOME": str(home / "modelkeep"),
        "GIT_CONFIG_GLOBAL": str(gitconfig),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "dvc-site"),
        "DVC_GLOBAL_CONFIG_DIR": str(home / ".config/dvc"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "dvc-system"),
        "LC_ALL": "C.UTF-8",
    }


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "expects_warnings: Modelkeep may log warnings in this test")
    config.addinivalue_line("markers", "alone: this test measures and must not share the machine with others")
    config.addinivalue_line("markers", "leaves_running: this test may leave threads or programs running")


@pytest.fixture(scope="session", autouse=True)
def _outer_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What servers and other long-lived things see as home."""
    with pytest.MonkeyPatch.context() as patch:
        _enter_home(patch, tmp_path_factory.mktemp("outer") / "home")
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's own home folder."""
    folder = tmp_path_factory.mktemp("home", numbered=True)
    _enter_home(monkeypatch, folder)
    return folder


@pytest.fixture(autouse=True)
def _nobody_trusted_before() -> Iterator[None]:
    """No test inherits a server that another one trusted for the run of the program."""
    yield
    if identity := sys.modules.get("modelkeep.core.stores.ssh_identity"):
        identity.forget_trust()


def _enter_home(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in [
        *_FORGOTTEN,
        *(key for key in os.environ if key.startswith("GIT_") and key not in _KEPT_GIT),
    ]:
        patch.delenv(name, raising=False)
    for name, value in home_environment(folder).items():
        patch.setenv(name, value)


# -- what a test may not leave behind ------------------------------------------------------------------


class _Warnings(logging.Handler):
    """Collects what Modelkeep logs as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in ("modelkeep", "root", "asyncio", "concurrent"):
            self.messages.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _no_unexpected_warnings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which Modelkeep warned, unless it reads the log itself (caplog) or is marked."""
    if "caplog" in request.fixturenames or request.node.get_closest_marker("expects_warnings"):
        yield
        return
    handler = _Warnings()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
    if handler.messages:
        pytest.fail("unexpected warnings in the log:\n" + "\n".join(handler.messages), pytrace=False)


@pytest.fixture(autouse=True)
def _nothing_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose threads or child processes are still there a moment after its end."""
    threads, children = _threads(), _children()
    yield
    if request.node.get_closest_marker("leaves_running"):
        return
    deadline = time.monotonic() + 2
    while (left := (_threads() - threads) or (_children() - children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if left:
        pytest.fail(f"still running after the test: {sorted(map(str, left))}", pytrace=False)


def _threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if not one.daemon and one is not threading.current_thread()}


def _children() -> set[str]:
    """The living children of this process as `pid name`; nothing where there is no /proc."""
    found = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            pids = listing.read_text().split()
        except OSError:
            continue
        for pid in pids:
            try:
                name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            if rest.split()[0] != "Z":
                found.add(f"{pid} {name}")
    return found


# -- places --------------------------------------------------------------------------------------------


@pytest.fixture
def git_repo(tmp_path: Path) -> Path:
    """An empty Git repository on `main`."""
    return builders.make_repo(tmp_path / "repo")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of an empty Git + DVC project, its first commit made."""
    return builders.make_project(tmp_path / "project")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A folder to use as a local remote; exists and is empty."""
    folder = tmp_path / "remote"
    folder.mkdir()
    return folder


@pytest.fixture
def git_remote(tmp_path: Path) -> Path:
    """A bare Git repository to push to."""
    return builders.make_repo(tmp_path / "origin.git", bare=True)


# -- judges --------------------------------------------------------------------------------------------

Dvc = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def dvc_program() -> Path:
    """The real dvc, in an environment of its own. Its absence is an error: a referee is not optional."""
    program = Path(os.environ.get("MODELKEEP_TEST_DVC") or ROOT / ".venv-dvc/bin/dvc")
    if not program.exists():
        pytest.fail(
            f"{program} is missing: packaging/test installs it, or set MODELKEEP_TEST_DVC", pytrace=False
        )
    return program


@pytest.fixture
def dvc(dvc_program: Path, home: Path) -> Dvc:
    """Run the real dvc: `dvc("add", "data", cwd=project)`. Raises when it fails, unless `check=False`."""

    def call(
        *args: str | Path, cwd: Path, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(dvc_program), *map(str, args)],
            cwd=cwd,
            env={**os.environ, "PATH": f"{dvc_program.parent}{os.pathsep}{os.environ['PATH']}", **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if check and done.returncode:
            raise AssertionError(f"dvc {args} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    return call


# -- secrets and servers -------------------------------------------------------------------------------


@pytest.fixture
def vault() -> MemoryVault:
    """A vault in memory: empty, and gone after the test."""
    from modelkeep.core.credentials import MemoryVault

    return MemoryVault()


@pytest.fixture
def keyring(home: Path) -> Iterator[KeyringDaemon]:
    """A real keyring, unlocked, that this process and its children use; its files lie in the test's home."""
    with keyring_daemon.keyring_daemon(home / "keyring") as daemon:
        yield daemon


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[SshServer]:
    """A real sshd on a free port, with accounts of its own, for the whole run."""
    # Not below pytest's folder: that one is closed to other users, and sshd reads keys as the user.
    with tempfile.TemporaryDirectory(prefix="modelkeep-sshd-") as folder:
        Path(folder).chmod(0o755)
        with servers.ssh_server(Path(folder) / "server") as server:
            yield server
