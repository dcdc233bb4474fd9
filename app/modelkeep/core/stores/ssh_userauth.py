"""The words of a login over SSH (RFC 4252 and 4256): one request, one answer. Decides nothing and asks nobody.

paramiko's own handler signs before it knows whether the server would take the key, asks for a new service every time,
asks questions in its own thread, and believes a server how many questions there are. This one stands in its place:
the transport's thread only puts answers down, the thread that logs in reads them.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from typing import Any

from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.ssh_library import paramiko

_SLICE = 0.1
_PERSON = 120.0  # seconds; a server may wait until somebody has taken up a telephone
_SERVICE_REQUEST, _SERVICE_ACCEPT = 5, 6
_REQUEST, _FAILURE, _SUCCESS, _BANNER, _SPECIAL, _RESPONSE = 50, 51, 52, 53, 60, 61
MOST_QUESTIONS = 16
_MOST_UNREAD = 4
_MOST_TEXT = 4000  # characters of one text of the server
_CERTIFICATE = "-cert-v01@openssh.com"
_RSA = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. `methods` may be tried next; `is_partial` means this step was right, another follows."""

    is_in: bool = False
    methods: tuple[str, ...] = ()
    is_partial: bool = False

    @property
    def is_step(self) -> bool:
        """Whether the request was right."""
        return self.is_in or self.is_partial


@dataclass(frozen=True, slots=True)
class Welcome:
    """The server would take this key."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The password is right, but has to be changed first."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Questions:
    """What the server wants to know: (text, whether the answer may be seen) each. All of it is bounded.

    `count` is how many there were said to be; `prompts` holds the first of them.
    """

    title: str
    instructions: str
    prompts: tuple[tuple[str, bool], ...]
    count: int


class HungUp(Exception):
    """The connection ended instead of an answer; `is_farewell` if the server said so, which no broken link does."""

    def __init__(self, why: object = None) -> None:
        super().__init__("" if why is None else str(why))
        self.is_farewell = why is None


class Silent(Exception):
    """The server did not answer in time."""


class UserAuth(paramiko.auth_handler.AuthHandler):  # type: ignore[misc]  # paramiko has no types
    """Logs one user in over `transport`. One thread at a time."""

    def __init__(self, transport: Any, user: str, patience: float, progress: Progress = SILENT) -> None:
        super().__init__(transport)
        self.username = user
        self._patience = patience
        self._progress = progress
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._asked = ""
        self.banner = ""
        transport.auth_handler = self

    # -- what can be asked -----------------------------------------------------------------------------

    def begin(self) -> Answer:
        """What the server offers this user. Raises HungUp, Silent and Cancelled, as all of these do."""
        message = paramiko.Message()
        message.add_byte(bytes([_SERVICE_REQUEST]))
        message.add_string("ssh-userauth")
        self._send(message)
        self._wait(self._patience)
        return self._plain(self._request("none"))

    def would_take(self, algorithm: str, blob: bytes) -> bool | Answer:
        """Whether the server would let somebody in with this key; costs an attempt where not."""
        said = self._request("publickey", lambda m: self._key(m, False, algorithm, blob))
        return True if isinstance(said, Welcome) else self._plain(said)

    def use_key(self, algorithm: str, blob: bytes, sign: Callable[[bytes], bytes]) -> Answer:
        """Prove to have the key; `sign` gives the signature in SSH's form and may take a person's time."""
        data = paramiko.Message()
        data.add_string(self.transport.session_id)
        data.add_byte(bytes([_REQUEST]))
        for text in (self.username, "ssh-connection", "publickey"):
            data.add_string(text)
        self._key(data, True, algorithm, blob)
        signature = sign(data.asbytes())

        def fill(message: Any) -> None:
            self._key(message, True, algorithm, blob)
            message.add_string(signature)

        return self._plain(self._request("publickey", fill))

    def use_password(self, text: str) -> Answer | Expired:
        """Try a password."""

        def fill(message: Any) -> None:
            message.add_boolean(False)
            message.add_string(_raw(text))

        said = self._request("password", fill)
        return said if isinstance(said, Expired) else self._plain(said)

    def ask_for_questions(self) -> Answer | Questions:
        """Begin keyboard-interactive."""

        def fill(message: Any) -> None:
            message.add_string("")
            message.add_string("")

        said = self._request("keyboard-interactive", fill)
        return said if isinstance(said, Questions) else self._plain(said)

    def respond(self, answers: Sequence[str]) -> Answer | Questions:
        """Answer the last questions, one text each."""
        message = paramiko.Message()
        message.add_byte(bytes([_RESPONSE]))
        message.add_int(len(answers))
        for text in answers:
            message.add_string(_raw(text))
        self._send(message)
        said = self._wait(max(self._patience, _PERSON))
        return said if isinstance(said, Questions) else self._plain(said)

    def rsa_algorithm(self) -> str:
        """The signature to use with an RSA key, "" where the server knows only SHA-1."""
        raw = self.transport.server_extensions.get("server-sig-algs", b"")
        known = raw.decode("ascii", "replace").split(",") if raw else [*_RSA]
        return next((name for name in _RSA if name in known), "")

    def expect_alive(self) -> None:
        """Raise HungUp if the connection ended meanwhile."""
        if not self.transport.is_active():
            raise HungUp("it ended while somebody was asked")

    # -- how it is asked -------------------------------------------------------------------------------

    @staticmethod
    def _key(message: Any, is_signed: bool, algorithm: str, blob: bytes) -> None:
        message.add_boolean(is_signed)
        message.add_string(algorithm)
        message.add_string(blob)

    def _request(self, method: str, fill: Callable[[Any], None] = lambda _: None) -> Any:
        message = paramiko.Message()
        message.add_byte(bytes([_REQUEST]))
        for text in (self.username, "ssh-connection", method):
            message.add_string(text)
        fill(message)
        self._asked = method
        self._send(message)
        return self._wait(self._patience)

    def _send(self, message: Any) -> None:
        try:
            with self.transport.lock:
                self.transport._send_message(message)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HungUp(error) from error

    def _wait(self, patience: float) -> Any:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self._progress.check()
            try:
                return self._answers.get(timeout=_SLICE)
            except queue.Empty:
                if not self.transport.is_active() and self._answers.empty():
                    self._progress.check()
                    raise HungUp(self.transport.get_exception()) from None
        raise Silent

    @staticmethod
    def _plain(said: Any) -> Answer:
        if not isinstance(said, Answer):
            raise HungUp("the server answered what was not asked")
        return said

    # -- what arrives, in the transport's thread -------------------------------------------------------

    @property
    def _client_handler_table(self) -> dict[int, Callable[[Any], None]]:
        return {
            _SERVICE_ACCEPT: lambda _: self._put(Answer()),
            _SUCCESS: self._success,
            _FAILURE: self._failure,
            _BANNER: self._take_banner,
            _SPECIAL: self._special,
        }

    def _put(self, found: Any) -> None:
        if self._answers.qsize() > _MOST_UNREAD:
            raise paramiko.SSHException("The server talks too much during the login.")
        self._answers.put(found)

    def _success(self, message: Any) -> None:
        self.authenticated = True
        self.transport._auth_trigger()
        self._put(Answer(is_in=True))

    def _failure(self, message: Any) -> None:
        methods = tuple(message.get_binary()[:_MOST_TEXT].decode("ascii", "replace").split(","))
        self._put(Answer(methods=methods, is_partial=message.get_boolean()))

    def _take_banner(self, message: Any) -> None:
        self.banner = (self.banner + _text(message))[-_MOST_TEXT:]

    def _special(self, message: Any) -> None:
        """The message whose meaning depends on what was asked."""
        if self._asked == "publickey":
            self._put(Welcome())
        elif self._asked == "password":
            self._put(Expired(_text(message)))
        elif self._asked == "keyboard-interactive":
            self._put(self._questions(message))
        else:
            raise paramiko.SSHException("The server answered what was not asked.")

    @staticmethod
    def _questions(message: Any) -> Questions:
        title, instructions, _ = _text(message), _text(message), message.get_binary()
        count = message.get_int()
        first = range(min(count, MOST_QUESTIONS))
        return Questions(
            title, instructions, tuple((_text(message), message.get_boolean()) for _ in first), count
        )


def _raw(text: str) -> bytes:
    """The bytes of what somebody typed, also where a terminal gave some that are no text."""
    return text.encode("utf-8", "surrogateescape")


def _text(message: Any) -> str:
    """A text of the server, cut where it becomes a nuisance."""
    return bytes(message.get_binary()).decode("utf-8", "replace")[:_MOST_TEXT]


def plain_algorithm(kind: str, rsa: str) -> str:
    """The algorithm of a signature by a key or certificate of the type `kind`; "" where there is none."""
    if kind in ("ssh-rsa", f"ssh-rsa{_CERTIFICATE}"):
        return rsa + kind.removeprefix("ssh-rsa") if rsa else ""
    return kind
