"""Packets of SSH, several with each call of the system and hardly copied. Knows no channels' meaning and no logins.

paramiko handles one packet after the other, with two calls of the system and six to ten copies of its content for
each; that, not the cipher, is what a transfer would spend its time on. Where AES-GCM was agreed on, which is what
we ask for first, `Packets` does the same work itself; with every other cipher, and until keys are agreed on,
paramiko does. Keys, their renewal and everything about the order of messages stay paramiko's.
"""

from __future__ import annotations

import itertools
import os
import struct
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from modelkeep.core.stores.ssh_library import paramiko

_TAG = 16
_NONCE = 12
_BLOCK = 16
_AROUND = 64  # bytes; more than a packet adds to its content
_LARGEST = 1 << 19  # bytes; OpenSSH sends at most half of that
_ROOM = 1 << 20
_DATA = 94  # the number of the message that carries data
_KEXINIT, _NEWKEYS = b"\x14", 21
_CHANNELS, _UNANSWERED = 90, (93, 94, 95)  # messages about channels, and those that nothing is sent for
_MOST_KEPT = 10_000
_DATA_HEAD = struct.Struct(">BII")
_NeedRekey = paramiko.packet.NeedRekeyException
# What is used of paramiko that it does not promise to keep. Without it everything works as paramiko does it.
_USED = (
    (
        paramiko.Packetizer,
        ("_trigger_rekey", "_check_keepalive", "handshake_timed_out", "write_all", "need_rekey"),
    ),
    (paramiko.Channel, ("_wait_for_send_window",)),
    (paramiko.Transport, ("_send_user_message",)),
)
_IS_KNOWN = all(hasattr(kind, name) for kind, names in _USED for name in names)


class _Nonces:
    """The nonces of one key: four bytes that stay and a number that counts packets (RFC 5647)."""

    def __init__(self, first: bytes) -> None:
        self._fixed = first[:4]
        self._numbers = itertools.count(int.from_bytes(first[4:], "big"))

    def next(self) -> bytes:
        return self._fixed + (next(self._numbers) & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


@dataclass(slots=True)
class _Key:
    """What one direction is encrypted with, and how much of it was used."""

    engine: Any
    nonces: _Nonces
    padding: bytes = field(default_factory=lambda: os.urandom(3 + _BLOCK))
    packets: int = 0
    bytes: int = 0


#: The head and the content of a packet.
_Payload = tuple[bytes, bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Burst:
    """Data for a channel that goes out as several packets at once; where paramiko expects a Message."""

    channel: int
    data: memoryview
    most: int  # bytes in one packet

    def payloads(self) -> Sequence[_Payload]:
        """The head and the content of each packet."""
        parts = [self.data[at : at + self.most] for at in range(0, len(self.data), self.most)]
        return [(_DATA_HEAD.pack(_DATA, self.channel, len(part)), part) for part in parts]


class _Data:
    """A message with data for a channel, which is copied out once. Looks like a paramiko.Message being read."""

    __slots__ = ("_plain", "_size", "seqno")

    def __init__(self, plain: bytes, end: int, seqno: int) -> None:
        self._plain = plain
        self._size = int.from_bytes(plain[6:10], "big")
        self.seqno = seqno
        if 10 + self._size > end:
            raise paramiko.SSHException("The server's data is shorter than it says.")

    def get_int(self) -> int:
        """The channel."""
        return int.from_bytes(self._plain[2:6], "big")

    def get_binary(self) -> bytes:
        """The data."""
        return self._plain[10 : 10 + self._size]


class Packets(paramiko.Packetizer):  # type: ignore[misc]  # paramiko has no types
    """What a paramiko.Transport reads and writes packets with. After a failure of either it is closed."""

    REKEY_BYTES = 1 << 34  # a quarter of what AES allows; paramiko's own 512 MiB are gone in seconds

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._wire = sock
        self._sending = threading.RLock()
        self._out: _Key | None = None
        self._in: _Key | None = None
        self._received = 0  # packets since the numbers began
        self._waited = 0  # bytes since we asked for new keys
        self._plain = self._sealed = memoryview(b"")
        self._room = bytearray(_ROOM)
        self._view = memoryview(self._room)
        self._is_renewing = False
        self._has_new_keys = False  # but paramiko has not been at work on them yet
        self._kept: deque[tuple[int, Any]] = deque()
        self._from = self._to = 0  # what is in the room and was not read yet

    @property
    def takes_bursts(self) -> bool:
        """Whether `send_message` takes a Burst."""
        return self._out is not None

    # -- keys ------------------------------------------------------------------------------------------

    def set_outbound_cipher(self, *args: Any, **known: Any) -> None:
        super().set_outbound_cipher(*args, **known)
        self._out = _key(self._out, known)

    def set_inbound_cipher(self, *args: Any, **known: Any) -> None:
        super().set_inbound_cipher(*args, **known)
        self._in = _key(self._in, known)
        self._waited = 0

    def set_outbound_compressor(self, compressor: Any) -> None:
        self._refuse(compressor, self._out)
        super().set_outbound_compressor(compressor)

    def set_inbound_compressor(self, compressor: Any) -> None:
        self._refuse(compressor, self._in)
        super().set_inbound_compressor(compressor)

    @staticmethod
    def _refuse(compressor: Any, key: _Key | None) -> None:
        if compressor is not None and key is not None:  # nobody asks for it, and nobody here does it
            raise paramiko.SSHException("The server wants its packets compressed.")

    def reset_seqno_in(self) -> None:
        super().reset_seqno_in()
        self._received = 0

    def _used(self, key: _Key, packets: int, size: int) -> None:
        key.packets += packets
        key.bytes += size
        if (key.packets >= self.REKEY_PACKETS or key.bytes >= self.REKEY_BYTES) and not self.need_rekey():
            self._waited = 0
            self._trigger_rekey()

    # -- sending ---------------------------------------------------------------------------------------

    def send_message(self, data: Any) -> None:
        """Send a paramiko.Message or a Burst. Raises EOFError where the link is gone."""
        if not isinstance(data, Burst) and data.asbytes()[:1] == _KEXINIT:
            self._is_renewing = True
        try:
            with self._sending:
                if self._out is None:
                    super().send_message(data)
                else:
                    self._send(self._out, data)
        except BaseException:
            self.close()  # what was sent may end in the middle of a packet
            raise

    def _send(self, key: _Key, data: Any) -> None:
        payloads = data.payloads() if isinstance(data, Burst) else [(b"", data.asbytes())]
        self._make_room(payloads)
        size = self._seal(key, payloads)
        self.write_all(self._sealed[:size])
        self._used(key, len(payloads), size)

    def _make_room(self, payloads: Sequence[_Payload]) -> None:
        most = sum(len(head) + len(part) + _AROUND for head, part in payloads)
        if len(self._plain) < most:
            self._plain = memoryview(bytearray(most))
            self._sealed = memoryview(bytearray(most))

    def _seal(self, key: _Key, payloads: Sequence[_Payload]) -> int:
        """Make packets of these: size, then encrypted how much padding, content and padding, then the tag."""
        plain, sealed, encrypt, nonce = self._plain, self._sealed, key.engine.encrypt_into, key.nonces.next
        at = 0
        for head, part in payloads:
            start = 1 + len(head)
            end = start + len(part)
            padding = 3 + _BLOCK - (end + 3) % _BLOCK
            size = end + padding
            plain[0] = padding
            plain[1:start] = head
            plain[start:end] = part
            plain[end:size] = key.padding[:padding]
            content = at + 4
            at = content + size + _TAG
            sealed[content - 4 : content] = size.to_bytes(4, "big")
            encrypt(nonce(), plain[:size], sealed[content - 4 : content], sealed[content:at])
        return at

    # -- receiving -------------------------------------------------------------------------------------

    def read_message(self) -> tuple[int, Any]:
        """The next message and its number. Raises EOFError at the end, and for what was tampered with.

        While keys are being renewed nothing may be sent, and paramiko answers what comes for a channel from the
        very thread that renews them: it would wait for itself, half a minute. Such messages are kept until then.
        """
        try:
            return self._next_message()
        except _NeedRekey:
            raise
        except BaseException:
            self.close()  # at once, so that nobody who is told of the end takes it for that of a channel
            raise

    def _next_message(self) -> tuple[int, Any]:
        if self._has_new_keys:
            self._has_new_keys = self._is_renewing = False
        while not self._kept or self._is_renewing:
            kind, message = self._read_message()
            if not self._is_renewing or kind < _CHANNELS or kind in _UNANSWERED:
                self._has_new_keys = kind == _NEWKEYS
                return kind, message
            self._kept.append((kind, message))
            if len(self._kept) > _MOST_KEPT:
                raise paramiko.SSHException("The server does not agree on new keys.")
        return self._kept.popleft()

    def _read_message(self) -> tuple[int, Any]:
        key = self._in
        if key is None:
            self._received += 1
            found: tuple[int, Any] = super().read_message()
            return found
        self._need(4, may_rekey=True)
        size = int.from_bytes(self._room[self._from : self._from + 4], "big")
        if size > _LARGEST or size % _BLOCK or not size:
            raise paramiko.SSHException("The server sent a packet of an impossible size.")
        self._need(4 + size + _TAG)
        at, end = self._from, self._from + 4 + size + _TAG
        plain = key.engine.decrypt(key.nonces.next(), self._view[at + 4 : end], self._view[at : at + 4])
        self._from = end
        self._count(key, end - at)
        return self._message(plain, size - plain[0])

    def _message(self, plain: bytes, end: int) -> tuple[int, Any]:
        if end < 2:
            raise paramiko.SSHException("The server sent a packet without a message.")
        number = self._received
        self._received = (number + 1) & 0xFFFFFFFF
        kind = plain[1]
        if kind == _DATA and end >= 10:
            return kind, _Data(plain, end, number)
        message = paramiko.Message(plain[2:end])
        message.seqno = number
        return kind, message

    def _count(self, key: _Key, size: int) -> None:
        if self.need_rekey():
            self._waited += size
            if self._waited >= self.REKEY_BYTES_OVERFLOW_MAX:
                raise paramiko.SSHException("The server does not agree on new keys.")
        self._used(key, 1, size)

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """Exactly `n` bytes, first of what is in the room: for packets that paramiko reads."""
        there = self._to - self._from
        if not there:
            found: bytes = super().read_all(n, check_rekey)
            return found
        first = bytes(self._view[self._from : self._from + min(n, there)])
        self._from += len(first)
        return first if len(first) == n else first + self.read_all(n - len(first))

    def _need(self, size: int, *, may_rekey: bool = False) -> None:
        """Wait until the room holds `size` unread bytes."""
        if self._to - self._from >= size:
            return
        if self._from == self._to:
            self._from = self._to = 0
        elif self._from + size > _ROOM:
            rest = bytes(self._view[self._from : self._to])
            self._from, self._to = 0, len(rest)
            self._room[: len(rest)] = rest
        while self._to - self._from < size:
            if self.handshake_timed_out():
                raise EOFError
            try:
                count = self._wire.recv_into(self._view[self._to :])
            except TimeoutError:
                self._waited_in_vain(may_rekey and self._from == self._to)
                continue
            except OSError:
                if self.closed:
                    raise EOFError from None
                raise
            if not count:
                raise EOFError
            self._to += count

    def _waited_in_vain(self, is_between: bool) -> None:
        if self.closed:
            raise EOFError
        if is_between and self.need_rekey():
            raise _NeedRekey
        self._check_keepalive()


#: What a paramiko.Transport is to use; None stands for paramiko's own.
PACKETS = Packets if _IS_KNOWN else None


def _key(before: _Key | None, known: dict[str, Any]) -> _Key | None:
    """The key paramiko was told of, if it is one for AES-GCM. Raises SSHException where it was one before only."""
    engine = known.get("block_engine")
    first = known.get("iv_out") or known.get("iv_in")
    is_gcm = known.get("aead") and isinstance(engine, AESGCM) and hasattr(engine, "encrypt_into")
    if is_gcm and isinstance(first, bytes) and len(first) == _NONCE:
        return _Key(engine, _Nonces(first))
    if before is not None:  # no server does that, and paramiko has not counted along
        raise paramiko.SSHException("The server changed the cipher.")
    return None
