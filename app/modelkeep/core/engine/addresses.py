"""Where a remote leads, as far as the user knows, and whose passwords may go there. Connects to nothing.

A repository names its remotes and chooses their addresses, and a later commit may choose others. So the address
of each remote is kept at its first use; a different one is a question before anything connects, and a password
that a config file holds goes to the server it was first used for, and to no other (safety §5.2).
"""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from modelkeep.core.errors import AddressChanged, StoreFailed
from modelkeep.core.formats.config import Config
from modelkeep.core.nouns import dataclass
from modelkeep.core.settings import KnownAddresses, KnownLogins
from modelkeep.core.stores.base import RemoteSpec
from modelkeep.core.stores.registry import login_address
from modelkeep.core.values import Secret

#: (remote, old address, new address) -> whether the user takes the new one. May block; may raise Refused.
Ask = Callable[[str, str, str], bool]
_OWN_LEVELS = ("system", "global")
_DEFAULT = ""  # no remote can be called so


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A remote that leads elsewhere than when it was last used."""

    remote: str
    old: str
    new: str


class Place(NamedTuple):
    """Where a remote leads. `current` is where the project's own config, of today, lets it lead: another version
    may name another address, which counts as known once the user took it."""

    remote: str
    address: str
    current: str
    is_default: bool

    @property
    def is_of_today(self) -> bool:
        """Whether today's config says so."""
        return self.address == self.current


def address_of(spec: RemoteSpec) -> str:
    """Where a remote leads, in one form for people and for comparing; without secrets."""
    if spec.kind != "ssh":
        return spec.path if spec.kind == "local" else f"{spec.kind}://{spec.path}"
    user = f"{spec.user}@" if spec.user else ""
    host = f"[{spec.host}]" if ":" in spec.host else spec.host
    port = f":{spec.port}" if spec.port else ""
    return f"ssh://{user}{host}{port}{posixpath.normpath(spec.path or '/')}"


class AddressBook:
    """The addresses of one project's remotes. Safe from several threads; one question for all of them."""

    def __init__(self, root: Path, ask: Ask) -> None:
        self._root = root
        self._ask = ask
        self._asking = threading.Lock()
        self._answers = 0
        self._declined: AddressChange | None = None
        self._new: set[str] = set()

    def settle(self) -> None:
        """The project may say something else from now on: what was new is known."""
        self._new.clear()

    def changed(self, place: Place) -> AddressChange | None:
        """What is to be asked before `place` is used, or None."""
        book = KnownAddresses.load()
        known = book.of(self._root, place.remote)
        if not known:
            # A new name for the default remote is a changed address, too: data would go to another place.
            known = book.of(self._root, _DEFAULT) if place.is_default else ()
            known = known or (place.current or place.address,)
        right = known[0] == place.address if place.is_of_today else place.address in known
        return None if right else AddressChange(place.remote, known[0], place.address)

    def check(self, place: Place, earlier: Callable[[], str | None]) -> None:
        """Raise AddressChanged unless the place is the known one, or the user takes it now.

        `earlier` is asked at the first use of a remote for an address it had before that counts as known.
        """
        before = self._answers
        if place.is_of_today and not KnownAddresses.load().of(self._root, place.remote):
            self._begin(place, earlier())
        if self._change(place) is not None:
            with self._asking:
                change = self._change(place)
                if change is not None:
                    self._settle(change, is_new=self._answers == before)
        self.accept(place)

    def _begin(self, place: Place, address: str | None) -> None:
        if address is not None:
            self.accept(place._replace(address=address, current=address, is_default=False))

    def _change(self, place: Place) -> AddressChange | None:
        """As `changed`; but at the first use of a remote, what older versions call it is as new as all of it."""
        if not KnownAddresses.load().of(self._root, place.remote) and place.current:
            self._new.add(place.remote)
        if place.remote in self._new and not place.is_of_today:
            return None
        return self.changed(place)

    def _settle(self, change: AddressChange, *, is_new: bool) -> None:
        """Ask, unless another thread did so while this one waited for it."""
        if is_new or self._declined != change:
            self._declined = None if self._ask(change.remote, change.old, change.new) else change
            self._answers += 1
        if self._declined is not None:
            raise AddressChanged(change.remote, change.old, change.new)

    def accept(self, place: Place) -> None:
        """The user's own word that a place is right. Writes only what is new."""
        book = KnownAddresses.load()
        known = book.of(self._root, place.remote)
        # A home that cannot be written must not keep data from its owner.
        with suppress(StoreFailed, OSError):
            if not known and place.current and not place.is_of_today:
                KnownAddresses.accept(self._root, place.remote, place.current)
            if place.is_of_today and place.address not in known[:1]:
                KnownAddresses.accept(self._root, place.remote, place.address)
            elif place.address not in known:
                KnownAddresses.accept(self._root, place.remote, place.address, used=False)
            elif book.is_fading(self._root):  # used, so not to be forgotten before others
                KnownAddresses.accept(self._root, place.remote, known[0])
            if (
                place.is_default
                and place.is_of_today
                and place.address not in book.of(self._root, _DEFAULT)[:1]
            ):
                KnownAddresses.accept(self._root, _DEFAULT, place.address)


def password_in_config(
    root: Path, config: Config, login: Callable[[str], str | None], address: str
) -> Secret | None:
    """The password that a config file holds for the server at `address` (user@host:port), or None.

    `login` gives the address that a remote logs in to. Such a password belongs to the name of a remote. It is
    offered only to the server that name meant at its first use, unless the user's own files give the address, too;
    one in the user's config for all projects only then; an inherited one only at the address it was made for.
    """
    for one in config.remotes():
        if one.kind != "ssh" or one.problem or login(one.name) != address:
            continue
        held = config.held(one.name, "password")
        if held is None or login(held.remote) != address:
            continue
        is_own = _is_own_word(config, held.remote)
        if held.level in _OWN_LEVELS and not is_own:
            continue
        if is_own and held.level != "repo":
            return held.secret
        if first_login(root, held.remote, one.name) in (None, address):
            KnownLogins.load().is_same(root, held.remote, address)  # from now on it is for this server
            return held.secret
    return None


def first_login(root: Path, *names: str) -> str | None:
    """The server (user@host:port) that a password of these remotes was for at their first use, None before it."""
    for name in names:
        if (known := KnownLogins.load().of(root, name)) is not None:
            return known
    for name in names:
        if addresses := KnownAddresses.load().of(root, name):
            return login_address(RemoteSpec.parse(addresses[-1])) or ""
    return None


def kept_for(root: Path, config: Config, remote: str, address: str) -> str:
    """The server that a password in the user's files is kept for instead of `address`, "" if there is none."""
    held = config.held(remote, "password")
    if held is None or held.level == "repo" or _is_own_word(config, held.remote):
        return ""
    first = first_login(root, held.remote, remote)
    return first if first and first != address else ""


def _is_own_word(config: Config, remote: str) -> bool:
    """Whether all that makes the address of a remote stands in the user's own files."""
    sections = [f'remote "{name}"' for name in config.ancestry(remote)]
    return all(config.level_of(one, key) != "repo" for one in sections for key in ("url", "user", "port"))
