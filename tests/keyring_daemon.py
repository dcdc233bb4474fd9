"""A real GNOME keyring on a session bus of its own, for tests. Nothing of the user's session is touched.

    with keyring_daemon(folder) as keyring:          # unlocked; os.environ points to its bus meanwhile
        ...
    with keyring_daemon(folder, locked=True):        # the same secrets, locked, and nobody to unlock them

The bus knows no other services and has no display, so nothing is started by it and no window can appear.
Everything that was started is gone when the `with` block ends.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""
_PROGRAMS = ("dbus-daemon", "dbus-send", "gnome-keyring-daemon")
PASSWORD = "unlock-한글 1"


@dataclass
class KeyringDaemon:
    """A running keyring. `folder` holds its files, `environment` is what a child process needs to use it."""

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def freeze(self) -> None:
        """Make it answer nothing, as one that waits for a person does."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def keyring_daemon(
    folder: Path, *, locked: bool = False, password: str = PASSWORD, enter: bool = True
) -> Iterator[KeyringDaemon]:
    """Run a keyring whose files lie in `folder`; `enter` makes this process use it while inside.

    `locked` starts it without the password: it must have been run unlocked with the same `folder` before.
    """
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            raise AssertionError(f"{program} is missing: apt-get install gnome-keyring dbus")
    # The sockets need a short path: the system allows 107 characters.
    run = Path(tempfile.mkdtemp(prefix="mk-keyring-"))
    environment = _environment(folder, run)
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_start_bus(run, environment))
        started.append(_start_keyring(run, environment, None if locked else password))
        with _entered(environment if enter else {}):
            yield KeyringDaemon(folder, environment, started[1])
    finally:
        _close_forgotten_connections()
        for process in reversed(started):
            _end(process)
        shutil.rmtree(run, ignore_errors=True)


def _environment(folder: Path, run: Path) -> dict[str, str]:
    for path in (folder / "data", folder / "config"):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_RUNTIME_DIR": str(run),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={run}/bus",
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
    }


def _start_bus(run: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    (run / "bus.conf").write_text(_BUS.format(socket=run / "bus"))
    command = ["dbus-daemon", f"--config-file={run}/bus.conf", "--nofork", "--nopidfile", "--nosyslog"]
    process = _start(command, environment, b"")
    _wait(process, (run / "bus").exists)
    return process


def _start_keyring(run: Path, environment: dict[str, str], password: str | None) -> subprocess.Popen[bytes]:
    command = [
        "gnome-keyring-daemon",
        "--foreground",
        "--components=secrets",
        f"--control-directory={run}/control",
    ]
    if password is not None:
        command.append("--unlock")
    process = _start(command, environment, (password or "").encode())
    _wait(process, lambda: _owns_the_name(environment))
    return process


def _owns_the_name(environment: dict[str, str]) -> bool:
    command = [
        "dbus-send",
        "--session",
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/org/freedesktop/DBus",
    ]
    command += ["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]
    said = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=10)
    return b"boolean true" in said.stdout


def _start(command: list[str], environment: dict[str, str], text: bytes) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.close()
    return process


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            _end(process)
            raise AssertionError(f"{process.args!r} did not start (rc {process.returncode})")
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _close_forgotten_connections() -> None:
    """The libraries beneath `keyring` leave their socket to the garbage collector when a call fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def _entered(environment: dict[str, str]) -> Iterator[None]:
    """Only the address of the bus: the home folder of the test stays its own."""
    name = "DBUS_SESSION_BUS_ADDRESS"
    before = os.environ.get(name)
    if name in environment:
        os.environ[name] = environment[name]
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
