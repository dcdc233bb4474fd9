"""Real SSH servers for the tests: accounts, keys, a server on a free port, and a link that misbehaves on command.

As root there are two throw-away accounts, one with a shell and one that may do nothing but SFTP inside its own
folder, both with passwords. Without root a server can only let in its own user by key, so tests that need a
password or the SFTP-only account skip with that reason.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelkeep.core.errors import LoginNeeded
from modelkeep.core.values import Secret

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
PASSWORD = "pw-한글 1"
NO_ROOT = "a server that checks passwords needs root"


@dataclass(frozen=True)
class Account:
    """Who may log in. `folder` is a writable folder by its real path, `path` the same as the account sees it."""

    user: str
    folder: Path
    path: str
    has_shell: bool
    password: str = ""


@dataclass
class SshServer:
    """A running sshd. `key` lets into every account of it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    shell: Account
    sftp_only: Account | None = None
    host: str = "127.0.0.1"
    key: Path = field(default_factory=Path)
    keys: Path = field(default_factory=Path)  # a file of authorized keys for each account

    def known_hosts(self, kind: str = "ed25519", port: int | None = None) -> str:
        """The line of known_hosts for this server, as reached over `port`."""
        public = (self.folder / f"host_{kind}.pub").read_text().split()
        return f"[{self.host}]:{port or self.port} {public[0]} {public[1]}\n"

    def fingerprint(self, kind: str = "ed25519") -> str:
        """SHA256:… of the host key as ssh-keygen prints it."""
        out = subprocess.check_output(["ssh-keygen", "-lf", self.folder / f"host_{kind}.pub"], text=True)
        return out.split()[1]

    def log(self) -> str:
        """What sshd wrote so far."""
        return (self.folder / "log").read_text(errors="replace")

    def url(self, account: Account | None = None, folder: str = "store") -> str:
        account = account or self.shell
        return f"ssh://{account.user}@{self.host}:{self.port}{account.path}/{folder}"


@contextmanager
def ssh_server(folder: Path, *, config: str = "") -> Iterator[SshServer]:
    """Run sshd in `folder` until the block ends; `config` lines come first, and the first of a kind wins."""
    if not Path(SSHD).exists():
        pytest.skip("sshd is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for kind in ("ed25519", "ecdsa"):
        if not (folder / f"host_{kind}").exists():
            make_key(folder / f"host_{kind}", kind)
    key = make_key(folder / "user_key", "ed25519")
    with _accounts() as (shell, sftp_only):
        # Not in `folder`: the server reads them as the account, which may not enter the tests' folders.
        keys = shell.folder.parent / "keys" if IS_ROOT else folder / "keys"
        keys.mkdir()
        for account in (shell, sftp_only):
            if account is not None:
                shutil.copy(f"{key}.pub", keys / account.user)
        port = free_port()
        process = _start(folder, keys, port, shell, sftp_only, config)
        try:
            yield SshServer(folder, port, process, shell, sftp_only, key=key, keys=keys)
        finally:
            process.terminate()
            process.wait(5)


def make_key(file: Path, kind: str = "ed25519", passphrase: str = "", *, pem: bool = False) -> Path:
    """A fresh key pair at `file` and `file`.pub."""
    extra = ["-a", "2", *(["-b", "2048"] if kind == "rsa" else []), *(["-m", "PEM"] if pem else [])]
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(file), *extra]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return file


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _start(
    folder: Path, keys: Path, port: int, shell: Account, sftp_only: Account | None, extra: str
) -> subprocess.Popen[bytes]:
    lines = [
        extra,
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host_ed25519",
        f"HostKey {folder}/host_ecdsa",
        "PidFile none",
        f"AuthorizedKeysFile {keys}/%u",
        "StrictModes no",
        "UsePAM no",
        f"PasswordAuthentication {'yes' if IS_ROOT else 'no'}",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "Subsystem sftp internal-sftp",
        "LogLevel VERBOSE",
        "MaxStartups 100",
        "UseDNS no",
    ]
    if sftp_only is not None:
        lines += [
            f"Match User {sftp_only.user}",
            f"  ChrootDirectory {sftp_only.folder.parent}",
            "  ForceCommand internal-sftp",
            "  AllowTcpForwarding no",
        ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if IS_ROOT:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = folder / "log"
    process = subprocess.Popen([SSHD, "-D", "-f", folder / "sshd_config", "-E", log])
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"sshd did not start: {log.read_text()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.recv(16)
            return process
        time.sleep(0.02)
    pytest.fail("sshd does not answer")


# -- accounts ------------------------------------------------------------------------------------------


@contextmanager
def _accounts() -> Iterator[tuple[Account, Account | None]]:
    if not IS_ROOT:
        name = pwd.getpwuid(os.getuid()).pw_name
        folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"mk-{secrets.token_hex(6)}"
        folder.mkdir()
        try:
            yield Account(name, folder, str(folder), has_shell=True), None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    tag = secrets.token_hex(4)
    shell, sftp = f"mkshell{tag}", f"mksftp{tag}"
    base = Path("/srv") / f"modelkeep-{tag}"
    _run("useradd", "-M", "-d", str(base / "home"), "-s", "/bin/bash", shell)
    _run("useradd", "-M", "-d", "/", "-s", "/usr/sbin/nologin", sftp)
    try:
        _run("chpasswd", text=f"{shell}:{PASSWORD}\n{sftp}:{PASSWORD}\n")
        home, data = base / "home", base / "chroot" / "data"
        home.mkdir(parents=True)
        data.mkdir(parents=True)
        for place in (base, base / "chroot"):
            place.chmod(0o755)  # sshd refuses a chroot that others may write
        shutil.chown(home, shell)
        shutil.chown(data, sftp)
        yield (
            Account(shell, home, str(home), has_shell=True, password=PASSWORD),
            Account(sftp, data, "/data", has_shell=False, password=PASSWORD),
        )
    finally:
        _run("userdel", "-f", shell, check=False)
        _run("userdel", "-f", sftp, check=False)
        shutil.rmtree(base, ignore_errors=True)


def _run(*command: str, text: str = "", check: bool = True) -> None:
    done = subprocess.run(command, input=text.encode(), capture_output=True)
    if check and done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace')}")


# -- a link that misbehaves ----------------------------------------------------------------------------


class Link:
    """A TCP proxy to `target`. Everything it is told holds for the connections of now and later."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._socks: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._stopped = False
        self.delay = 0.0
        self.cut_up: int | None = None  # cut after this many more bytes to the server …
        self.cut_down: int | None = None  # … or from it
        self.is_down = False
        self.sent = 0  # bytes passed to the server
        self.received = 0
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def freeze(self) -> None:
        """Pass nothing on, in both directions, without closing anything."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Reset all connections."""
        with self._lock:
            socks = list(self._socks)
        for sock in socks:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self) -> None:
        self._stopped = True
        self._flowing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._stopped:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.is_down:
                near.close()
                continue
            try:
                far = socket.create_connection(self._target, 5)
            except OSError:
                near.close()
                continue
            near.settimeout(None)
            far.settimeout(None)
            with self._lock:
                self._socks |= {near, far}
            for up, source, sink in ((True, near, far), (False, far, near)):
                thread = threading.Thread(target=self._pump, args=(up, source, sink), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, up: bool, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(16384):
                if self.delay:
                    time.sleep(self.delay)
                self._flowing.wait()
                if self._counted(up, len(data)):
                    self.cut()
                    return
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for sock in (source, sink):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._socks -= {source}
            source.close()

    def _counted(self, up: bool, size: int) -> bool:
        """Count what passes and say whether the moment to cut has come."""
        name = "cut_up" if up else "cut_down"
        if up:
            self.sent += size
        else:
            self.received += size
        left = getattr(self, name)
        if left is None:
            return False
        setattr(self, name, left - size if left > size else None)
        return left <= size


@contextmanager
def link_to(server: SshServer) -> Iterator[Link]:
    """A Link to the server that is gone when the block ends."""
    link = Link((server.host, server.port))
    try:
        yield link
    finally:
        link.close()


# -- people --------------------------------------------------------------------------------------------


class Login:
    """Answers what a server asks, from lists, and records every question in `asked`."""

    def __init__(
        self,
        *passwords: str,
        passphrases: tuple[str, ...] = (),
        answers: tuple[tuple[str, ...], ...] = (),
        trust: str = "remember",
        fails: bool = False,
    ) -> None:
        self._passwords = list(passwords)
        self._passphrases = list(passphrases)
        self._answers = list(answers)
        self._trust = trust
        self._fails = fails
        self.asked: list[tuple[object, ...]] = []
        self.said: list[str] = []

    def password(self, address: object, attempt: int, prompt: str) -> Secret | None:
        self.asked.append(("password", str(address), attempt))
        if self._fails:
            raise LoginNeeded(str(address))
        return Secret(self._passwords.pop(0)) if self._passwords else None

    def passphrase(self, keyfile: str, attempt: int, key: str = "") -> Secret | None:
        self.asked.append(("passphrase", keyfile, attempt))
        return Secret(self._passphrases.pop(0)) if self._passphrases else None

    def unlocked(self, key: str) -> None:
        self.asked.append(("unlocked", key))

    def answers(
        self, address: object, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        self.asked.append(("answers", title, instructions, *prompts))
        if self._fails:
            raise LoginNeeded(str(address))
        return [Secret(text) for text in self._answers.pop(0)] if self._answers else None

    def say(self, text: str) -> None:
        self.said.append(text)

    def accepted(self, address: object) -> None:
        self.asked.append(("accepted", str(address)))

    def rejected(self, address: object) -> None:
        self.asked.append(("rejected", str(address)))

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        self.asked.append(("trust", host, key_type, fingerprint))
        return self._trust

    def kinds(self) -> list[str]:
        """The questions in order, by kind only."""
        return [str(one[0]) for one in self.asked]
