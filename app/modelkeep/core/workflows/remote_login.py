"""The way to a server as steps of the test: which is under way, and how long people took to answer meanwhile.

One call looks the name up, connects, checks the server's key and logs in; it tells the stages it reaches. Knows
no network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from modelkeep.core.stores.base import LoginProvider
from modelkeep.core.workflows.remote_advice import Place, key_command
from modelkeep.core.workflows.remote_steps import Found, State

#: The stage whose end is the end of a step (see stores.ssh_stages).
_ENDS = {"name": "name", "ssh": "port", "host_key": "host_key", "login": "login"}
_ORDER = tuple(_ENDS.values())


class _Patient:
    """Passes everything on to a LoginProvider and counts the seconds its answers take."""

    def __init__(self, login: LoginProvider) -> None:
        self._login = login
        self.waited = 0.0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._login, name)

        def timed(*words: Any, **more: Any) -> Any:
            started = time.monotonic()
            try:
                return call(*words, **more)
            finally:
                self.waited += time.monotonic() - started

        return timed


class Waiting:
    """A LoginProvider (`login`) that knows how many seconds others had to wait for it (`waited`)."""

    def __init__(self, login: LoginProvider) -> None:
        self._patient = _Patient(login)
        self.login = cast(LoginProvider, self._patient)

    @property
    def waited(self) -> float:
        return self._patient.waited


class Way:
    """The steps to a server. `begin` and `end` are called for each of them, in order, none left out."""

    def __init__(self, place: Place, begin: Callable[[str], None], end: Callable[[str, Found], None]) -> None:
        self._place = place
        self._begin = begin
        self._end = end
        self._facts: dict[str, str] = {}
        self._left = list(_ORDER)

    @property
    def now(self) -> str:
        """The step that is under way."""
        return self._left[0] if self._left else _ORDER[-1]

    def start(self) -> None:
        """The first step begins."""
        self._begin(self.now)

    def reached(self, stage: str, fact: str) -> None:
        """A stage was reached; steps that nobody told of on a way over other servers end with it."""
        self._facts[str(stage)] = fact
        step = _ENDS.get(str(stage))
        while step in self._left:
            self._finish()

    def arrive(self) -> None:
        """The login is done: what was not told has been reached too."""
        while self._left:
            self._finish()

    def _finish(self) -> None:
        step = self._left.pop(0)
        self._end(step, self._found(step))
        if self._left:
            self._begin(self._left[0])

    def _found(self, step: str) -> Found:
        place, facts = self._place, self._facts
        if step == "name":
            return Found(State.OK, _named(place, facts.get("name", "")), detail=facts.get("name", ""))
        if step == "port":
            server = facts.get("ssh", "").removeprefix("SSH-2.0-")
            text = f"An SSH server answers on port {place.port}{f': {server}' if server else ''}."
            return Found(State.OK, text, detail=facts.get("port", ""))
        if step == "host_key":
            key = facts.get("host_key", "")
            text = f"It shows the key that this computer knows{f': {key}' if key else ''}."
            return Found(State.OK, text, detail=f"To compare it on the server: {key_command(key)}")
        how = facts.get("login", "")
        return Found(State.OK, f"Logged in as {place.user}{f' with {_by(how)}' if how else ''}.", detail=how)


def _named(place: Place, fact: str) -> str:
    if not fact or fact == place.host:
        return f"{place.host} needs no lookup."
    if fact.startswith("left to"):
        return f"Looking {place.host} up is {fact}."
    return f"{place.host} is {fact}."


def _by(how: str) -> str:
    return {"password": "the password", "questions": "answers to the server's questions"}.get(
        how, f"the {how}"
    )
