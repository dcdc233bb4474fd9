"""A vault that obeys the check box: what the user does not want kept stays in memory. Knows no keyring."""

from __future__ import annotations

from collections.abc import Callable

from modelkeep.core.credentials import MemoryVault, Vault
from modelkeep.core.values import Secret


class KeptVault:
    """Passes secrets on to `inner`, except for addresses where `keeps(address)` says no. Threads as `inner`."""

    def __init__(self, inner: Vault, keeps: Callable[[str], bool]) -> None:
        self._inner, self._keeps = inner, keeps
        self._session = MemoryVault()

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
        return self._session.get(address) or self._inner.get(address)

    def put(self, address: str, secret: Secret) -> None:
        if self._keeps(address):
            self._inner.put(address, secret)
        else:
            self._session.put(address, secret)

    def forget(self, address: str) -> None:
        self._session.forget(address)
        self._inner.forget(address)

    def describe(self) -> str:
        return self._inner.describe()
