"""A vault that obeys the check box: what the user does not want kept stays in memory. Knows no keyring."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modelkeep.core.credentials import MemoryVault, Vault
from modelkeep.core.values import Secret


class KeptVault:
    """Passes secrets on to `inner`, except for addresses where `keeps(address)` says no. Threads as `inner`."""

    def __init__(self, inner: Vault, keeps: Callable[[str], bool]) -> None:
        self._inner, self._keeps = inner, keeps
        self._session = MemoryVault()
        self._for_good = threading.local()

    @contextmanager
    def for_good(self) -> Iterator[None]:
        """On this thread and inside, everything goes to `inner` and comes from there: the user asked for that."""
        self._for_good.now = True
        try:
            yield
        finally:
            self._for_good.now = False

    @property
    def _lasts(self) -> bool:
        return getattr(self._for_good, "now", False)

    @property
    def is_persistent(self) -> bool:
        return self._inner.is_persistent

    @property
    def lasting(self) -> Vault:
        return self._inner.lasting

    @property
    def reason(self) -> str:
        return self._inner.reason

    def get(self, address: str) -> Secret | None:
        if self._lasts:
            return self._inner.get(address)
        return self._session.get(address) or self._inner.get(address)

    def put(self, address: str, secret: Secret) -> None:
        if self._lasts or self._keeps(address):
            self._inner.put(address, secret)
        else:
            self._session.put(address, secret)

    def forget(self, address: str) -> None:
        self._session.forget(address)
        self._inner.forget(address)

    def describe(self) -> str:
        return self._inner.describe()
