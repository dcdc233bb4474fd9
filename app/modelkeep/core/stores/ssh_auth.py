"""Logging in over a paramiko transport whose host key has been checked already. Opens no connection.

Order: keys (few, so that the server does not hang up before a password can be tried), keyboard-interactive,
password. A secret is asked of the LoginProvider only when the server wants one of that kind.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelkeep.core.errors import ConnectionLost, LoginFailed, ModelkeepError
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import visible
from modelkeep.core.progress import Cancelled
from modelkeep.core.stores.base import Address, LoginProvider
from modelkeep.core.stores.ssh_config import Route
from modelkeep.core.stores.ssh_library import paramiko

_KEYS = 3  # servers hang up after six failures; three are left for passwords
_ATTEMPTS = 3
_PERSON = 300.0  # seconds somebody may take to answer the server's questions


@dataclass(frozen=True)
class Keys:
    """Which keys may be tried: `keyfile` was named for this remote, the rest follows ~/.ssh/config."""

    keyfile: str = ""
    use_agent: bool = True


def log_in(transport: Any, route: Route, keys: Keys, login: LoginProvider) -> None:
    """Authenticate; raises LoginFailed, Cancelled, ConnectionLost, or what the provider raises."""
    _Login(transport, route, keys, login).run()


class _Login:
    def __init__(self, transport: Any, route: Route, keys: Keys, login: LoginProvider) -> None:
        self._transport = transport
        self._route = route
        self._keys = keys
        self._provider = login
        self._address: Address = route.address
        self._tried: list[str] = []
        self._notes: list[str] = []
        self._agent: Any = None

    def run(self) -> None:
        try:
            self._run()
        finally:
            if self._agent is not None:
                self._agent.close()

    def _run(self) -> None:
        offered = self._first_contact()
        if offered is None:
            return
        if "publickey" in offered:
            offered = self._with_keys(offered)
            if offered is None:
                return
        if "keyboard-interactive" in offered:
            offered = self._with_answers(offered)
            if offered is None:
                return
        if "password" in offered:
            self._with_password()
            return
        raise self._refused()

    def _first_contact(self) -> set[str] | None:
        """What the server offers; None if it wants nothing at all."""
        try:
            with self._translated():
                self._transport.auth_none(self._address.user)
        except paramiko.BadAuthenticationType as error:
            return set(error.allowed_types)
        return None

    # -- keys ------------------------------------------------------------------------------------------

    def _with_keys(self, offered: set[str]) -> set[str] | None:
        asks_password = bool(offered & {"password", "keyboard-interactive"})
        count = 0
        for name, key in self._candidates(asks_password):
            if count == _KEYS:
                break
            count += 1
            self._tried.append(name)
            try:
                with self._translated():
                    further = self._transport.auth_publickey(self._address.user, key)
            except paramiko.BadAuthenticationType:
                break
            except paramiko.AuthenticationException:
                continue
            return set(further) - {"publickey"} or None
        return offered

    def _candidates(self, asks_password: bool) -> Iterator[tuple[str, Any]]:
        files = [self._keys.keyfile] if self._keys.keyfile else []
        files += [name for name in self._route.identities if name not in files]
        named = [os.path.expanduser(name) for name in files]
        yield from self._agent_keys(named)
        yield from self._plain_files(named)
        if not self._route.identities_only and not files:
            yield from self._plain_files(self._route.default_keys)
        # A locked key comes last: its passphrase is asked only if nothing else opened the door. A default key
        # nobody named is not worth a question where a password does it.
        locked = named or ([] if asks_password else list(self._route.default_keys))
        for name in locked:
            if is_locked(name):
                key = self._unlocked(name)
                if key is not None:
                    yield name, key

    def _agent_keys(self, named: list[str]) -> list[tuple[str, Any]]:
        if not self._keys.use_agent or not os.environ.get("SSH_AUTH_SOCK"):
            return []
        wanted = {blob for name in named if (blob := _public_half(name)) is not None}
        self._agent = paramiko.Agent()  # open until the login is over, because its keys sign through it
        held = list(self._agent.get_keys())
        first = [key for key in held if key.asbytes() in wanted]
        rest = [] if self._route.identities_only or named else [key for key in held if key not in first]
        return [("a key of the agent", key) for key in first + rest]

    def _plain_files(self, names: Any) -> Iterator[tuple[str, Any]]:
        for name in names:
            if not Path(name).is_file():
                self._notes.append(f"{name} does not exist.")
            elif not is_locked(name):
                key = self._load(name, None)
                if key is not None:
                    yield name, key

    def _unlocked(self, name: str) -> Any:
        for attempt in range(1, _ATTEMPTS + 1):
            secret = self._provider.passphrase(name, attempt)
            if secret is None:
                self._notes.append(f"{name} was left out: no passphrase.")
                return None
            key = self._load(name, secret.reveal())
            if key is not None:
                return key
        return None

    def _load(self, name: str, passphrase: str | None) -> Any:
        try:
            return paramiko.PKey.from_path(name, passphrase.encode() if passphrase is not None else None)
        except Exception as error:  # paramiko and cryptography have no common error for a bad key
            what = "the passphrase is wrong" if passphrase is not None else f"{type(error).__name__}"
            self._notes.append(f"{name} cannot be used: {what}.")
            return None

    # -- questions and passwords -----------------------------------------------------------------------

    def _with_answers(self, offered: set[str]) -> set[str] | None:
        for attempt in range(1, _ATTEMPTS + 1):
            dialog = _Dialog(self._provider, self._address, attempt)
            patience, self._transport.auth_timeout = self._transport.auth_timeout, _PERSON
            try:
                with self._translated():
                    further = self._transport.auth_interactive(self._address.user, dialog.answer)
            except paramiko.BadAuthenticationType as error:
                return set(error.allowed_types)
            except paramiko.AuthenticationException:
                if not dialog.used_password:
                    return offered
                self._provider.rejected(self._address)
                continue
            except ConnectionLost:
                if dialog.error is not None:
                    raise dialog.error from None
                raise
            finally:
                self._transport.auth_timeout = patience
            if dialog.used_password:
                self._provider.accepted(self._address)
            return set(further) - {"keyboard-interactive"} or None
        raise self._refused()

    def _with_password(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            secret = self._provider.password(self._address, attempt, "")
            if secret is None:
                raise Cancelled
            try:
                with self._translated():
                    further = self._transport.auth_password(
                        self._address.user, secret.reveal(), fallback=False
                    )
            except paramiko.AuthenticationException:
                self._provider.rejected(self._address)
                if not self._transport.is_active():
                    break
                continue
            self._provider.accepted(self._address)
            if further:
                break
            return
        raise self._refused()

    # -- outcome ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Tell a refused login (paramiko's exception passes) from a connection that broke meanwhile."""
        try:
            yield
        except paramiko.AuthenticationException as error:
            if str(error) == "Authentication timeout.":
                raise ConnectionLost(f"{self._address.host} does not answer the login.") from error
            if "transport shut down" in str(error):
                raise self._hung_up() from error
            raise
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._hung_up() from error

    def _hung_up(self) -> ModelkeepError:
        if self._tried:
            return LoginFailed(
                f"{self._address} ended the connection after too many attempts to log in.",
                detail=self._story(),
                hint="Name the right key with IdentityFile in ~/.ssh/config, or use a password.",
            )
        return ConnectionLost(f"{self._address.host} closed the connection during the login.")

    def _refused(self) -> LoginFailed:
        return LoginFailed(
            f"{self._address} did not accept the login.",
            detail=self._story(),
            hint="Check the user name and the password, or which key belongs to this server.",
        )

    def _story(self) -> str:
        tried = [f"Tried: {', '.join(dict.fromkeys(self._tried))}."] if self._tried else []
        return "\n".join(tried + list(dict.fromkeys(self._notes)))


class _Dialog:
    """Answers a server's questions. A password goes only into a single hidden question, and only once."""

    def __init__(self, provider: LoginProvider, address: Address, attempt: int) -> None:
        self._provider = provider
        self._address = address
        self._attempt = attempt
        self.used_password = False
        self.error: BaseException | None = None

    def answer(self, title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        if not prompts:
            return []
        try:
            return [self._one(prompts)]
        except BaseException as error:
            # This runs in paramiko's thread; ending the connection brings the error back to ours.
            self.error = error
            raise EOFError from error

    def _one(self, prompts: list[tuple[str, bool]]) -> str:
        prompt, echo = prompts[0]
        shown = visible(prompt[:200].strip())
        if len(prompts) > 1 or echo or self.used_password:
            raise LoginFailed(
                f"{self._address} asks more than a password.",
                detail=f"It asks: {shown}",
                hint="Log in with a key; a second factor is not supported yet.",
            )
        secret = self._provider.password(self._address, self._attempt, shown)
        if secret is None:
            raise Cancelled
        self.used_password = True
        return secret.reveal()


def is_locked(name: str) -> bool:
    """Whether the private key file needs a passphrase (OpenSSH's own form or PEM)."""
    try:
        text = Path(name).read_bytes()[: 1 << 16]
    except OSError:
        return False
    if b"ENCRYPTED" in text:
        return True
    _, marker, rest = text.partition(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    if not marker:
        return False
    with contextlib.suppress(ValueError):
        blob = base64.b64decode(b"".join(rest.partition(b"-----END")[0].split()))
        return not blob.startswith(b"openssh-key-v1\0\0\0\0\x04none")
    return False


def _public_half(name: str) -> bytes | None:
    try:
        fields = Path(f"{name}.pub").read_text("utf-8", "replace").split()
        return base64.b64decode(fields[1])
    except (OSError, ValueError, IndexError):
        return None
