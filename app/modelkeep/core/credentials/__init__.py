"""Passwords: where they are kept (`vault`), who is asked (`questions`), and how both serve a login (`login`)."""

from modelkeep.core.credentials.login import Credentials
from modelkeep.core.credentials.questions import NO_QUESTIONS, Questions
from modelkeep.core.credentials.refused import refused_backend
from modelkeep.core.credentials.vault import (
    KeyringVault,
    MemoryVault,
    Vault,
    allowed_backend,
    normal_address,
    open_vault,
)
from modelkeep.core.redaction import RedactionFilter, redact, register

__all__ = [
    "NO_QUESTIONS",
    "Credentials",
    "KeyringVault",
    "MemoryVault",
    "Questions",
    "RedactionFilter",
    "Vault",
    "allowed_backend",
    "normal_address",
    "open_vault",
    "redact",
    "refused_backend",
    "register",
]
