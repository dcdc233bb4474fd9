"""What runs one SSH connection: as paramiko's, but it waits for nobody without end. Knows no logins and no stores.

paramiko waits half a minute for new keys before it sends, whoever wants to stop meanwhile, and without end for the
answer to a request. What it raises then is no OSError, unlike all else that says that a link broke.
"""

from __future__ import annotations

import errno
import threading
from typing import Any

from modelkeep.core.stores.ssh_inbox import Inbox
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_packets import PACKETS
from modelkeep.core.stores.ssh_wire import Wire

_WINDOW = 64 << 20
_PACKET = 32768 + 1024


class Transport(paramiko.Transport):  # type: ignore[misc]  # paramiko has no types
    """A paramiko.Transport over a Wire. A request that is not answered in `patience` seconds raises TimeoutError.

    Whatever is sent for a channel raises ConnectionResetError where it cannot be, and then the connection is over.
    """

    def __init__(self, wire: Wire, patience: float) -> None:
        self._wire = wire
        super().__init__(
            wire, default_window_size=_WINDOW, default_max_packet_size=_PACKET, packetizer_class=PACKETS
        )
        self._channels = _Channels(patience)

    @property
    def clear_to_send_timeout(self) -> float:
        """How long to wait for new keys; paramiko looks at it again and again, so that a cancel counts at once."""
        return self._wire.patience

    @clear_to_send_timeout.setter
    def clear_to_send_timeout(self, _: float) -> None:
        return

    @property
    def is_alive_and_open(self) -> bool:
        """Whether nothing says that the connection is over; says nothing about a frozen link."""
        return bool(self.is_active()) and not self.packetizer.closed

    def _send_user_message(self, data: Any) -> None:
        if threading.current_thread() is self:
            super()._send_user_message(data)
            return
        try:
            if self.packetizer.closed:
                raise EOFError
            super()._send_user_message(data)
        except (paramiko.SSHException, EOFError) as error:
            self.packetizer.close()
            raise ConnectionResetError(errno.ECONNRESET, str(error) or "the link broke") from error


class _Channels(paramiko.transport.ChannelMap):  # type: ignore[misc]
    """The channels of a connection, each with an end to its patience and to what may lie here unread."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self._patience = patience

    def put(self, chanid: int, chan: Any) -> None:
        chan.event = _Answer(self._patience)
        chan.in_buffer = Inbox(_WINDOW)
        chan.in_stderr_buffer = Inbox(_WINDOW)
        super().put(chanid, chan)


class _Answer(threading.Event):
    """The event of an answer, which raises TimeoutError where none comes."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self._patience = patience

    def wait(self, timeout: float | None = None) -> bool:
        if super().wait(self._patience if timeout is None else timeout) or timeout is not None:
            return self.is_set()
        raise TimeoutError("The server does not answer.")
