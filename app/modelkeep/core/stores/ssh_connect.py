"""One SSH connection: reach the server, prove its identity, log in. Knows no SFTP and no stores.

The order is fixed: nothing that could be a secret is sent before the host key was compared with known_hosts
or trusted by a person. Every hop of ProxyJump is a connection of its own with the same checks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from modelkeep.core.errors import ConnectionLost, ModelkeepError, StoreFailed, UnknownHost, Unsupported
from modelkeep.core.nouns import replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores import host_keys
from modelkeep.core.stores.base import LoginProvider, Trust
from modelkeep.core.stores.host_keys import HostKey
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.ssh_auth import Keys, log_in
from modelkeep.core.stores.ssh_config import Route, resolve, split_hop
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_packets import Inbox, Packets
from modelkeep.core.stores.ssh_wire import Pipe, Proxy, Wire, connect_tcp

_LOG = "modelkeep.ssh"
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False  # it prints what becomes our errors anyway

# AES-GCM costs half of CTR with a MAC. CBC, 3DES, MD5, SHA-1 and cut MACs are left out (safety 5.7).
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_WINDOW = 64 << 20
_PACKET = 32768 + 1024
_WHOLE = 1 << 28  # paramiko copies its whole buffer for every smaller bite
_MAX_HOPS = 8

_trusted_once: set[tuple[str, bytes]] = set()
_trusting = threading.Lock()  # one question for all workers that meet the same unknown host


class Connection:
    """An authenticated connection. `open_session` and `run` may be called from several threads."""

    def __init__(
        self, route: Route, keys: Keys, login: LoginProvider, limits: Limits, progress: Progress = SILENT
    ) -> None:
        self.route = route
        self._limits = limits
        self._under: list[Callable[[], None]] = []
        self._transport: Any = None
        try:
            self._open(keys, login, progress)
        except BaseException:
            self.close()
            raise

    def _open(self, keys: Keys, login: LoginProvider, progress: Progress) -> None:
        sock = self._reach(keys, login, progress)
        self.wire = Wire(sock, self._limits.silence)
        self._under.append(self.wire.close)
        with progress.interrupting(self.abort):
            self._negotiate(progress)
            self._check_host(login)
            progress.check()
            log_in(self._transport, self.route, keys, login)
        self._transport.set_keepalive(self._limits.keepalive)

    # -- reaching the server ---------------------------------------------------------------------------

    def _reach(self, keys: Keys, login: LoginProvider, progress: Progress) -> Any:
        address = self.route.address
        if self.route.proxy_command:
            proxy = Proxy(self.route.proxy_command)
            self._under.append(proxy.close)
            return proxy.sock
        if self.route.jumps:
            return self._jump(keys, login, progress)
        return connect_tcp(address.host, address.port, self._limits.connect, progress)

    def _jump(self, keys: Keys, login: LoginProvider, progress: Progress) -> Any:
        *before, last = self.route.jumps
        host, user, port = split_hop(last)
        hop = resolve(host, user, port)
        # As in OpenSSH, only the first hop follows its own ProxyJump: the others are reached from the one before.
        if before:
            hop = replace(hop, jumps=tuple(before), proxy_command="")
        if self.route.depth >= _MAX_HOPS:
            raise StoreFailed(
                "~/.ssh/config jumps over too many hosts.", hint="Look for a circle in ProxyJump."
            )
        hop = replace(hop, depth=self.route.depth + 1)
        carrier = Connection(hop, Keys(use_agent=keys.use_agent), login, self._limits, progress)
        self._under.append(carrier.close)
        with progress.interrupting(carrier.abort):
            return carrier.forward(self.route.address.host, self.route.address.port)

    def forward(self, host: str, port: int) -> Any:
        """A channel from the server on to host:port. Raises StoreFailed where the server does not allow it."""
        try:
            return self._transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=self._limits.connect
            )
        except paramiko.ChannelException as error:
            raise StoreFailed(
                f"{self.route.address.host} does not pass connections on to {host}:{port}.",
                detail=str(error),
                hint="Check ProxyJump in ~/.ssh/config.",
            ) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self.lost(error) from error

    # -- identity --------------------------------------------------------------------------------------

    def _negotiate(self, progress: Progress) -> None:
        transport = paramiko.Transport(
            self.wire,
            default_window_size=_WINDOW,
            default_max_packet_size=_PACKET,
            packetizer_class=Packets,
        )
        self._transport = transport
        transport.set_log_channel(_LOG)
        transport.banner_timeout = self._limits.banner
        transport.handshake_timeout = self._limits.banner
        transport.auth_timeout = self._limits.auth
        transport.channel_timeout = self._limits.silence
        options = transport.get_security_options()
        options.ciphers = _CIPHERS
        options.digests = _MACS
        known = host_keys.lookup(self.route.known_hosts, self.route.address)
        options.key_types = _preferred(known.types(), tuple(options.key_types))
        try:
            transport.start_client(timeout=self._limits.connect + self._limits.banner)
        except (paramiko.SSHException, OSError, EOFError) as error:
            progress.check()
            raise self._no_handshake(error) from error

    def _no_handshake(self, error: Exception) -> ModelkeepError:
        host = self.route.address.host
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            return Unsupported(
                f"{host} only offers outdated encryption.",
                detail=str(error),
                hint="Ask its administrator to update the SSH server; older methods are unsafe and not used.",
            )
        place = f"{host}:{self.route.address.port}"
        return ConnectionLost(
            f"{place} does not answer as an SSH server.",
            detail=str(error),
            hint="Check the address and port.",
        )

    def _check_host(self, login: LoginProvider) -> None:
        presented = self._transport.get_remote_server_key()
        key = HostKey(presented.get_name(), presented.asbytes())
        address = self.route.address
        if host_keys.lookup(self.route.known_hosts, address).accepts(key):
            return
        name = host_keys.host_name(address)
        with _trusting:
            if (name, key.blob) in _trusted_once:
                return
            if host_keys.lookup(self.route.known_hosts, address).accepts(key):
                return  # trusted by another worker meanwhile
            answer = Trust(login.trust_host(name, key.type, key.fingerprint))
            if answer is Trust.CANCEL:
                raise UnknownHost(name, key.type, key.fingerprint)
            if answer is Trust.REMEMBER and self.route.known_hosts:
                file = self.route.known_hosts[0]
                host_keys.remember(file, address, key, hashed=self.route.hash_known_hosts)
            else:
                _trusted_once.add((name, key.blob))

    # -- use -------------------------------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether the transport still runs; says nothing about a frozen link."""
        return self._transport is not None and bool(self._transport.is_active())

    def open_sftp(self, progress: Progress = SILENT) -> Pipe:
        """A channel with the SFTP subsystem. Raises StoreFailed where the server offers none."""
        try:
            with progress.interrupting(self.abort):
                channel = self._channel()
                channel.invoke_subsystem("sftp")
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not self.is_alive:
                raise self.lost(error) from error
            raise StoreFailed(
                f"{self.route.address.host} offers no SFTP.", hint="Ask its administrator to enable it."
            ) from error
        return Pipe(channel, self.wire, self._limits.silence)

    def start(self, command: str, progress: Progress = SILENT, window: int | None = None) -> Command | None:
        """Start a command on the server; None where it does not allow commands.

        `window` is how many bytes of its output may be here unread.
        """
        try:
            with progress.interrupting(self.abort):
                channel = self._channel(window)
                channel.exec_command(command)
        except StoreFailed as error:
            raise self.lost(error) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not self.is_alive:
                raise self.lost(error) from error
            return None
        return Command(channel, self.wire, self._limits.silence)

    def _channel(self, window: int | None = None) -> Any:
        try:
            channel = self._transport.open_session(window_size=window, timeout=self._limits.silence)
        except paramiko.ChannelException as error:
            if not self.is_alive:
                raise self.lost(error) from error
            host = self.route.address.host
            raise StoreFailed(f"{host} allows no further session in a connection.") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self.lost(error) from error
        channel.in_buffer = Inbox()
        return channel

    def lost(self, error: BaseException) -> ConnectionLost:
        """The error for a connection that broke."""
        return ConnectionLost(
            f"The connection to {self.route.address.host} broke.",
            detail=str(error),
            hint="What was finished is kept; try again.",
        )

    def abort(self) -> None:
        """Make whoever waits for the server fail soon; never blocks, safe from any thread."""
        transport = self._transport
        if transport is not None:
            transport.packetizer.close()

    def close(self) -> None:
        """End the connection, its hops and its threads; safe to repeat and from any thread."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
            if transport.ident is not None:
                transport.join(2)
        while self._under:
            with suppress(OSError, EOFError):
                self._under.pop()()


class Command:
    """A command at work on the server; its output is small and read at the end."""

    _MOST = 8 << 20

    def __init__(self, channel: Any, wire: Wire, silence: float) -> None:
        self._channel = channel
        self._pipe = Pipe(channel, wire, silence)
        self._output = bytearray()
        channel.set_combine_stderr(False)

    def feed(self, data: bytes, progress: Progress) -> None:
        """Send `data` to its input. Raises OSError or EOFError if it takes no more; a cancel ends it soon."""
        self._pipe.watch(progress)
        view = memoryview(data)
        while view:
            count = self._pipe.send(view)
            if not count:
                raise EOFError
            view = view[count:]

    def end_of_input(self) -> None:
        """Nothing more will be fed. Raises nothing: an end that was there before is as good."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.shutdown_write()

    def receive(self) -> bytes:
        """All output that is here, or b"" at its end. Raises OSError after a long silence, Cancelled."""
        return self._pipe.recv(_WHOLE)

    def close(self) -> None:
        """Let go of it, whether or not it has ended. Raises nothing."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._pipe.close()

    def abandon(self, deadline: float) -> None:
        """Let it clean up behind itself, after the end of its input, until `deadline`. Raises nothing."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            while (left := deadline - time.monotonic()) > 0:
                self._pipe.watch(SILENT, left)
                if not self._pipe.recv(1 << 16):
                    break
        self.close()

    def wait(
        self, progress: Progress, still_there: Callable[[], None], every: float, most: int | None = None
    ) -> tuple[int, bytes]:
        """(exit code, output) once it ends, however long it takes; it is broken off after `most` bytes.

        `still_there` is called every few seconds and raises ConnectionLost if the link is dead.
        """
        asked = time.monotonic()
        try:
            while True:
                progress.check()
                try:
                    data = self._channel.recv(1 << 16)
                except TimeoutError:
                    if time.monotonic() - asked > every:
                        still_there()
                        asked = time.monotonic()
                    continue
                self._output += data
                if not data or len(self._output) > (most or self._MOST):
                    return self._code() if not data else -1, bytes(self._output)
        finally:
            self._channel.close()

    def _code(self) -> int:
        for _ in range(25):  # the code comes with or just after the end of the output
            if self._channel.exit_status_ready():
                return int(self._channel.recv_exit_status())
            time.sleep(0.02)
        return -1


def _preferred(known: list[str], offered: tuple[str, ...]) -> tuple[str, ...]:
    """Key types in an order that makes the server show a key that is known."""
    names: list[str] = []
    for kind in known:
        names += ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]
    first = [name for name in names if name in offered]
    return tuple(first + [name for name in offered if name not in first])
