"""Makes the parts of a content in a thread of its own, a little before they are asked for. Knows no files."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator

_AHEAD = 4  # parts that may be ready before they are asked for


def ahead(chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """`chunks`, made by another thread a little before they are asked for; raises what making them raised."""
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
    is_wanted = threading.Event()
    is_wanted.set()

    def offer(part: bytes | BaseException | None) -> bool:
        while is_wanted.is_set():
            try:
                ready.put(part, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            with contextlib.closing(chunks):  # type: ignore[type-var]  # it is a generator
                for chunk in chunks:
                    if not offer(chunk):
                        return
        except BaseException as error:  # raised again where the content is read
            offer(error)
        else:
            offer(None)

    making = threading.Thread(target=make, name="read ahead", daemon=True)
    making.start()
    try:
        while (part := ready.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            yield part
    finally:
        is_wanted.clear()
        making.join()
