"""Packets of SSH that are made and read here instead of by paramiko: against real servers, and against damage."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

import servers
from contract.conftest import SHORT, spec_of, trust
from contract.objects import put, some_objects
from modelkeep.core.stores.base import Store
from modelkeep.core.stores.limits import DEFAULT
from modelkeep.core.stores.registry import open_store
from modelkeep.core.stores.ssh_inbox import Inbox
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_packets import Burst, Packets, _key
from modelkeep.core.stores.ssh_wire import Wire

Connect = Callable[..., Store]
DATA = 94


@pytest.fixture
def ends() -> Iterator[tuple[Packets, Packets, socket.socket]]:
    """Two ends with one key, and the socket that is read from."""
    here, there = socket.socketpair()
    for sock in (here, there):
        sock.settimeout(0.1)
    key, first = os.urandom(16), os.urandom(4) + bytes(7) + b"\xfe"  # the counter soon carries over
    sender, reader = Packets(Wire(here, 5)), Packets(Wire(there, 5))
    sender.set_outbound_cipher(block_engine=AESGCM(key), block_size=16, **_rest("out", first))
    reader.set_inbound_cipher(block_engine=AESGCM(key), block_size=16, **_rest("in", first))
    yield sender, reader, there
    here.close()
    there.close()


def _rest(way: str, first: bytes) -> dict[str, object]:
    return {"mac_engine": None, "mac_size": 16, "mac_key": None, "aead": True, f"iv_{way}": first}


def test_bursts_and_messages_of_every_length_arrive(ends: tuple[Packets, Packets, socket.socket]) -> None:
    sender, reader, _ = ends
    for size in [*range(1, 70), 32_704, 32_768, 100_001]:
        data = os.urandom(size)
        sender.send_message(Burst(7, memoryview(data), 32_704))
        found = b""
        while len(found) < size:
            kind, message = reader.read_message()
            assert (kind, message.get_int()) == (DATA, 7)
            found += message.get_binary()
        assert found == data
        ours = paramiko.Message(b"\x5c" + data[:200])
        sender.send_message(ours)
        kind, message = reader.read_message()
        assert kind == 0x5C and message.asbytes() == data[:200]


@pytest.mark.parametrize("place", [0, 3, 5, 40, -1])
def test_a_flipped_bit_is_found(ends: tuple[Packets, Packets, socket.socket], place: int) -> None:
    sender, reader, sock = ends
    sender.send_message(Burst(7, memoryview(b"content " * 50), 32_704))
    raw = bytearray(sock.recv(10_000))
    raw[place] ^= 8
    reader._room[: len(raw)] = raw
    reader._to = len(raw)
    reader.close()  # so that nobody waits for the rest of a packet that says it is longer
    with pytest.raises((InvalidTag, paramiko.SSHException, EOFError)):
        reader.read_message()


def test_half_a_packet_is_the_end_of_the_connection(
    ends: tuple[Packets, Packets, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, reader, _ = ends
    sender._wire._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    monkeypatch.setattr(sender._wire, "_patience", 0.1)  # nobody reads: it does not all fit
    with pytest.raises(EOFError):
        sender.send_message(Burst(7, memoryview(bytes(1 << 20)), 32_704))
    assert sender.closed and sender._wire.sent > 0
    with pytest.raises(EOFError):
        while True:
            reader.read_message()
    assert reader.closed


def test_what_is_no_aes_gcm_is_left_to_paramiko() -> None:
    key, first = os.urandom(32), os.urandom(12)
    assert _key(None, {"block_engine": AESGCM(key), **_rest("out", first)}) is not None
    for engine, rest in (
        (ChaCha20Poly1305(key), _rest("out", first)),
        (AESGCM(key), _rest("out", first[:8])),
        (AESGCM(key), _rest("elsewhere", first)),
    ):
        assert _key(None, {"block_engine": engine, **rest}) is None


def test_packets_that_are_to_be_compressed_are_refused(ends: tuple[Packets, Packets, socket.socket]) -> None:
    sender, reader, _ = ends
    sender.set_outbound_compressor(None)
    with pytest.raises(paramiko.SSHException):
        sender.set_outbound_compressor(bytes)
    with pytest.raises(paramiko.SSHException):
        reader.set_inbound_compressor(bytes)


def test_an_inbox_takes_no_more_than_was_allowed() -> None:
    inbox = Inbox(10)
    for part in (b"123", b"45", b"6"):
        inbox.feed(part)
    assert [inbox.read(2, 1), inbox.read(3, 1), inbox.read(100, 1)] == [b"12", b"345", b"6"]
    inbox.feed(b"0123456789")
    with pytest.raises(paramiko.SSHException, match="more than it may"):
        inbox.feed(b"x")


def test_keys_are_renewed_in_the_middle_of_transfers(
    ssh: servers.SshServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[str] = []

    def noting(self: Packets) -> None:
        renewed.append("asked")
        trigger(self)

    trigger = Packets._trigger_rekey
    monkeypatch.setattr(Packets, "_trigger_rekey", noting)
    monkeypatch.setattr(Packets, "REKEY_BYTES", 3 << 20)
    store = connect(limits=DEFAULT)
    before = ssh.log().count("Accepted publickey")
    data = {**some_objects(30, 50_000), "files/md5/aa/large": os.urandom(20 << 20)}
    assert put(store, data).failed == {}
    asked = len(renewed)
    assert asked >= 3
    for _ in range(4):
        assert {key: b"".join(chunks) for key, chunks in store.read_many(data)} == data
    assert len(renewed) >= asked + 3
    assert ssh.log().count("Accepted publickey") == before + 1  # nobody had to log in again


def test_a_server_without_our_cipher_is_left_to_paramiko(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with servers.ssh_server(tmp_path_factory.mktemp("ctr"), config="Ciphers aes128-ctr") as server:
        trust(home, server)
        with open_store(spec_of(server), servers.Login(), limits=SHORT) as store:
            data = {**some_objects(30, 50_000), "files/md5/aa/large": os.urandom(17 << 20)}
            assert put(store, data).failed == {}
            assert {key: b"".join(chunks) for key, chunks in store.read_many(data)} == data
