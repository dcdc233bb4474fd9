"""Finds the secrets in one DVC config file, also in one that is broken. Pure: a text comes in, secrets go out.

Which keys hold secrets is config_keys' business (dvc-format §6.3); a password in any address counts, too.
"""

from __future__ import annotations

from typing import NamedTuple

from modelkeep.core.errors import InvalidFile
from modelkeep.core.formats.config_keys import SECRET_KEYS
from modelkeep.core.formats.configfile import MAX_BYTES, Sections, parse_config, split_section
from modelkeep.core.formats.remoteurl import read_url, split_password
from modelkeep.core.values import Secret

#: Most old versions hold none of these words, and need not be parsed. Plain words only: a text made for it would
#: keep a pattern busy for minutes.
_WORDS = (b"@", *map(str.encode, sorted(SECRET_KEYS)))
#: Bytes of a file, and of a line of it, that the proper reader can be trusted with: its time grows with their square.
_PLAIN, _LINE = 32 << 10, 512
#: Secrets that say by their name to which kind of remote they belong, where no address does.
_KIND_OF_KEY = {
    "passphrase": "ssh",
    "access_key_id": "s3",
    "secret_access_key": "s3",
    "session_token": "s3",
    "sse_customer_key": "s3",
    "connection_string": "azure",
    "sas_token": "azure",
    "account_key": "azure",
    "client_secret": "azure",
    "gdrive_client_secret": "gdrive",
    "oss_key_id": "oss",
    "oss_key_secret": "oss",
}


class FoundSecret(NamedTuple):
    """A secret and where it stands. `remote` is "" outside of remotes, `kind` "" where nothing tells it."""

    section: str
    key: str
    secret: Secret
    remote: str
    kind: str


def find_secrets(data: bytes) -> tuple[FoundSecret, ...]:
    """The secrets in the text of a config file, in their order. An empty value is none."""
    lowered = data.lower() if len(data) <= MAX_BYTES else b""
    if not any(word in lowered for word in _WORDS):
        return ()
    found = []
    for section, body in _sections(data).items():
        kind, name = split_section(section)
        remote = name if kind == "remote" else ""
        for key, value in body.items():
            secret = value if key in SECRET_KEYS else split_password(value)[1]
            if secret:
                of_kind = _kind(body, key) if remote else ""
                found.append(FoundSecret(section, key, Secret(secret), remote, of_kind))
    return tuple(found)


def _sections(data: bytes) -> Sections:
    if len(data) <= _PLAIN and max(map(len, data.splitlines()), default=0) <= _LINE:
        try:
            return parse_config(data, "config")
        except InvalidFile:
            pass  # secrets stand in broken files, too
    return _lines(data)


def _kind(body: dict[str, str], key: str) -> str:
    scheme = read_url(body.get("url", "")).scheme
    return scheme if scheme and scheme != "remote" else _KIND_OF_KEY.get(key, "")


def _lines(data: bytes) -> Sections:
    """What can be made out in a file that is no proper config: sections, and keys with their values."""
    sections: Sections = {}
    body: dict[str, str] = sections.setdefault("", {})
    for line in map(str.strip, data.decode("utf-8", "replace").splitlines()):
        key, equals, value = line.partition("=")
        if line.startswith("["):
            body = sections.setdefault(line.partition("]")[0].strip("[ '").lower(), {})
        elif equals:
            body[key.strip().lower()] = value.strip().strip("\"'")
    return sections
