"""Where passwords are kept. The only module that knows `keyring`; knows no servers and asks nobody.

A secret is bound to user@host:port, never to a remote's name, which a repository can choose: another host finds
no secret and leads to a question that names the new host. The passphrase of a private key is bound to the key's
fingerprint, SHA256:…, and kept apart. There is no fallback to a file: where no keyring of the operating system can
be used, secrets live until the program ends.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from modelkeep.core.errors import KeyringUnavailable, UsageError
from modelkeep.core.redaction import register
from modelkeep.core.values import Secret

SERVICE = "modelkeep:ssh"
KEY_SERVICE = "modelkeep:ssh-key"
#: Seconds to wait for the keyring; a locked one may wait for a person at another window.
PATIENCE = 20.0
ALLOWED = (
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
)
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_ADDRESS = re.compile(r"(?P<user>[^@]+)@(?P<host>\[[0-9a-fA-F:.%]+\]|[^@:\[\]/]+)(?::(?P<port>\d{1,5}))?")
T = TypeVar("T")


def normal_address(address: str) -> str:
    """The one form of `address` that secrets are bound to: user@host:port, host lower-case and ASCII.

    The port defaults to 22. Raises UsageError for anything that is no such address.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise UsageError(f"{address!r} is not of the form user@host:port.")
    host = match["host"].lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise UsageError(f"{host} is not a valid host name.") from None
    return f"{match['user']}@{host}:{int(match['port'] or 22)}"


def _entry(name: str) -> tuple[str, str]:
    """(service, account) of the entry for an address or for the fingerprint of a key."""
    return (KEY_SERVICE, name) if _FINGERPRINT.fullmatch(name) else (SERVICE, normal_address(name))


class Vault(Protocol):
    """Keeps secrets by address, user@host:port, and passphrases by the fingerprint of their key, SHA256:….

    May block for a while: never call it on the GUI thread.
    """

    @property
    def is_persistent(self) -> bool:
        """Whether secrets outlive the program."""

    @property
    def lasting(self) -> Vault:
        """The vault that keeps what is put for good, whatever the user chose for passwords that are typed."""

    @property
    def reason(self) -> str:
        """Why it is not persistent, for people; "" if it is."""

    def get(self, address: str) -> Secret | None:
        """The secret for user@host:port or a key. Raises KeyringUnavailable."""

    def put(self, address: str, secret: Secret) -> None:
        """Keep a secret, replacing an older one. Raises KeyringUnavailable."""

    def forget(self, address: str) -> None:
        """Remove a secret; none there is fine. Raises KeyringUnavailable."""

    def describe(self) -> str:
        """Name the place for people."""


class MemoryVault:
    """Secrets for as long as the program runs. Safe from several threads."""

    is_persistent = False

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self._secrets: dict[tuple[str, str], Secret] = {}

    @property
    def lasting(self) -> Vault:
        return self

    def get(self, address: str) -> Secret | None:
        return self._secrets.get(_entry(address))

    def put(self, address: str, secret: Secret) -> None:
        register(secret)
        self._secrets[_entry(address)] = secret

    def forget(self, address: str) -> None:
        self._secrets.pop(_entry(address), None)

    def describe(self) -> str:
        kept = "Passwords are kept only until Modelkeep is closed"
        return f"{kept}: {self.reason}" if self.reason else f"{kept}."


class KeyringVault:
    """The operating system's keyring. Safe from several threads; never hangs, one call at a time.

    Every call runs in a thread of its own that is waited for `patience` seconds. All failures, also foreign
    ones, are raised as KeyringUnavailable.
    """

    is_persistent = True
    reason = ""

    def __init__(self, backend: Any, *, patience: float = PATIENCE) -> None:
        """`backend` is one that `allowed_backend` gave."""
        self._backend = backend
        self._worker = _Worker(patience)

    @property
    def lasting(self) -> Vault:
        return self

    def get(self, address: str) -> Secret | None:
        service, account = _entry(address)
        entry = self._worker.run(lambda: self._backend.get_password(service, account))
        secret = _secret_in(entry)
        if secret is not None:
            register(secret)
        return secret

    def put(self, address: str, secret: Secret) -> None:
        register(secret)
        service, account = _entry(address)
        entry = json.dumps({"version": 1, "password": secret.reveal()})
        self._worker.run(lambda: self._backend.set_password(service, account, entry))

    def forget(self, address: str) -> None:
        service, account = _entry(address)

        def forget() -> None:
            if self._backend.get_password(service, account) is not None:
                self._backend.delete_password(service, account)

        self._worker.run(forget)

    def describe(self) -> str:
        names = {
            "macOS": "the macOS keychain",
            "Windows": "the Windows credential store",
            "kwallet": "KWallet",
        }
        return names.get(type(self._backend).__module__.split(".")[2], "the keyring of this computer")


def _secret_in(entry: str | None) -> Secret | None:
    """The secret in one of our entries; an entry that is not ours holds none."""
    try:
        value = json.loads(entry or "null")
    except ValueError:
        return None
    password = value.get("password") if isinstance(value, dict) else None
    return Secret(password) if isinstance(password, str) else None


class _Worker:
    """Runs calls that may block for ever, one at a time, each in a thread that nobody has to wait for."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()

    def run(self, call: Callable[[], T]) -> T:
        if not self._lock.acquire(timeout=self._patience):
            raise _silent(self._patience)
        done = threading.Event()
        outcome: list[T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                outcome.append(call())
            except BaseException as error:  # backends raise anything, D-Bus errors among them
                errors.append(error)
            finally:
                self._lock.release()
                done.set()

        threading.Thread(target=work, name="keyring", daemon=True).start()
        if not done.wait(self._patience):
            raise _silent(self._patience)
        if errors:
            raise _unavailable(errors[0]) from None
        return outcome[0]


def _silent(patience: float) -> KeyringUnavailable:
    return KeyringUnavailable(
        f"The keyring did not answer within {patience:g} seconds; is it locked?",
        hint="Unlock it (a window may be asking for its password), then try again.",
    )


def _unavailable(error: BaseException) -> KeyringUnavailable:
    kind = type(error).__name__
    if kind == "KeyringLocked" or "locked" in kind.lower():
        return KeyringUnavailable(
            "The keyring is locked.", hint="Unlock it with your login password, then try again."
        )
    return KeyringUnavailable("The keyring cannot be used.", detail=f"{kind}: {error}"[:300])


def allowed_backend() -> Any | None:
    """A keyring backend of the operating system that can be used here, or None. May block.

    Only the allow-list is looked at: what PYTHON_KEYRING_BACKEND or keyringrc.cfg name counts only to choose
    among them, because both can lead to a plain file or to code of a stranger.
    """
    preferred = os.environ.get("PYTHON_KEYRING_BACKEND", "")
    for path in sorted(ALLOWED, key=lambda one: one != preferred):
        module, _, name = path.rpartition(".")
        try:
            backend = getattr(importlib.import_module(module), name)
            if backend.priority > 0:
                return backend()
        except Exception:  # noqa: S112 - a backend for another system fails as it likes
            continue
    return None


class SystemVault:
    """The keyring if there is one, else memory; which of them is found out at the first use."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._chosen: Vault | None = None

    def _vault(self) -> Vault:
        with self._lock:
            if self._chosen is None:
                self._chosen = self._choose()
            return self._chosen

    def _choose(self) -> Vault:
        try:
            backend = _Worker(self._patience).run(allowed_backend)
        except KeyringUnavailable as error:
            return MemoryVault(error.title)
        if backend is None:
            return MemoryVault("no keyring was found on this computer.")
        return KeyringVault(backend, patience=self._patience)

    @property
    def is_persistent(self) -> bool:
        return self._vault().is_persistent

    @property
    def reason(self) -> str:
        return self._vault().reason

    @property
    def lasting(self) -> Vault:
        return self

    def get(self, address: str) -> Secret | None:
        return self._vault().get(address)

    def put(self, address: str, secret: Secret) -> None:
        self._vault().put(address, secret)

    def forget(self, address: str) -> None:
        self._vault().forget(address)

    def describe(self) -> str:
        return self._vault().describe()


def open_vault(*, patience: float = PATIENCE) -> Vault:
    """The vault of this computer. Looks for a keyring only when it is used first; `reason` says what it found."""
    return SystemVault(patience)
