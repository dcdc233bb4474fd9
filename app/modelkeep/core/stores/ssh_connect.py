"""One SSH connection: reach the server, prove its identity, log in. Knows no SFTP and no stores.

The order is fixed: nothing that could be a secret is sent before the host key was compared with known_hosts
or trusted by a person. Every hop of ProxyJump is a connection of its own with the same checks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from modelkeep.core.errors import ConnectionLost, ModelkeepError, StoreFailed, Unsupported
from modelkeep.core.nouns import replace
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.base import LoginProvider
from modelkeep.core.stores.host_keys import HostKey
from modelkeep.core.stores.limits import Limits
from modelkeep.core.stores.ssh_auth import Keys, TooManyKeys, log_in
from modelkeep.core.stores.ssh_command import Command
from modelkeep.core.stores.ssh_config import Route, resolve, split_hop
from modelkeep.core.stores.ssh_failures import no_handshake, not_begun, not_forwarded, on_the_way
from modelkeep.core.stores.ssh_identity import check_host, key_types
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_questions import harmless
from modelkeep.core.stores.ssh_reach import Proxy, connect_tcp
from modelkeep.core.stores.ssh_stages import Reached, Stage, nothing
from modelkeep.core.stores.ssh_transport import Transport
from modelkeep.core.stores.ssh_wire import Pipe, Wire

__all__ = ["Command", "Connection"]

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
_FOR_COMMANDS = 8 << 20  # bytes of output that may be here unread
_MAX_HOPS = 8
_TRIES = 3
_LAST_WORDS, _MOST_WORDS = 2.0, 2000  # seconds and bytes for why an account is sent away
_THOUGHT = 30.0  # seconds; a login that takes longer waits for a person


class Connection:
    """An authenticated connection. `open_sftp` and `start` may be called from several threads."""

    def __init__(
        self,
        route: Route,
        keys: Keys,
        login: LoginProvider,
        limits: Limits,
        progress: Progress = SILENT,
        *,
        reached: Reached = nothing,
    ) -> None:
        """`reached(stage, fact)` is called for every step on the way; raises what the first failing one does."""
        self.route = route
        self._limits = _as_configured(limits, route)
        self._reached = reached
        self._under: list[Callable[[], None]] = []
        self._proxy: Proxy | None = None
        self._met: float | None = None  # when the keys of the connection were agreed on
        self._transport: Any = None
        try:
            for left in range(_TRIES - 1, -1, -1):
                try:
                    self._open(keys, login, progress)
                    break
                except (TooManyKeys, ConnectionLost) as error:
                    again = self._another_try(keys, error)
                    if again is None or not left:
                        raise
                    progress.check()
                    self.close()
                    keys = again
        except BaseException:
            self.close()
            raise

    def _another_try(self, keys: Keys, error: TooManyKeys | ConnectionLost) -> Keys | None:
        """With which keys a new connection would get further; None where it would not.

        A password does where keys used up the server's patience. And a server that gives people two minutes to log
        in has hung up on somebody who thought about a fingerprint for longer: the answer is not lost by that.
        """
        if isinstance(error, TooManyKeys):
            return replace(keys, without=True) if error.asks_otherwise else None
        has_thought = self._met is not None and time.monotonic() - self._met > _THOUGHT
        return keys if has_thought and error.reason == "closed_early" else None

    def _open(self, keys: Keys, login: LoginProvider, progress: Progress) -> None:
        self._met = None
        sock = self._reach(login, progress)
        self.wire = Wire(sock, self._limits.silence)
        self._under.append(self.wire.close)
        with progress.interrupting(self.abort):
            self._negotiate(progress)
            self._met = time.monotonic()
            presented = self._transport.get_remote_server_key()
            key = HostKey(presented.get_name(), presented.asbytes())
            certificate = presented.public_blob.key_blob if presented.public_blob else None
            self._reached(Stage.TRUSTED, check_host(self.route, key, certificate, login, progress))
            progress.check()
            how = log_in(self._transport, self.route, keys, login, progress)
        self._reached(Stage.LOGGED_IN, how)
        self._transport.set_keepalive(self._limits.keepalive)

    # -- reaching the server ---------------------------------------------------------------------------

    def _reach(self, login: LoginProvider, progress: Progress) -> Any:
        address = self.route.address
        if self.route.proxy_command:
            self._reached(Stage.RESOLVED, "left to ProxyCommand")
            self._proxy = Proxy(self.route.proxy_command)
            self._under.append(self._proxy.close)
            self._reached(Stage.CONNECTED, "through ProxyCommand")
            return self._proxy.sock
        if self.route.jumps:
            return self._jump(login, progress)
        return connect_tcp(address.host, address.port, self._limits.connect, progress, self._reached)

    def _jump(self, login: LoginProvider, progress: Progress) -> Any:
        *before, last = self.route.jumps
        host, user, port = split_hop(last)
        hop = resolve(host, user, port)
        # As in OpenSSH, only the first hop follows its own ProxyJump: the others are reached from the one before.
        if before:
            hop = replace(hop, jumps=tuple(before), proxy_command="")
        if self.route.depth >= _MAX_HOPS:
            raise StoreFailed(
                "~/.ssh/config jumps over too many hosts.",
                hint="Look for a circle in ProxyJump.",
                reason="jump_failed",
            )
        hop = replace(hop, depth=self.route.depth + 1)
        self._reached(Stage.RESOLVED, f"left to {hop.address.host} (ProxyJump)")
        try:
            # What a remote says about keys is about its own server; hosts in between follow the user's config.
            carrier = Connection(hop, Keys(), login, self._limits, progress)
        except (ConnectionLost, StoreFailed, Unsupported) as error:
            raise on_the_way(self.route, hop, error) from error
        self._under.append(carrier.close)
        with progress.interrupting(carrier.abort):
            channel = carrier.forward(self.route.address.host, self.route.address.port)
        self._reached(Stage.CONNECTED, f"through {hop.address.host}")
        return channel

    def forward(self, host: str, port: int) -> Any:
        """A channel from the server on to host:port. Raises StoreFailed where the server does not allow it."""
        try:
            return self._transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=self._limits.connect
            )
        except paramiko.ChannelException as error:
            raise not_forwarded(self.route.address.host, f"{host}:{port}", error) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self.lost(error) from error

    # -- identity --------------------------------------------------------------------------------------

    def _negotiate(self, progress: Progress) -> None:
        transport = Transport(self.wire, self._limits.silence)
        self._transport = transport
        transport.set_log_channel(_LOG)
        transport.banner_timeout = self._limits.banner
        transport.handshake_timeout = self._limits.banner
        transport.auth_timeout = self._limits.auth
        transport.channel_timeout = self._limits.silence
        options = transport.get_security_options()
        options.ciphers = _CIPHERS
        options.digests = _MACS
        options.key_types = key_types(self.route, tuple(options.key_types))
        problem: Exception | None = None
        try:
            transport.start_client(timeout=self._limits.connect + self._limits.banner)
        except (paramiko.SSHException, OSError, EOFError) as error:
            problem = error
        progress.check()
        if transport.remote_version:
            self._reached(Stage.GREETED, harmless(transport.remote_version, 200))
        if transport.packetizer.handshake_timed_out() or not (problem or transport.initial_kex_done):
            raise self._no_handshake(TimeoutError("no keys were agreed on in time")) from problem
        if problem is not None:
            raise self._no_handshake(problem) from problem

    def _no_handshake(self, error: Exception) -> ModelkeepError:
        greeting = self._transport.remote_version or ""
        if self._proxy is not None and not greeting:
            return self._proxy.failed(self.route.address.host)
        return no_handshake(self.route, error, greeting)

    # -- use -------------------------------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether the transport still runs; says nothing about a frozen link."""
        return self._transport is not None and self._transport.is_alive_and_open

    def open_sftp(self, progress: Progress = SILENT) -> Pipe:
        """A channel with the SFTP subsystem. Raises StoreFailed where the server offers none."""
        try:
            with progress.interrupting(self.abort):
                channel = self._channel()
                channel.invoke_subsystem("sftp")
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not self.is_alive or isinstance(error, TimeoutError):
                raise self.lost(error) from error
            raise StoreFailed(
                f"{self.route.address.host} offers no SFTP.",
                hint="Ask its administrator to enable it (Subsystem sftp internal-sftp in sshd_config).",
                reason="no_sftp",
            ) from error
        return _Transfer(channel, self.wire, self._limits.silence, self._sent_away)

    def _sent_away(self) -> None:
        """Raise what a server says that lets an account in and sends it away, as with an expired password.

        It says so to commands only. Raises nothing if it says nothing.
        """
        said = b""
        with suppress(StoreFailed, ConnectionLost, paramiko.SSHException, OSError, EOFError):
            channel = self._channel()
            channel.exec_command("true")
            channel.settimeout(_LAST_WORDS)
            while part := channel.recv_stderr(_MOST_WORDS):
                said = (said + part)[:_MOST_WORDS]
        if said.strip():
            raise not_begun(self.route, said)

    def start(self, command: str, progress: Progress = SILENT, window: int | None = None) -> Command | None:
        """Start a command on the server; None where it does not allow commands.

        `window` is how many bytes of its output may be here unread.
        """
        try:
            with progress.interrupting(self.abort):
                channel = self._channel(window or _FOR_COMMANDS)
                channel.exec_command(command)
        except StoreFailed as error:
            raise self.lost(error) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not self.is_alive or isinstance(error, TimeoutError):
                raise self.lost(error) from error
            return None
        return Command(channel, self, self._limits.silence)

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
        channel.in_buffer.most = channel.in_stderr_buffer.most = channel.in_window_size
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


class _Transfer(Pipe):
    """The pipe to the server's file transfer; calls `ended_at_once` if it ends before it began."""

    def __init__(self, channel: Any, wire: Wire, silence: float, ended_at_once: Callable[[], None]) -> None:
        super().__init__(channel, wire, silence)
        self._ended_at_once = ended_at_once
        self._has_begun = False

    def recv(self, size: int) -> bytes:
        data = super().recv(size)
        if not data and not self._has_begun:
            self._ended_at_once()
        self._has_begun = True
        return data


def _as_configured(limits: Limits, route: Route) -> Limits:
    """The patience the user's config asks for. Many set ServerAliveInterval only to keep a link busy, so it alone
    does not make Modelkeep wait longer for an answer; with ServerAliveCountMax it does."""
    limits = replace(
        limits,
        connect=limits.connect if route.connect_timeout is None else max(1.0, route.connect_timeout),
        keepalive=limits.keepalive if route.alive_interval is None else route.alive_interval,
    )
    if route.alive_interval and route.alive_count:
        patience = float(route.alive_interval * route.alive_count)
        limits = replace(limits, silence=max(limits.silence, patience))
    return limits
