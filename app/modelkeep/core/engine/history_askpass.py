"""Answers the password questions of one git command, from git itself or from its ssh. Knows no vault.

The secret goes through a socket (0600, in a 0700 folder, opened by a one-time word) straight into the pipe
of the program that asked: it is never in an argument list, an environment or a file (safety rule 5.6).
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modelkeep.core.engine import askpass
from modelkeep.core.values import Secret

Ask = Callable[[str], "Secret | None"]

_LONGEST_PROMPT = 64 * 1024


@contextmanager
def answering(ask: Ask | None) -> Iterator[dict[str, str]]:
    """Yield the environment that makes git and ssh ask `ask(prompt)`; None as its answer means: give up.

    `ask` is called on a thread of its own, once per question and never twice at a time. ssh also asks here
    whether to trust an unknown host; the answer to that is the text "yes" or None.
    """
    if ask is None or not hasattr(socket, "AF_UNIX"):
        yield {}
        return
    folder = Path(tempfile.mkdtemp(prefix="modelkeep-"))  # mkdtemp makes it 0700
    try:
        with _Desk(folder, ask):
            program = str(folder / "askpass")
            yield {
                askpass.FOLDER: str(folder),
                "GIT_ASKPASS": program,
                "SSH_ASKPASS": program,
                "SSH_ASKPASS_REQUIRE": "force",
                "DISPLAY": os.environ.get("DISPLAY", ":0"),  # because ssh before 8.4 asks only if it is set
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Desk:
    """Listens in `folder` while entered."""

    def __init__(self, folder: Path, ask: Ask) -> None:
        self._folder = folder
        self._ask = ask
        self._word = secrets.token_bytes(32)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, name="askpass", daemon=True)

    def __enter__(self) -> _Desk:
        _write_private(self._folder / "word", self._word, 0o600)
        _write_private(self._folder / "askpass", _script().encode(), 0o700)
        path = self._folder / "socket"
        self._server.bind(str(path))
        os.chmod(path, 0o600)
        self._server.listen(4)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # some systems refuse this on a listening socket; there, close is enough
            self._server.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._server.close()
        self._thread.join(timeout=1)

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._server.accept()
            except OSError:
                return
            with link:
                try:
                    self._answer(link)
                except OSError:
                    continue  # because the asking program was ended meanwhile

    def _answer(self, link: socket.socket) -> None:
        link.settimeout(10)
        request = b""
        while len(request) < _LONGEST_PROMPT and (chunk := link.recv(65536)):
            request += chunk
        if not secrets.compare_digest(request[: len(self._word)], self._word):
            return
        link.settimeout(None)
        secret = self._ask(request[len(self._word) :].decode("utf-8", "replace").strip())
        if secret is not None:
            link.sendall(b"+" + secret.reveal().encode())


def _script() -> str:
    # A frozen application has no interpreter to start; its own main program answers when it sees FOLDER.
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-I", askpass.__file__]
    return f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n'


def _write_private(path: Path, data: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(file, "wb") as stream:
        stream.write(data)
