"""Ways to a server, and every way in which none comes about: jumps, programs, closed ports, silence, nonsense."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import servers
from contract.conftest import SHORT, spec_of, trust
from modelkeep.core.errors import (
    ConnectionLost,
    ModelkeepError,
    StoreFailed,
    UnknownHost,
    Unsupported,
)
from modelkeep.core.nouns import replace
from modelkeep.core.progress import Cancelled, Progress
from modelkeep.core.stores import ssh_identity, ssh_reach
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.limits import DEFAULT, Limits
from modelkeep.core.stores.registry import login_address
from modelkeep.core.stores.ssh_auth import Keys
from modelkeep.core.stores.ssh_config import resolve
from modelkeep.core.stores.ssh_connect import Connection
from modelkeep.core.stores.ssh_stages import Stage
from servers import SshServer
from ssh_client import log_in, use, write

needs_root = pytest.mark.skipif(not servers.IS_ROOT, reason=servers.NO_ROOT)


@pytest.fixture(autouse=True)
def _nobody_trusted_before() -> Iterator[None]:
    ssh_identity.forget_trust()
    yield
    ssh_identity.forget_trust()


def here(server: SshServer, user: str = "") -> str:
    """The lines of a Host block that lead to the server."""
    user = user or server.shell.user
    return f"  HostName 127.0.0.1\n  Port {server.port}\n  User {user}\n  IdentityFile {server.key}\n"


def to(host: str, login: servers.Login, limits: Limits = SHORT) -> dict[Stage, str]:
    """Connect to a host of ~/.ssh/config; returns the facts of what was reached."""
    facts: dict[Stage, str] = {}
    Connection(resolve(host), Keys(), login, limits, reached=facts.__setitem__).close()
    return facts


# -- that lead there -----------------------------------------------------------------------------------


def test_the_stages_of_a_connection_in_order(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    seen: list[tuple[Stage, str]] = []
    route = resolve("127.0.0.1", ssh.shell.user, ssh.port)
    keys = Keys(str(ssh.key))
    Connection(route, keys, servers.Login(), SHORT, reached=lambda *one: seen.append(one)).close()
    assert [stage for stage, _ in seen] == list(Stage)
    facts = dict(seen)
    assert facts[Stage.RESOLVED] == "127.0.0.1" and facts[Stage.CONNECTED] == f"127.0.0.1 port {ssh.port}"
    assert facts[Stage.GREETED].startswith("SSH-2.0-OpenSSH")
    assert facts[Stage.TRUSTED] == f"ssh-ed25519 {ssh.fingerprint()}"
    assert facts[Stage.LOGGED_IN] == f"key {ssh.key}"


def test_the_key_and_the_name_of_the_config(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    write(home, "Include lab.conf\nHost other\n  User nobody\n")
    write(home, f"Host lab\n{here(ssh)}  IdentitiesOnly yes\n", "lab.conf")
    use(RemoteSpec.parse(f"ssh://lab{ssh.shell.path}/by-alias"), servers.Login())
    assert (ssh.shell.folder / "by-alias").is_dir()
    assert login_address(RemoteSpec.parse("ssh://LAB/x")) == f"{ssh.shell.user}@127.0.0.1:{ssh.port}"


def test_proxy_jump_over_two_hops(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    write(
        home,
        f"Host first\n{here(ssh)}\nHost second\n{here(ssh)}\nHost last\n{here(ssh)}  ProxyJump first,second\n",
    )
    mark = len(ssh.log())
    facts = to("last", servers.Login())
    assert ssh.log()[mark:].count("Accepted publickey") == 3
    assert facts[Stage.RESOLVED] == "left to 127.0.0.1 (ProxyJump)" and Stage.LOGGED_IN in facts


@needs_root
def test_every_hop_has_a_password_and_an_identity_of_its_own(ssh: SshServer, home: Path) -> None:
    write(
        home,
        f"Host hop last\n  HostName 127.0.0.1\n  Port {ssh.port}\n  User {ssh.shell.user}\nHost last\n  ProxyJump hop\n",
    )
    login = servers.Login(servers.PASSWORD, servers.PASSWORD)
    to("last", login)
    assert login.kinds() == ["trust", "password", "accepted", "password", "accepted"]


def _proxy(tmp_path: Path) -> Path:
    script = tmp_path / "proxy.py"
    script.write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while d := os.read(0, 65536): s.sendall(d)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while d := s.recv(65536): os.write(1, d)\n"
    )
    return script


def test_proxy_command(ssh: SshServer, home: Path, tmp_path: Path) -> None:
    trust(home, ssh)
    write(home, f"Host behind\n  HostName 127.0.0.1\n  ProxyCommand python3 {_proxy(tmp_path)} %h %p\n")
    spec = spec_of(ssh, folder="by-command")
    use(RemoteSpec("ssh", spec.path, "behind", spec.user, spec.port, spec.options), servers.Login())
    assert (ssh.shell.folder / "by-command").is_dir()


@needs_root
def test_an_account_that_may_only_transfer_files(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    assert ssh.sftp_only is not None
    spec = spec_of(ssh, account=ssh.sftp_only, keyfile="")
    use(spec, servers.Login(servers.PASSWORD))
    assert (ssh.sftp_only.folder / "store").is_dir()


# -- that lead nowhere ---------------------------------------------------------------------------------


def test_every_hop_must_be_known(ssh: SshServer, home: Path) -> None:
    write(home, f"Host first\n{here(ssh)}\nHost last\n{here(ssh)}  ProxyJump first\n")
    login = servers.Login(trust="cancel")
    with pytest.raises(UnknownHost):
        to("last", login)
    assert login.kinds() == ["trust"]


@needs_root
def test_a_hop_that_passes_nothing_on(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    assert ssh.sftp_only is not None
    write(home, f"Host hop\n{here(ssh, ssh.sftp_only.user)}Host last\n{here(ssh)}  ProxyJump hop\n")
    with pytest.raises(StoreFailed, match="does not pass connections on") as caught:
        to("last", servers.Login())
    assert caught.value.reason == "jump_failed" and "AllowTcpForwarding" in caught.value.hint


def test_a_hop_that_cannot_be_reached_is_told_as_that(ssh: SshServer, home: Path) -> None:
    port = servers.free_port()
    write(home, f"Host hop\n  HostName 127.0.0.1\n  Port {port}\nHost last\n{here(ssh)}  ProxyJump hop\n")
    with pytest.raises(ConnectionLost, match=r"over 127\.0\.0\.1 \(ProxyJump\): .* refused") as caught:
        to("last", servers.Login())
    assert caught.value.reason == "jump_failed"
    write(home, f"Host last\n{here(ssh)}  ProxyJump nowhere.invalid\n")
    with pytest.raises(
        StoreFailed, match=r"over nowhere\.invalid \(ProxyJump\): No server is named"
    ) as failed:
        to("last", servers.Login())
    assert failed.value.reason == "jump_failed"


def test_a_host_behind_a_hop_that_is_not_there(ssh: SshServer, home: Path) -> None:
    trust(home, ssh)
    port = servers.free_port()
    write(home, f"Host hop\n{here(ssh)}Host last\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump hop\n")
    with pytest.raises(StoreFailed, match=rf"127\.0\.0\.1 cannot reach 127\.0\.0\.1:{port}\.") as caught:
        to("last", servers.Login())
    assert caught.value.reason == "jump_failed" and "try from there" in caught.value.hint


def test_a_circle_of_hops_is_noticed(home: Path) -> None:
    write(home, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(StoreFailed, match="too many hosts") as caught:
        to("a", servers.Login())
    assert caught.value.reason == "jump_failed"


@pytest.mark.parametrize(
    ("command", "said"),
    [("echo 'no route' >&2; exit 3", "no route"), ("no-such-program %h", "not found"), ("true", "")],
)
def test_a_proxy_command_that_fails_is_quoted(home: Path, command: str, said: str) -> None:
    write(home, f'Host lab\n  ProxyCommand sh -c "{command}"\n')
    with pytest.raises(ConnectionLost, match="brought no connection to lab") as caught:
        to("lab", servers.Login())
    assert caught.value.reason == "proxy_failed" and said in caught.value.detail
    assert "sh -c" in caught.value.detail and "SSH-2.0" in caught.value.hint


def test_a_name_nobody_has(home: Path) -> None:
    with pytest.raises(StoreFailed, match="No server is named") as caught:
        to("no-such-host.invalid", servers.Login())
    assert caught.value.reason == "name_unknown" and "typing error" in caught.value.hint
    with pytest.raises(StoreFailed, match="No server is named"):
        to("x" * 70 + ".example", servers.Login())


def test_a_closed_port(home: Path) -> None:
    port = servers.free_port()
    with pytest.raises(
        ConnectionLost, match=f"127.0.0.1:{port} cannot be reached: Connection refused"
    ) as caught:
        log_in(port, servers.Login())
    assert caught.value.reason == "port_refused" and f"nothing listens on port {port}" in caught.value.hint


def test_an_address_that_swallows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other addresses of the name still get their share of the time."""
    with (
        socket.create_server(("127.0.0.1", 0)) as good,
        socket.create_server(("127.0.0.2", 0), backlog=0) as full,
    ):
        fillers = [socket.socket() for _ in range(3)]  # a full queue drops whoever comes next
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            places = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", sock.getsockname()) for sock in (full, good)
            ]
            monkeypatch.setattr(ssh_reach.socket, "getaddrinfo", lambda *_, **__: places)
            ssh_reach.connect_tcp("lab", 22, 1.0, Progress()).close()
            monkeypatch.setattr(ssh_reach.socket, "getaddrinfo", lambda *_, **__: places[:1])
            with pytest.raises(ConnectionLost, match="lab:22 cannot be reached: no answer") as caught:
                ssh_reach.connect_tcp("lab", 22, 0.5, Progress())
            assert caught.value.reason == "unreachable" and "VPN" in caught.value.hint
        finally:
            for filler in fillers:
                filler.close()


# -- servers that speak otherwise ----------------------------------------------------------------------


@contextmanager
def speaking(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that does `behave` with its one caller; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                conn, _ = listener.accept()
                with conn:
                    behave(conn)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _says(*parts: bytes, then: float = 0) -> Callable[[socket.socket], None]:
    def behave(conn: socket.socket) -> None:
        for part in parts:
            conn.sendall(part)
        conn.settimeout(then or 2)
        with suppress(TimeoutError):
            while conn.recv(4096):
                pass

    return behave


@pytest.mark.parametrize(
    ("behave", "reason", "text"),
    [
        (_says(then=4), "silent", "accepts connections but says nothing"),
        (_says(b"SSH-2.0-slow\r\n", then=9), "silent", "accepts connections but says nothing"),
        (lambda conn: None, "closed_early", "closes the connection before it begins"),
        (
            lambda conn: conn.sendall(b"SSH-2.0-x\r\n"),
            "closed_early",
            "closes the connection before it begins",
        ),
        (_says(b"HTTP/1.1 400 Bad Request\r\n" * 200), "not_ssh", "does not answer as an SSH server"),
        (_says(b"\x00\xff\xfe\n" * 200), "not_ssh", "does not answer as an SSH server"),
        (_says(b"SSH-1.5-old\r\n"), "old_algorithms", "only offers outdated encryption"),
    ],
)
def test_who_does_not_speak_ssh(
    home: Path, behave: Callable[[socket.socket], None], reason: str, text: str
) -> None:
    quick = replace(SHORT, connect=0.5, banner=0.7)
    with speaking(behave) as port, pytest.raises(ModelkeepError, match=text) as caught:
        log_in(port, servers.Login(), limits=quick)
    assert caught.value.reason == reason and caught.value.hint


def test_a_slow_greeting_is_waited_for(ssh: SshServer, home: Path) -> None:
    with servers.link_to(ssh) as link:
        trust(home, ssh, link.port)
        link.delay = 0.15
        log_in(link.port, servers.Login(), keyfile=ssh.key, user=ssh.shell.user)


def test_a_cancel_ends_the_wait_for_a_greeting(home: Path) -> None:
    progress = Progress()
    with speaking(_says(then=5)) as port:
        threading.Timer(0.3, progress.cancel).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            log_in(port, servers.Login(), progress=progress, limits=DEFAULT)
        assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "line",
    [
        "Ciphers aes128-cbc",
        "MACs hmac-sha1,hmac-md5\nCiphers aes128-ctr",
        "KexAlgorithms diffie-hellman-group1-sha1",
    ],
)
def test_old_encryption_is_refused(tmp_path: Path, home: Path, line: str) -> None:
    with servers.ssh_server(tmp_path / "d", config=line) as server:
        trust(home, server)
        with pytest.raises(Unsupported, match="outdated encryption") as caught:
            log_in(server, servers.Login(), keyfile=server.key)
    assert caught.value.reason == "old_algorithms" and "administrator" in caught.value.hint
    assert "SSH-2.0-OpenSSH" in caught.value.detail


# -- patience ------------------------------------------------------------------------------------------


def test_the_users_patience_counts(ssh: SshServer, home: Path) -> None:
    def limits(text: str) -> Limits:
        trust(home, ssh).write_text(ssh.known_hosts())
        write(home, f"Host lab\n{here(ssh)}{text}")
        connection = Connection(resolve("lab"), Keys(), servers.Login(), DEFAULT)
        connection.close()
        return connection._limits

    assert limits("") == DEFAULT
    assert limits(" ConnectTimeout 40\n").connect == 40
    busy = limits(" ServerAliveInterval 60\n")
    assert (busy.keepalive, busy.silence) == (60, DEFAULT.silence)
    assert limits(" ServerAliveInterval 60\n ServerAliveCountMax 3\n").silence == 180
