"""Finds the secrets in one DVC config file, also in one that is broken. Pure: a text comes in, secrets go out.

Which keys hold secrets is config_keys' business (dvc-format §6.3); a password in any address counts, too.
"""

from __future__ import annotations

from collections.abc import Iterator
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
#: DVC knows the first alone; people write both, and a file with the other is read as having odd keys.
_COMMENT = ("#", ";")
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
    """A secret and where it stands. `remote` is "" outside of remotes, `kind` "" where nothing tells it.

    `is_comment` says that its line is commented out, so that nothing uses it.
    """

    section: str
    key: str
    secret: Secret
    remote: str
    kind: str
    is_comment: bool = False


def find_secrets(data: bytes) -> tuple[FoundSecret, ...]:
    """The secrets in the text of a config file, in their order, then those in comments. An empty value is none."""
    lowered = data.lower() if len(data) <= MAX_BYTES else b""
    if not any(word in lowered for word in _WORDS):
        return ()
    found = []
    sections = _sections(data)
    for section, body in sections.items():
        kind, name = split_section(section)
        remote = name if kind == "remote" else ""
        for key, value in body.items():
            secret = _secret(key, value)
            if secret and not key.startswith(_COMMENT):
                of_kind = _kind(body, key) if remote else ""
                found.append(FoundSecret(section, key, Secret(secret), remote, of_kind))
    return (*found, *_in_comments(data, sections))


def _secret(key: str, value: str) -> str | None:
    return value if key in SECRET_KEYS else split_password(value)[1]


def _in_comments(data: bytes, sections: Sections) -> Iterator[FoundSecret]:
    """What was commented out is as public as the rest."""
    section = ""
    for line in _text_lines(data):
        if line.startswith("["):
            section = _heading(line)
        elif line.startswith(_COMMENT):
            key, value = _entry(line.lstrip("#; \t"))
            if secret := _secret(key, value):
                kind, name = split_section(section)
                remote = name if kind == "remote" else ""
                of_kind = _kind(sections.get(section, {}), key) if remote else ""
                yield FoundSecret(section, key, Secret(secret), remote, of_kind, True)


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
    for line in _text_lines(data):
        if line.startswith("["):
            body = sections.setdefault(_heading(line), {})
        elif "=" in line and not line.startswith(_COMMENT):
            key, value = _entry(line)
            body[key] = value
    return sections


def _text_lines(data: bytes) -> Iterator[str]:
    return map(str.strip, data.decode("utf-8", "replace").splitlines())


def _heading(line: str) -> str:
    return line.partition("]")[0].strip("[ '").lower()


def _entry(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return key.strip().strip("\"'").lower(), value.strip().strip("\"'")
