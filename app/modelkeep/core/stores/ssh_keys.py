"""The keys a login may show, from files and from the agent, in the order they are worth trying. Sends nothing.

Keys that somebody named come first, those that cost a question last. A certificate goes before its plain key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from modelkeep.core import keyfile
from modelkeep.core.keyfile import KeyFile
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.stores.base import LoginProvider
from modelkeep.core.stores.ssh_agent import Agent, AgentKey
from modelkeep.core.stores.ssh_config import Route
from modelkeep.core.stores.ssh_library import paramiko
from modelkeep.core.stores.ssh_turns import turn

_ATTEMPTS = 3


@dataclass(frozen=True)
class Keys:
    """Which keys may be tried: `keyfile` was named for this remote, the rest follows ~/.ssh/config.

    `without` leaves all keys out, for accounts where they used up the server's patience. `alone` means that a key
    has to open the door: where none does, no password is asked, and why it did not is told.
    """

    keyfile: str = ""
    use_agent: bool = True
    without: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Offer:
    """A key or certificate to show. `sign(data, algorithm)` gives the signature in SSH's form.

    `blob` is what the server is asked about. `is_costly` means that a person has to do something to sign; then
    the server should be asked first. `unlock` has to say yes before anything else where it is given.
    """

    title: str
    blob: bytes
    sign: Callable[[bytes, str], bytes]
    is_hardware: bool = False
    unlock: Callable[[], bool] | None = None

    @property
    def is_costly(self) -> bool:
        return self.is_hardware or self.unlock is not None


class KeyRefused(Exception):
    """A key cannot be used after all."""


class Offers:
    """Everything that may be shown, one after the other. `notes` says for people what was left out and why.

    `too_open` and `wrong_passphrase` name the files that were left out for that. `close` when the login is over.
    """

    def __init__(self, route: Route, keys: Keys, login: LoginProvider, progress: Progress) -> None:
        self._route = route
        self._keys = keys
        self._login = login
        self._progress = progress
        self._agent: Agent | None = None
        self._certificates: dict[bytes, list[bytes]] = {}
        self.notes: list[str] = []
        self.too_open: list[str] = []
        self.wrong_passphrase: list[str] = []

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()

    def each(self, *, asks_otherwise: bool) -> Iterator[Offer]:
        """The offers in order. `asks_otherwise` says that a password would do as well: then no locked key that
        nobody named, and the server cannot be asked about, is worth a question."""
        if self._keys.without:
            return
        named = [os.path.expanduser(self._keys.keyfile)] if self._keys.keyfile else []
        named += [name for name in self._route.identities if name not in named]
        wanted = named or list(self._route.default_keys)
        self._find_certificates(wanted)
        known = {blob for name in wanted for blob in _public_halves(name)}
        held = self._agent_keys()
        chosen = [key for key in held if key.public in known]
        others = (
            [] if self._route.identities_only or self._keys.keyfile else [k for k in held if k not in chosen]
        )
        if not named:
            chosen, others = chosen + others, []
        in_agent = {key.public for key in held}
        files = [one for name in wanted if (one := self._file(name, in_agent)) is not None]
        yield from self._of_agent(chosen)
        yield from self._of_files([one for one in files if not one.is_locked])
        yield from self._of_agent(others)
        locked = [one for one in files if one.is_locked]
        yield from self._of_files([one for one in locked if one.public or named or not asks_otherwise])

    # -- the agent -------------------------------------------------------------------------------------

    def _agent_keys(self) -> list[AgentKey]:
        if not self._keys.use_agent or self._route.agent == "none":
            return []
        self._agent = Agent(self._route.agent, self._progress)
        held = self._agent.keys()
        return sorted(held, key=lambda key: key.blob == key.public)  # certificates first

    def _of_agent(self, keys: list[AgentKey]) -> Iterator[Offer]:
        for key in keys:
            if key.blob == key.public:
                for blob in self._certificates.pop(key.public, []):
                    yield self._agent_offer(key, blob, f"certificate of {key.title}")
            title = key.title if key.blob == key.public else f"certificate in the {key.title}"
            yield self._agent_offer(key, key.blob, title)

    def _agent_offer(self, key: AgentKey, blob: bytes, title: str) -> Offer:
        agent = self._agent
        assert agent is not None
        return Offer(
            title, blob, lambda data, algorithm: agent.sign(key, data, algorithm), is_hardware=key.is_hardware
        )

    # -- files -----------------------------------------------------------------------------------------

    def _find_certificates(self, wanted: list[str]) -> None:
        for name in [*self._route.certificates, *(f"{key}-cert.pub" for key in wanted)]:
            blob = keyfile.public_half(name)
            plain = keyfile.certified(blob) if blob is not None else None
            if blob is not None and plain is not None:
                self._certificates.setdefault(plain, []).append(blob)
            elif name in self._route.certificates:
                self.notes.append(f"{name} is no certificate that can be read.")

    def _file(self, name: str, in_agent: set[bytes]) -> KeyFile | None:
        found = keyfile.look_at(name)
        if found is None:
            if not set(_public_halves(name)) & in_agent:
                what = "is no private key" if os.path.exists(name) else "does not exist"
                self.notes.append(f"{name} {what}.")
            return None
        if found.public in in_agent:
            return None  # the agent signs with it
        if found.form == "PuTTY":
            self.notes.append(f"{name} is a key of PuTTY; export it with PuTTYgen as an OpenSSH key.")
            return None
        if keyfile.is_too_open(name):
            self.too_open.append(name)
            self.notes.append(f"{name} is left out: others may read it. Try: chmod 600 '{name}'")
            self._login.say(self.notes[-1])
            return None
        return found

    def _of_files(self, files: list[KeyFile]) -> Iterator[Offer]:
        for file in files:
            private = _Private(file, self._login, self._progress)
            if file.public is None and not private.unlock():
                self._left_out(private)
                continue
            public = file.public or private.public()
            unlock = self._unlocking(private) if file.is_locked else None
            title = f"key {file.path}"
            for blob in self._certificates.pop(public, []):
                yield Offer(f"certificate of {title}", blob, private.sign, unlock=unlock)
            yield Offer(title, public, private.sign, unlock=unlock)

    def _unlocking(self, private: _Private) -> Callable[[], bool]:
        def unlock() -> bool:
            if private.unlock():
                return True
            self._left_out(private)
            return False

        return unlock

    def _left_out(self, private: _Private) -> None:
        name = private.file.path
        if private.was_wrong:
            self.wrong_passphrase.append(name)
        self.notes.append(f"{name} is left out: {private.problem}.")


class _Private:
    """The private half of a key file, loaded when it is needed first."""

    def __init__(self, file: KeyFile, login: LoginProvider, progress: Progress) -> None:
        self.file = file
        self._login = login
        self._progress = progress
        self._key: Any = None
        self.problem = ""
        self.was_wrong = False

    def sign(self, data: bytes, algorithm: str) -> bytes:
        """The signature in SSH's form. Raises KeyRefused if the file holds no key that can be used."""
        if not self.unlock():
            raise KeyRefused(self.problem)
        signed = self._key.sign_ssh_data(data, algorithm)
        return bytes(signed.asbytes())

    def public(self) -> bytes:
        """The public half of a key that is loaded."""
        return bytes(self._key.asbytes())

    def unlock(self) -> bool:
        """Load it; False, and `problem`, where that fails or nobody gives the passphrase."""
        if self._key is None and not self.problem:
            if self.file.is_locked:
                with turn(self._login, self.file.mark, self._progress):
                    self._ask()
            else:
                self._key = self._load(None)
        return self._key is not None

    def _ask(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            secret = self._login.passphrase(self.file.path, attempt, self.file.mark)
            if secret is None:
                self.problem = self.problem or "no passphrase was given"
                return
            self._key = self._load(secret.reveal())
            if self._key is not None:
                self._login.unlocked(self.file.mark)
                self.problem = ""
                return
            self.was_wrong = True

    def _load(self, passphrase: str | None) -> Any:
        try:
            return paramiko.PKey.from_path(
                self.file.path,
                None if passphrase is None else passphrase.encode("utf-8", "surrogateescape"),
            )
        except Exception as error:  # paramiko and cryptography have no common error for a bad key
            kind = type(error).__name__
            self.problem = (
                "the passphrase is wrong" if passphrase is not None else f"it cannot be read ({kind})"
            )
            return None


def _public_halves(name: str) -> list[bytes]:
    """The public keys that a key file, or the public file beside it, is about."""
    found = keyfile.look_at(name)
    if found is not None and found.public is not None:
        return [found.public]
    return [blob for file in (name, f"{name}.pub") if (blob := keyfile.public_half(file)) is not None]
