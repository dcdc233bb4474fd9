"""A TCP link with a round trip time and no other fault: every byte arrives half of it later, none wait for others."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def slow_link(target: tuple[str, int], round_trip: float) -> Iterator[int]:
    """The port on this machine that leads to `target` with a round trip of so many seconds."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_socks: list[socket.socket] = []
    accepting = threading.Thread(
        target=_accept, args=(listener, target, round_trip / 2, open_socks), daemon=True
    )
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for sock in open_socks:
            sock.close()


def _accept(
    listener: socket.socket, target: tuple[str, int], delay: float, open_socks: list[socket.socket]
) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        time.sleep(2 * delay)  # the handshake is a round trip too
        far = socket.create_connection(target)
        for sock in (near, far):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_socks += [near, far]
        _join(near, far, delay)
        _join(far, near, delay)


def _join(source: socket.socket, sink: socket.socket, delay: float) -> None:
    """Pass on what comes from `source`, each piece `delay` seconds after it came."""
    line: queue.Queue[tuple[float, bytes]] = queue.Queue(maxsize=1024)

    def read() -> None:
        data = b" "
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            line.put((time.monotonic() + delay, data))

    def write() -> None:
        while True:
            due, data = line.get()
            time.sleep(max(0.0, due - time.monotonic()))
            with suppress(OSError):
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()
