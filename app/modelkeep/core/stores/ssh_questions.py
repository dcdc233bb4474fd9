"""Answers what a server asks (keyboard-interactive, RFC 4256), in as many rounds as it likes. Opens no connection.

A server may ask anything. Its texts are shown as they are, made harmless; a password that is kept goes only into a
single hidden question that asks for one, and only once. Everything else is for a person.
"""

from __future__ import annotations

import re

from modelkeep.core.errors import LoginFailed, LoginNeeded
from modelkeep.core.paths import visible
from modelkeep.core.stores.base import Address, LoginProvider
from modelkeep.core.stores.ssh_turns import Declined
from modelkeep.core.stores.ssh_userauth import MOST_QUESTIONS, Answer, Questions, UserAuth

_ROUNDS = 20
_TITLE, _INSTRUCTIONS, _PROMPT = 200, 2000, 400  # characters
_SECOND_FACTOR = re.compile(
    r"\b(code|otp|totp|tokens?|one.?time|verification|authenticator|passcode|factor|pin|duo|yubi\w*|challenge)\b",
    re.IGNORECASE,
)
_EXPIRED = re.compile(
    r"password (has )?expired|new (unix )?password|change your password|password change", re.IGNORECASE
)


class Interview:
    """One try of keyboard-interactive. `used_password` says whether a password was given, `was_asked` anything."""

    def __init__(self, auth: UserAuth, provider: LoginProvider, address: Address, attempt: int) -> None:
        self._auth = auth
        self._provider = provider
        self._address = address
        self._attempt = attempt
        self._expired = False
        self.used_password = False
        self.was_asked = False
        self._was_person_asked = False

    @property
    def only_password(self) -> bool:
        """Whether a password was all that was wanted."""
        return self.used_password and not self._was_person_asked

    def run(self) -> Answer:
        """The server's verdict. Raises LoginFailed, LoginNeeded, Declined, and what the connection raises."""
        said = self._auth.ask_for_questions()
        for _ in range(_ROUNDS):
            if isinstance(said, Answer):
                self._judge(said)
                return said
            answers = self._answers(said)
            said = self._auth.respond(answers)
            if not answers:
                self._provider.say("")  # whatever it told to do has been done
        raise self._too_much("asks without end")

    def _judge(self, said: Answer) -> None:
        """Have the password kept that was right, and forgotten that was not, or is not any more."""
        if not self.used_password:
            return
        if said.is_step and not self._expired:
            self._provider.accepted(self._address)
        else:
            self._provider.rejected(self._address)

    def _answers(self, asked: Questions) -> list[str]:
        if asked.count > MOST_QUESTIONS:
            raise self._too_much(f"asks {asked.count} questions at once")
        title, instructions = harmless(asked.title, _TITLE), harmless(asked.instructions, _INSTRUCTIONS)
        if not asked.prompts:
            if text := "\n".join(part for part in (title, instructions) if part):
                self._provider.say(f"{self._address.host} says: {text}")
            return []
        self.was_asked = True
        prompts = [(harmless(text, _PROMPT), is_shown) for text, is_shown in asked.prompts]
        self._look_for_expiry("\n".join([instructions, *(text for text, _ in prompts)]))
        (first, is_shown), *more = prompts
        wants_password = not (more or is_shown or self.used_password or self._expired)
        if wants_password and not _SECOND_FACTOR.search(first):
            return [self._password(first)]
        self._was_person_asked = True
        return self._from_a_person(title, instructions, prompts)

    def _password(self, prompt: str) -> str:
        secret = self._provider.password(self._address, self._attempt, prompt)
        if secret is None:
            raise Declined
        self.used_password = True
        return secret.reveal()

    def _from_a_person(self, title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        try:
            given = self._provider.answers(
                self._address, title=title, instructions=instructions, prompts=prompts
            )
        except LoginNeeded:
            if self._expired:
                raise expired(self._address) from None
            raise
        if given is None or len(given) != len(prompts):
            raise Declined
        return [secret.reveal() for secret in given]

    def _look_for_expiry(self, text: str) -> None:
        if not self._expired and is_about_expiry(text):
            self._expired = True
            self._provider.say(f"The password of {self._address} has expired: the server wants a new one.")

    def _too_much(self, what: str) -> LoginFailed:
        return LoginFailed(
            f"{self._address.host} {what}; nothing more was answered.",
            hint="Log in with a key, or ask the server's administrator.",
            reason="second_factor",
        )


def expired(address: Address, text: str = "") -> LoginFailed:
    """The error for a password that has to be changed first."""
    return LoginFailed(
        f"The password of {address} has expired.",
        detail=harmless(text, _PROMPT),
        hint=f"Change it in a terminal: ssh -p {address.port} {address.user}@{address.host}",
        reason="password_expired",
    )


def is_about_expiry(text: str) -> bool:
    """Whether a server says that a password has to be changed."""
    return _EXPIRED.search(text) is not None


def harmless(text: str, most: int) -> str:
    """A server's text as it is, with control characters made visible and cut after `most`; line breaks stay."""
    lines = text[: most + 1].replace("\r\n", "\n").strip("\n ").split("\n")
    shown = "\n".join(visible(line.replace("\t", " ")) for line in lines)
    return shown if len(text) <= most else f"{shown[:most]}…"
