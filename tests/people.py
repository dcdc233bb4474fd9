"""People who sit before the program in tests: what they are asked is recorded, what they answer is said at once."""

from __future__ import annotations

from collections.abc import Sequence

from modelkeep.core.values import Secret


class Person:
    """Gives no secret. `moves` is what they say to a changed address, `trusts` to an unknown host key."""

    def __init__(self, *, moves: bool = True, trusts: str = "once") -> None:
        self.moves = moves
        self.trusts = trusts
        self.asked: list[tuple[str, ...]] = []

    def password(self, address: str, *, attempt: int, prompt: str) -> Secret | None:
        self.asked.append(("password", address))
        return None

    def passphrase(self, keyfile: str, *, attempt: int) -> Secret | None:
        self.asked.append(("passphrase", keyfile))
        return None

    def answers(
        self, address: str, *, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[Secret] | None:
        self.asked.append(("answers", address))
        return None

    def trust_host(self, host: str, key_type: str, fingerprint: str) -> str:
        self.asked.append(("trust", host))
        return self.trusts

    def address_changed(self, remote: str, old: str, new: str) -> bool:
        self.asked.append(("address", remote, old, new))
        return self.moves

    def say(self, text: str) -> None:
        self.asked.append(("say", text))
