"""What a failure of the live test means and what to try, in sentences for people who are not administrators.

Failures are told apart by their one-word `reason`, never by their texts. Knows nothing of how things are tested.
"""

from __future__ import annotations

import re
import shlex

from modelkeep.core.errors import (
    AddressChanged,
    ConnectionLost,
    HostKeyChanged,
    LoginFailed,
    LoginNeeded,
    ModelkeepError,
    UnknownHost,
)
from modelkeep.core.nouns import dataclass
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.trial import Obstacle
from modelkeep.core.workflows.hosts import KnownAs
from modelkeep.core.workflows.remote_sentences import NONE, SENTENCES
from modelkeep.core.workflows.remote_steps import Found, State


@dataclass(frozen=True, slots=True)
class Place:
    """Where the test goes, for sentences. `name` is the remote's, or ""; `is_known` says that it is in the config.
    `home` is the folder the account begins in."""

    kind: str
    path: str
    name: str = ""
    host: str = ""
    port: int = 22
    user: str = ""
    keyfile: str = ""
    is_known: bool = True
    home: str = ""

    @classmethod
    def of(cls, spec: RemoteSpec, name: str, *, is_known: bool = True) -> Place:
        """From what the stores get. Raises InvalidFile where ~/.ssh/config makes no sense."""
        if spec.kind != "ssh":
            return cls(spec.kind, spec.path, name, is_known=is_known)
        from modelkeep.core.stores.ssh_config import resolve

        address = resolve(spec.host, spec.user, spec.port).address
        key = spec.options.get("keyfile", "")
        return cls("ssh", spec.path, name, address.host, address.port, address.user, key, is_known)

    @property
    def port_option(self) -> str:
        """The port for a command line of ssh, where one is needed."""
        return "" if self.port == 22 else f"-p {self.port} "

    def url(self, path: str | None = None, port: str | None = None) -> str:
        """The address, with another path or port."""
        number = str(self.port) if port is None else port
        host = f"[{self.host}]" if ":" in self.host else self.host
        at = "" if number == "22" else f":{number}"
        return f"ssh://{self.user}@{host}{at}{self.path if path is None else path}"


def explain(error: ModelkeepError, place: Place) -> Found:
    """The end of a step that failed with `error`."""
    reason = _reason(error)
    words = _words(error, place)
    text, advice = SENTENCES.get(reason, NONE)
    if isinstance(error, UnknownHost):
        words |= {"key_type": error.key_type, "fingerprint": error.fingerprint}
        words |= {"command": key_command(error.key_type)}
        command = f"modelkeep remote trust {place.name}" if place.is_known else "modelkeep setup"
        words |= {"trust": f"{command} --fingerprint {error.fingerprint}"}
    if isinstance(error, (UnknownHost, HostKeyChanged)):
        words |= _on_the_way(error, place)
    if not text:
        return Found(State.FAILED, error.title, error.hint, error.detail, reason or "failed")
    advice = advice.format_map(words)
    forgettable = None
    if isinstance(error, HostKeyChanged) and reason == "host_changed":  # a revoked key stays one
        forgettable = KnownAs(error.host, error.files)
    return Found(State.FAILED, text.format_map(words), advice, error.detail, reason, forgettable)


def _reason(error: ModelkeepError) -> str:
    if isinstance(error, Obstacle):
        return f"folder_{error.reason}"
    reason: str = getattr(error, "reason", "")
    if reason:
        return reason
    for kind, word in _BY_CLASS:
        if isinstance(error, kind):
            return word
    return ""


_BY_CLASS: tuple[tuple[type[ModelkeepError], str], ...] = (
    (AddressChanged, "address_changed"),
    (UnknownHost, "host_unknown"),
    (HostKeyChanged, "host_changed"),
    (LoginNeeded, "login_needed"),
    (LoginFailed, "login_refused"),
    (ConnectionLost, "broken"),
)


def _words(error: ModelkeepError, place: Place) -> dict[str, object]:
    about = error.about if isinstance(error, Obstacle) else place.path
    log_in = f"modelkeep login {place.name}" if place.is_known else "modelkeep setup --password-stdin"
    return {
        "host": place.host,
        "port": place.port,
        "user": place.user,
        "who": f"The account {place.user}" if place.user else "You",
        "path": about,
        "log_in": log_in,
        "own": _own_folder(place),
        "forget": f"modelkeep remote forget-host {place.name}"
        if place.is_known
        else f"ssh-keygen -R '{_known_as(place)}'",
        "port_option": place.port_option,
        "another_port": place.url(port="PORT"),
        "title": error.title.rstrip("."),
        "hint": error.hint,
    }


def _own_folder(place: Place) -> str:
    """A place where the account can most likely write."""
    if place.home in ("", "/") or place.path.startswith(place.home):
        return ""
    return f" Your own folder there is {place.home}: try {place.url(place.home + '/data')}"


def _on_the_way(error: UnknownHost | HostKeyChanged, place: Place) -> dict[str, object]:
    """The words that differ where the key is not the server's own but that of one on the way to it."""
    host = error.host
    if host.lower() in ("", _known_as(place).lower()):
        return {}
    known = error.known if isinstance(error, HostKeyChanged) else ()
    files = dict.fromkeys(where.rpartition(":")[0] for _, _, where in known)
    options = "".join(f" -f {shlex.quote(file)}" for file in files)
    return {"host": host, "forget": f"ssh-keygen -R '{host}'{options}"}


def _known_as(place: Place) -> str:
    return place.host if place.port == 22 else f"[{place.host}]:{place.port}"


def key_command(key_type: str) -> str:
    """The command that prints, on the server itself, the fingerprint of its key of this type."""
    found = re.search(r"ed25519|ecdsa|rsa", key_type)
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{found[0] if found else 'ed25519'}_key.pub"


def amount(size: float) -> str:
    """Bytes for people."""
    import humanize

    return humanize.naturalsize(size).replace("Byte", "byte")


def lasting(seconds: float) -> str:
    """A length of time for people, in its largest unit: `3 hours`."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size or (seconds >= size and size == 60):
            count = round(seconds / size)
            return f"{count} {name}{'s' if count != 1 else ''}"
    count = max(1, round(seconds))
    return f"{count} second{'s' if count != 1 else ''}"
