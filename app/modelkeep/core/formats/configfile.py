"""One DVC config file: ConfigObj text to sections and back, with DVC's bytes (dvc-format §6.2).

Knows the dialect only; which keys exist and which level wins is `config`'s business.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from modelkeep.core.errors import InvalidFile, UsageError
from modelkeep.core.formats.config_keys import ANY_REMOTE, NAMED, PATH_KEYS, SECRET_KEYS, SECTIONS
from modelkeep.core.patterns import pattern

Sections = dict[str, dict[str, str]]
_Parsed = dict[str, dict[str, str | list[str]]]
MAX_BYTES = 256 << 10
_MAX_VALUE = 64 << 10
_MAX_LINE = 4096
_REFERENCE = pattern(r"%\(([^)]*)\)s")
_NAMED = pattern(r'\s*(remote|machine|db)\s*"(.*)"\s*')
_SCHEME = pattern(r"\w+://")


def parse_config(data: bytes, file: str) -> Sections:
    """The sections of a config file, names and keys in lower case; a named one is `remote "x"`.

    `%(key)s` is replaced as ConfigObj does; one that names nothing raises InvalidFile, as does any text that
    is not a config. Which keys exist is not checked here.
    """
    return {
        name: {key: ",".join(value) if isinstance(value, list) else value for key, value in body.items()}
        for name, body in _parse(data, file).items()
    }


def edit_config(data: bytes, file: str, changes: Mapping[tuple[str, str], str | None]) -> bytes:
    """The file with `changes` applied: (section, key) to a value, or to None to remove it.

    The result has DVC's bytes: the whole file is written anew, comments are lost, empty sections dropped, remotes
    stand last. Raises InvalidFile for a broken file and UsageError for a change DVC could not read back.
    """
    sections = _parse(data, file)
    known = list(sections)
    for (section, key), value in changes.items():
        name = _section_key(section)
        if value is None:
            sections.get(name, {}).pop(key.lower(), None)
            continue
        _check_change(name, key.lower(), value)
        sections.setdefault(name, {})[key.lower()] = value
    return _write(
        {name: _relative(name, sections[name]) for name in _order(sections, known) if sections[name]}
    )


def remote_section(name: str) -> str:
    """The section key of a remote; names are lower case in DVC. Raises UsageError for an impossible name."""
    if not re.fullmatch(
        r"[^\s\"'\[\]\x00-\x1f\x7f](?:[^\"'\[\]\x00-\x1f\x7f]*[^\s\"'\[\]\x00-\x1f\x7f])?", name
    ):
        raise UsageError(f"{name!r} cannot be the name of a remote.", hint="Use letters, digits, - and _.")
    return f'remote "{name.lower()}"'


def split_section(section: str) -> tuple[str, str]:
    """(`remote`, name) for a named section, else (section, "")."""
    match = _NAMED.fullmatch(section)
    return (match[1], match[2]) if match else (section, "")


def _section_key(section: str) -> str:
    kind, name = split_section(section.lower())
    return f'{kind} "{name}"' if name or kind != section.lower() else kind


def _read(data: bytes, file: str) -> dict[str, Any]:
    from configobj import ConfigObj, ConfigObjError

    if len(data) > MAX_BYTES:
        raise InvalidFile(file, f"is larger than {MAX_BYTES >> 10} kB, which no config is")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(file, f"is not UTF-8 text (byte {error.start})") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if max(map(len, text.split("\n"))) > _MAX_LINE:
        # ConfigObj's time grows with the square of a line's length.
        raise InvalidFile(file, f"has a line of more than {_MAX_LINE} characters, which no config has")
    try:
        parsed: dict[str, Any] = ConfigObj(io.StringIO(text), interpolation=False).dict()
    except ConfigObjError as error:
        # ConfigObj repeats the line itself in some messages; that line may hold a password.
        number = getattr(error, "line_number", None)
        place = f"line {number}" if number else ""
        raise InvalidFile(
            file, "is not a DVC config file", entry=place, hint="Mend or remove that line."
        ) from None
    except (ValueError, TypeError, RecursionError, AttributeError, IndexError):
        raise InvalidFile(file, "is not a DVC config file") from None
    return parsed


def _parse(data: bytes, file: str) -> _Parsed:
    raw = _read(data, file)
    references = _References(raw, file)
    sections: _Parsed = {}
    for name, body in raw.items():
        if not isinstance(body, dict):
            raise InvalidFile(file, "stands before the first [section]", entry=str(name))
        values: dict[str, str | list[str]] = {}
        for key, value in body.items():
            where = f"[{name}] {key}"
            if isinstance(value, dict):
                raise InvalidFile(file, "is a section inside a section", entry=where)
            if isinstance(value, list):
                _check_list(key.lower(), file, where)
                values[key.lower()] = [references.replaced(str(item), body, where) for item in value]
            else:
                values[key.lower()] = references.replaced(str(value), body, where)
        sections[_section_key(name)] = values
    return sections


def _check_list(key: str, file: str, where: str) -> None:
    if key != "type":
        raise InvalidFile(
            file,
            "has a comma outside quotes, which makes it a list",
            entry=where,
            hint="Put the value in quotes.",
        )


class _References:
    """ConfigObj's `%(key)s`, with a limit on the work and the length a hostile file can ask for."""

    def __init__(self, raw: Mapping[str, Any], file: str) -> None:
        self._raw = raw
        self._file = file
        self._left = 1000

    def replaced(self, value: str, body: Mapping[str, Any], where: str, depth: int = 0) -> str:
        parts, at, size = [], 0, 0
        for match in _REFERENCE.finditer(value):
            found = _lookup(match[1], body, self._raw)
            self._left -= 1
            if found is None:
                raise self._wrong(
                    "refers to a key that is not set", where
                )  # unnamed: it may be half a password
            if depth >= 10 or self._left < 0 or size > _MAX_VALUE:
                raise self._wrong("refers to itself, or grows without end", where)
            parts += [value[at : match.start()], self.replaced(found, body, where, depth + 1)]
            at = match.end()
            size += len(parts[-1])
        return "".join([*parts, value[at:]])

    def _wrong(self, reason: str, where: str) -> InvalidFile:
        return InvalidFile(
            self._file,
            f"{reason} (%(…)s is replaced by another key of the section)",
            entry=where,
            hint="DVC has no way to write a literal %(…)s here; change the value.",
        )


def _lookup(key: str, body: Mapping[str, Any], raw: Mapping[str, Any]) -> str | None:
    for scope in (body, body.get("DEFAULT"), raw.get("DEFAULT")):
        value = scope.get(key) if isinstance(scope, Mapping) else None
        if isinstance(value, str):
            return value
    return None


def _check_change(section: str, key: str, value: str) -> None:
    kind, name = split_section(section)
    known = ANY_REMOTE if kind == "remote" else NAMED.get(kind) or SECTIONS.get(kind)
    if known is None or key not in known:
        raise UsageError(
            f"DVC has no setting {kind}.{key}.", hint="See the DVC manual for the keys it knows."
        )
    if kind == "remote":
        remote_section(name)
    if _REFERENCE.search(value) or any(ord(char) < 32 or char == "\x7f" for char in value):
        # The value is not repeated: it may be a secret.
        what = "a secret" if key in SECRET_KEYS else "a value"
        raise UsageError(f"{kind}.{key} cannot hold {what} with %(…)s or control characters.")
    if value.strip() != value.strip(" "):
        raise UsageError(f"{kind}.{key} cannot begin or end with a special space; DVC would drop it.")
    if "'" in value and '"' in value and ("'''" in value and '"""' in value):
        raise UsageError(f"{kind}.{key} cannot hold both kinds of triple quotes.")


def _order(sections: _Parsed, known: list[str]) -> list[str]:
    """DVC's order: plain sections as they stood, new ones after them; then remotes, machines and dbs."""
    plain = [name for name in known if not split_section(name)[1]]
    new = [name for name in SECTIONS if name in sections and name not in plain]
    named = [name for kind in NAMED for name in sections if split_section(name)[0] == kind]
    return [*plain, *new, *named]


def _relative(section: str, body: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    kind, _ = split_section(section)
    keys = PATH_KEYS if kind in ("remote", "machine") else frozenset({"dir"} if kind == "cache" else ())
    return {
        key: _normalised(value) if key in keys and isinstance(value, str) else value
        for key, value in body.items()
    }


def _normalised(path: str) -> str:
    """A relative path as DVC writes it back: normalised; URLs, absolute and ~ paths as they are."""
    if _SCHEME.match(path) or path.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", path):
        return path
    return posixpath.normpath(path) if path else "."


def _write(sections: _Parsed) -> bytes:
    from configobj import ConfigObj

    writer = ConfigObj(sections, encoding="utf-8", interpolation=False)
    writer.newlines = "\n"
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()
