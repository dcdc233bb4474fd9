"""Serves a login from the vault, the user's config and, last, a person. Knows no protocol and no keyring.

It is what the stores call a LoginProvider, without knowing them: addresses are anything whose `str()` is
user@host:port. A password is kept only after the server took it; one that was refused is not tried again. The
passphrase of a key goes by the same rules under the key's fingerprint.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence

from modelkeep.core.credentials.questions import NO_QUESTIONS, Questions
from modelkeep.core.credentials.vault import Vault, normal_address
from modelkeep.core.errors import KeyringUnavailable, LoginNeeded, UnknownHost
from modelkeep.core.paths import visible
from modelkeep.core.patterns import pattern
from modelkeep.core.redaction import register
from modelkeep.core.values import Secret

_HOST_QUESTION = pattern(
    r"The authenticity of host '(?P<host>[^']+)'.*?(?P<type>[A-Z0-9-]+) key fingerprint is (?P<print>SHA256:\S+?)\.?\s",
    re.DOTALL,
)
_PASSPHRASE = pattern(r"Enter passphrase for (?:key )?'(?P<file>[^'\n]+)':\s*")
# What a server asks through ssh stands behind this; it may look like anything, and is never more than its question.
_OF_SERVER = pattern(r"\((?P<who>[^()\s]+@[^()\s]+)\) (?P<text>.*)", re.DOTALL)
_WHO = pattern(
    r"(?:Username|Password) for '(?:[a-z]+://)?(?P<url>[^']+)'|(?P<account>[^\s()]+@[^\s()]+?)'s password"
)


class Credentials:
    """Answers logins. Safe from several threads; blocks while the vault or a person is asked."""

    def __init__(
        self, vault: Vault, questions: Questions, config_secret: Callable[[str], Secret | None]
    ) -> None:
        """`config_secret` gives the password that a DVC config file holds for an address, if one does."""
        self._vault = vault
        self._questions = questions
        self._config_secret = config_secret
        self._lock = threading.Lock()
        self._accepted: dict[str, Secret] = {}
        self._given: dict[str, tuple[Secret, bool]] = {}
        self._offered: dict[str, Secret] = {}
        self._refused: set[str] = set()
        self._again: set[str] = set()  # what was given a second time without being asked for
        self._anew: set[str] = set()
        self._expected_fingerprint: str | None = None
        #: Why the keyring could not be used, "" while it could; for people.
        self.keyring_problem = ""

    # -- what a login asks -----------------------------------------------------------------------------

    def password(self, address: object, attempt: int, prompt: str) -> Secret | None:
        """The password for `address`: the offered one, the known one, that of the config, else a person's.

        Raises LoginNeeded or LoginFailed where nobody can be asked. None means the person cancelled.
        """
        name = normal_address(str(address))

        def ask(again: int) -> Secret | None:
            return self._questions.password(name, attempt=again, prompt=prompt)

        return self._secret(name, attempt, ask, self._config_secret)

    def passphrase(self, keyfile: str, attempt: int, key: str = "") -> Secret | None:
        """What unlocks a key file; None leaves that key out. One that is kept is for exactly the key whose
        fingerprint is `key`; where that is not known nothing is kept."""

        def ask(again: int) -> Secret | None:
            return self._questions.passphrase(keyfile, attempt=again)

        if not key:
            secret = ask(attempt)
            if secret is not None:
                register(secret)
            return secret
        if attempt > 1:
            self._refuse(key)
        return self._secret(key, attempt, ask, lambda _: None)

    def _secret(
        self,
        name: str,
        attempt: int,
        ask: Callable[[int], Secret | None],
        configured: Callable[[str], Secret | None],
    ) -> Secret | None:
        found = self._known(name, configured) if attempt <= 1 else None
        if found is None:
            secret = self._ask(name, attempt, ask)
            found = (secret, True) if secret is not None else None
        if found is None:
            return None
        register(found[0])
        with self._lock:
            self._given[name] = found
        return found[0]

    def _known(self, name: str, configured: Callable[[str], Secret | None]) -> tuple[Secret, bool] | None:
        """A password nobody has to be asked for, and whether it is new to the vault."""
        with self._lock:
            offered, accepted = self._offered.pop(name, None), self._accepted.get(name)
            unjudged = self._given.pop(name, None)
            if offered is not None:
                return offered, True
            if name in self._refused or name in self._anew:
                self._anew.discard(name)
                return None
            if accepted is None and unjudged is not None:
                # The connection broke before the server said anything about it: once more, and then never again.
                is_first = name not in self._again
                self._again.add(name)
                return unjudged if is_first else None
        if accepted is not None:
            return accepted, False
        secret = self._stored(name) or configured(name)
        return (secret, False) if secret is not None else None

    def _stored(self, name: str) -> Secret | None:
        try:
            return self._vault.get(name)
        except KeyringUnavailable as error:
            self._keyring_failed(error)
            return None

    def _keyring_failed(self, error: KeyringUnavailable) -> None:
        """Remember why, and say it once with what to do about it."""
        is_new, self.keyring_problem = error.title != self.keyring_problem, error.title
        if is_new:
            self._questions.say(f"{error.title} {error.hint}".strip())

    def _ask(self, name: str, attempt: int, ask: Callable[[int], Secret | None]) -> Secret | None:
        again = attempt if name not in self._refused else max(attempt, 2)
        try:
            return ask(again)
        except LoginNeeded as error:
            if self.keyring_problem and not error.detail:
                error.detail = self.keyring_problem
            raise

    def accepted(self, address: object) -> None:
        """The server took the password given last: keep it, in the vault if it is new there."""
        self._keep(normal_address(str(address)))

    def unlocked(self, key: str) -> None:
        """The passphrase given last for this key was right: keep it, in the vault if it is new there."""
        self._keep(key)

    def _keep(self, name: str) -> None:
        with self._lock:
            secret, is_new = self._given.pop(name, (None, False))
            self._again.discard(name)
            self._refused.discard(name)
            if secret is None:
                return
            self._accepted[name] = secret
        if is_new:
            try:
                self._vault.put(name, secret)
            except KeyringUnavailable as error:
                self._keyring_failed(error)

    def rejected(self, address: object) -> None:
        """The server refused the password given last: it is not kept, and not tried again in this run."""
        self._refuse(normal_address(str(address)))

    def _refuse(self, name: str) -> None:
        with self._lock:
            self._given.pop(name, None)
            self._accepted.pop(name, None)
            self._refused.add(name)

    def answers(
        self, address: object, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        """A person's answers to a server's questions, or None; nothing that is known goes in, nothing is kept.

        Raises LoginNeeded where nobody can be asked.
        """
        name = normal_address(str(address))
        given = self._questions.answers(name, title=title, instructions=instructions, prompts=prompts)
        for secret, (_, is_shown) in zip(given or (), prompts, strict=False):
            if not is_shown:
                register(secret)
        return given

    def say(self, text: str) -> None:
        """Pass a sentence on to the person."""
        self._questions.say(text)

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        """ "cancel", "once" or "remember" for a key never seen. Raises UnknownHost where it cannot be asked."""
        expected = self._expected_fingerprint
        if expected is None:
            return self._questions.trust_host(host, key_type, fingerprint)
        if expected == fingerprint.rstrip("="):
            return "remember"
        raise UnknownHost(host, key_type, fingerprint)

    # -- what workflows say ----------------------------------------------------------------------------

    def offer(self, address: str, secret: Secret) -> None:
        """Use `secret` for the next login to `address`; it is kept if the server takes it."""
        register(secret)
        with self._lock:
            name = normal_address(address)
            self._offered[name] = secret
            self._refused.discard(name)

    def ask_anew(self, address: str) -> None:
        """Ask a person at the next login to `address`, whatever is known."""
        name = normal_address(address)
        self.forget(name)
        with self._lock:
            self._anew.add(name)

    def forget(self, address: str) -> None:
        """Forget what this run knows for `address`; the vault is left alone."""
        name = normal_address(address)
        with self._lock:
            self._accepted.pop(name, None)
            self._given.pop(name, None)
            self._offered.pop(name, None)
            self._refused.discard(name)

    def expect_fingerprint(self, fingerprint: str) -> None:
        """Trust, and remember, exactly the host key with this SHA256 fingerprint; no person is asked."""
        self._expected_fingerprint = fingerprint.rstrip("=")

    # -- what git asks ---------------------------------------------------------------------------------

    def git_prompt(self, prompt: str) -> Secret | None:
        """The answer to a question of git or of its ssh; None gives up. Nothing of it is kept: git does not
        say whether it was right, and has credential helpers of its own."""
        if host := _HOST_QUESTION.match(prompt + "\n"):
            answer = self.trust_host(host["host"], host["type"], host["print"])
            return None if answer == "cancel" else Secret("yes")
        if self._questions is NO_QUESTIONS:
            return None
        if asked := _OF_SERVER.match(prompt):
            question = (visible(asked["text"].strip())[:400], False)
            given = self._questions.answers(asked["who"], title="", instructions="", prompts=[question])
            if given:
                register(given[0])
            return given[0] if given else None
        if key := _PASSPHRASE.fullmatch(prompt):
            return self.passphrase(key["file"], 1)
        secret = self._questions.password(_who(prompt), attempt=1, prompt=prompt.strip())
        if secret is not None and not prompt.startswith("Username"):
            register(secret)
        return secret


def _who(prompt: str) -> str:
    """Whom a prompt of git or ssh is about, for people."""
    found = _WHO.match(prompt)
    return (found["url"] or found["account"]) if found else "the Git server"
