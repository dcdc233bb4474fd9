"""Keeps secrets out of texts by their value, in whatever form they turn up. Knows no vault and no network.

Every secret that is loaded or typed is told to `register`; from then on `redact` and the logging filter replace
it, also URL-quoted, escaped as in JSON, and base64-encoded as in an HTTP header (safety rule 5.6).
"""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from modelkeep.core.values import Secret

if TYPE_CHECKING:
    import logging

DOTS = "••••••"
#: A shorter secret would blot out half of every text without protecting anything.
SHORTEST = 4
_LOCK = threading.Lock()
_FORMS: set[str] = set()
_PATTERN: re.Pattern[str] | None = None


def register(secret: Secret) -> None:
    """From now on keep this secret out of everything that passes `redact`."""
    global _PATTERN
    with _LOCK:
        before = len(_FORMS)
        _FORMS.update(_forms(secret.reveal()))
        if len(_FORMS) != before:
            longest_first = sorted(_FORMS, key=len, reverse=True)
            _PATTERN = re.compile("|".join(map(re.escape, longest_first)))


def redact(text: str) -> str:
    """`text` with every registered secret replaced by dots."""
    return _PATTERN.sub(DOTS, text) if _PATTERN is not None else text


def _forms(text: str) -> set[str]:
    if len(text) < SHORTEST:
        return set()
    raw = text.encode()
    plain = {text, quote(text, safe=""), quote(text), quote_plus(text)}
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    return plain | escaped | {form for shift in range(3) for form in _base64_forms(raw, shift)}


def _base64_forms(raw: bytes, shift: int) -> set[str]:
    """How `raw` looks inside a longer base64 text that it begins at byte `shift` (modulo 3)."""
    coded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
    first = (0, 2, 3)[shift]
    last = len(coded) - (1 if (shift + len(raw)) % 3 else 0)
    inner = coded[first:last]
    return {inner, inner.translate(str.maketrans("+/", "-_"))} if len(inner) >= SHORTEST else set()


class RedactionFilter:
    """Redacts log records, tracebacks included. Belongs on every handler; never drops a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record; True, so that it is logged."""
        if _PATTERN is None:
            return True
        import logging

        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True
