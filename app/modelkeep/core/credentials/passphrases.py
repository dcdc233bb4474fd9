"""Passphrases of private keys in the vault, each bound to exactly its key. Knows no servers and asks nobody."""

from __future__ import annotations

from modelkeep.core.credentials.vault import Vault
from modelkeep.core.errors import UsageError
from modelkeep.core.keyfile import look_at
from modelkeep.core.paths import visible
from modelkeep.core.values import Secret


def keep(vault: Vault, keyfile: str, secret: Secret) -> None:
    """Keep the passphrase of a key file under the key's fingerprint. Raises KeyringUnavailable, and UsageError
    where the file is no private key."""
    vault.put(_mark(keyfile), secret)


def kept(vault: Vault, keyfile: str) -> Secret | None:
    """The passphrase kept for the key in this file, if there is one. Raises as `keep`."""
    return vault.get(_mark(keyfile))


def _mark(keyfile: str) -> str:
    found = look_at(keyfile)
    if found is None:
        raise UsageError(
            f"{visible(keyfile)} is no private key that can be read.",
            hint="Name the private half, without .pub at its end.",
        )
    return found.mark
