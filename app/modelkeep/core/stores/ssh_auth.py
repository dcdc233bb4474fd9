"""Logging in over a paramiko transport whose host key has been checked already. Opens no connection.

Order: keys (few, so that the server does not hang up before a password can be tried), keyboard-interactive,
password. A secret is asked of the LoginProvider only when the server wants one of that kind. Where several steps are
wanted, each that was right is followed by whatever the server names next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from modelkeep.core.errors import ConnectionLost, LoginFailed, ModelkeepError
from modelkeep.core.keyfile import type_of
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.stores.base import LoginProvider
from modelkeep.core.stores.ssh_agent import AgentFailed
from modelkeep.core.stores.ssh_config import Route
from modelkeep.core.stores.ssh_keys import KeyRefused, Keys, Offer, Offers
from modelkeep.core.stores.ssh_questions import Interview, expired, harmless
from modelkeep.core.stores.ssh_turns import Declined, turn
from modelkeep.core.stores.ssh_userauth import Answer, Expired, HungUp, Silent, UserAuth, plain_algorithm

__all__ = ["Keys", "TooManyKeys", "log_in"]

_KEYS = 3  # servers hang up after six failures; three are left for passwords
_MANY_KEYS = 12  # where keys are all there is
_ATTEMPTS = 3
_STEPS = 8  # a login takes two or three
_PASSWORDS = {"password", "keyboard-interactive"}


class TooManyKeys(LoginFailed):
    """The server hung up over keys. `asks_otherwise` says that it would have taken a password or answers."""

    def __init__(self, title: str, *, asks_otherwise: bool, detail: str, hint: str) -> None:
        super().__init__(title, detail=detail, hint=hint, reason="too_many_keys")
        self.asks_otherwise = asks_otherwise


def log_in(
    transport: Any, route: Route, keys: Keys, login: LoginProvider, progress: Progress = SILENT
) -> str:
    """Authenticate, and say for people what opened the door.

    Raises LoginFailed with a reason, Cancelled, ConnectionLost, or what the provider raises. Of several logins to
    the same address at once only one asks; the others wait for it.
    """
    auth = UserAuth(transport, route.address.user, transport.auth_timeout, progress)
    with ExitStack() as stack:
        return _Login(auth, route, keys, login, progress, stack).run()


class _Login:
    def __init__(
        self,
        auth: UserAuth,
        route: Route,
        keys: Keys,
        login: LoginProvider,
        progress: Progress,
        stack: ExitStack,
    ) -> None:
        self._auth = auth
        self._provider = login
        self._address = route.address
        self._progress = progress
        self._stack = stack
        self._has_turn = False
        self._keys_alone = keys.alone
        self._offers = Offers(route, keys, login, progress)
        stack.callback(self._offers.close)
        self._offered: Iterator[Offer] | None = None
        self._methods: tuple[str, ...] = ()
        self._tried: list[str] = []
        self._ways: list[str] = []  # that were right
        self._reason = ""
        self._now = ""

    def run(self) -> str:
        try:
            said = self._auth.begin()
            for _ in range(_STEPS):
                if said.is_in:
                    return " + ".join(self._ways) or "nothing"
                said = self._next_step(said)
            raise self._refused()
        except HungUp as error:
            raise self._hung_up(error) from error
        except Silent as error:
            raise ConnectionLost(
                f"{self._address.host} does not answer the login.",
                hint="Try again later, or ask its administrator.",
                reason="silent",
            ) from error

    def _next_step(self, said: Answer) -> Answer:
        """Try what the server names, in our order, until something is right."""
        ways: dict[str, Callable[[Answer], Answer]] = {
            "publickey": self._with_keys,
            "keyboard-interactive": self._with_answers,
            "password": self._with_password,
        }
        self._methods = said.methods
        if self._keys_alone and not self._ways:
            del ways["keyboard-interactive"], ways["password"]
        for method, way in ways.items():
            if method in self._methods:
                self._now = method
                said = way(said)
                if said.is_step:
                    return said
                self._methods = said.methods or self._methods
        raise self._refused()

    def _take_turn(self) -> None:
        """From here on a person may be asked: let only one login to this address do that at a time."""
        if not self._has_turn:
            self._stack.enter_context(turn(self._provider, str(self._address), self._progress))
            self._has_turn = True
            self._auth.expect_alive()  # nobody should answer questions for a connection that is gone

    # -- keys ------------------------------------------------------------------------------------------

    def _with_keys(self, said: Answer) -> Answer:
        asks_otherwise = bool(_PASSWORDS & set(said.methods)) and not self._keys_alone
        if self._offered is None:
            self._offered = self._offers.each(asks_otherwise=asks_otherwise)
        most = _KEYS if asks_otherwise else _MANY_KEYS
        count = 0
        for offer in self._offered:
            found = self._with_key(offer)
            if found is None:
                continue
            said = found
            if said.is_step:
                self._ways.append(offer.title)
                return said
            count += 1
            if count == most or "publickey" not in said.methods:
                break
        if count:
            self._reason = self._reason or "key_refused"
        return said

    def _with_key(self, offer: Offer) -> Answer | None:
        """What the server said; None if it was not shown the key."""
        algorithm = plain_algorithm(type_of(offer.blob), self._auth.rsa_algorithm())
        if not algorithm:
            self._offers.notes.append(f"{offer.title} is left out: the server knows only SHA-1 for RSA keys.")
            return None
        self._tried.append(offer.title)
        if offer.is_costly:
            liked = self._auth.would_take(algorithm, offer.blob)
            if isinstance(liked, Answer):
                return liked
        if offer.unlock is not None:
            self._take_turn()
            if not offer.unlock():
                return None
        if offer.is_hardware:
            self._provider.say("Touch the security key to log in.")
        try:
            return self._auth.use_key(algorithm, offer.blob, lambda data: offer.sign(data, algorithm))
        except (AgentFailed, KeyRefused) as error:
            self._offers.notes.append(f"{offer.title} does not sign: {error}.")
            return None
        finally:
            if offer.is_hardware:
                self._provider.say("")

    # -- questions and passwords -----------------------------------------------------------------------

    def _with_answers(self, said: Answer) -> Answer:
        self._take_turn()
        for attempt in range(1, _ATTEMPTS + 1):
            interview = Interview(self._auth, self._provider, self._address, attempt)
            try:
                said = interview.run()
            except HungUp as error:
                if interview.used_password and error.is_farewell:
                    self._refuse_password()
                raise
            if said.is_step:
                self._ways.append("password" if interview.only_password else "questions")
                return said
            if not interview.was_asked:
                return said
            self._reason = "password_wrong" if interview.only_password else "second_factor"
            if "keyboard-interactive" not in said.methods:
                return said
        raise self._refused()

    def _with_password(self, said: Answer) -> Answer:
        self._take_turn()
        for attempt in range(1, _ATTEMPTS + 1):
            secret = self._provider.password(self._address, attempt, "")
            if secret is None:
                raise Declined
            try:
                found = self._auth.use_password(secret.reveal())
            except HungUp as error:
                if error.is_farewell:
                    self._refuse_password()
                raise
            if isinstance(found, Expired):
                raise expired(self._address, found.prompt)
            said = found
            if said.is_step:
                self._provider.accepted(self._address)
                self._ways.append("password")
                return said
            self._refuse_password()
            if "password" not in said.methods:
                break
        raise self._refused()

    def _refuse_password(self) -> None:
        self._reason = "password_wrong"
        self._provider.rejected(self._address)

    # -- outcome ---------------------------------------------------------------------------------------

    def _hung_up(self, error: HungUp) -> ModelkeepError:
        if self._now == "publickey" and self._tried and (error.is_farewell or len(self._tried) > 1):
            return TooManyKeys(
                f"{self._address} ended the connection after too many keys.",
                asks_otherwise=bool(_PASSWORDS & set(self._methods)) and not self._keys_alone,
                detail=self._story(),
                hint="Name the right key with IdentityFile and IdentitiesOnly yes in ~/.ssh/config.",
            )
        if self._reason and error.is_farewell:
            return self._refused()
        return ConnectionLost(
            f"{self._address.host} closed the connection during the login.",
            detail="\n".join(part for part in (harmless(str(error), 300), self._story()) if part),
            hint="Try again; if it happens every time, ask its administrator what its log says.",
            reason="closed_early",
        )

    def _refused(self) -> LoginFailed:
        reason = self._why()
        title, hint = _REFUSALS[reason]
        names = {"address": str(self._address), "methods": ", ".join(self._methods) or "nothing"}
        if reason == "key_too_open":
            names["files"] = " ".join(f"'{name}'" for name in self._offers.too_open)
        return LoginFailed(
            title.format(**names), detail=self._story(), hint=hint.format(**names), reason=reason
        )

    def _why(self) -> str:
        if self._ways:
            return "second_factor"
        if self._reason == "password_wrong" or self._reason == "second_factor":
            return self._reason
        if self._offers.wrong_passphrase:
            return "passphrase_wrong"
        if self._offers.too_open:
            return "key_too_open"
        return self._reason or "no_method"

    def _story(self) -> str:
        lines = [f"Right so far: {', '.join(self._ways)}."] if self._ways else []
        lines += [f"Tried: {', '.join(dict.fromkeys(self._tried))}."] if self._tried else []
        lines += dict.fromkeys(self._offers.notes)
        if self._auth.banner.strip():
            lines.append(f"The server says: {harmless(self._auth.banner, 1000)}")
        return "\n".join(lines)


_REFUSALS = {
    "password_wrong": (
        "{address} did not accept the password.",
        "Check the user name and type the password again; the server may also have locked the account.",
    ),
    "second_factor": (
        "{address} wanted a further step of the login and did not accept it.",
        "Check the code (most are valid for half a minute, and only once) and try again.",
    ),
    "passphrase_wrong": (
        "The key for {address} could not be unlocked: the passphrase was wrong.",
        "Try it in a terminal: ssh-keygen -y -f KEY. A forgotten passphrase cannot be found again; make a new key.",
    ),
    "key_too_open": (
        "The key for {address} was not used, because others may read its file.",
        "Close it: chmod 600 {files}",
    ),
    "key_refused": (
        "{address} did not accept any of the keys.",
        "Put KEY.pub into ~/.ssh/authorized_keys on the server, or name the right key in ~/.ssh/config (IdentityFile).",
    ),
    "no_method": (
        "There is no way to log in to {address}: it takes {methods}.",
        "Name a key with IdentityFile in ~/.ssh/config, add one to the agent (ssh-add), or ask the administrator.",
    ),
}
