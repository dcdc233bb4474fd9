"""The small part of YAML that DVC itself writes, read line by line. Knows nothing of what the keys mean.

A metafile written by a program is a handful of plain lines; a full YAML parser needs milliseconds for it and
a `dvc.lock` of some megabytes would take minutes. `read_plain` accepts only texts whose every line has exactly
one reading under YAML 1.2 and gives up on everything else, so that it can never disagree with the full parser.
"""

from __future__ import annotations

from typing import Any

from modelkeep.core.patterns import pattern

_LINE = pattern(r"( *)((?:- )*)(?:([^\W\d][\w./@-]*):(?: (.+))?|(.+))")
# Word characters of any script and ASCII punctuation; inside a plain scalar only ": " and " #" have a meaning.
_INNER = r"(?:[\w!-\"$-9;-~]|:(?=[^ ])|(?<=[^ ])#)"
_TEXT = pattern(rf"[^\W\d]{_INNER}*(?: {_INNER}+)*")
_FOLDED = pattern(rf"{_INNER}+(?: {_INNER}+)*")
_INT = pattern(r"0|[1-9][0-9]{0,17}")
_HASH = pattern(r"(?=[0-9]*[a-f])(?!0b|[0-9]*e[0-9]*(?:\.dir)?$)[0-9a-f]{32}(?:\.dir)?")
_QUOTED = pattern(r"'((?:[^'\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]|'')*)'")
_ODD = pattern(r"(?i:null|true|false|yes|no|on|off|y|n)")
_WORDS = {"true": True, "false": False}


class _GiveUp(Exception):
    """Something that DVC does not write; the full parser decides."""


def read_plain(text: str) -> Any:
    """The value of `text` if it is in DVC's plain form, else None (which is no value in that form)."""
    if not text.endswith("\n") or "\t" in text or "\r" in text:
        return None
    lines = text[:-1].split("\n")
    try:
        parsed = [_split(line) for line in lines]
        value, end = _block(parsed, 0, 0, 0)
    except _GiveUp:
        return None
    return value if end == len(parsed) else None


_Line = tuple[int, bool, str | None, str, str]  # indent, starts with a dash, key, text after it, whole text


def _split(line: str) -> _Line:
    match = _LINE.fullmatch(line)
    if match is None or len(match[2]) > 2:
        raise _GiveUp
    return len(match[1]), bool(match[2]), match[3], match[4] or match[5] or "", line[len(match[1]) :]


def _block(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[Any, int]:
    if at >= len(lines) or lines[at][0] != indent or depth > 20:
        raise _GiveUp
    if lines[at][1]:
        return _sequence(lines, at, indent, depth)
    return _mapping(lines, at, indent, depth, {})


def _sequence(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while at < len(lines) and lines[at][0] == indent and lines[at][1]:
        _, _, key, text, whole = lines[at]
        if key is None:
            item, at = _folded(lines, at + 1, indent, text)
            items.append(item)
            continue
        # The first key of a mapping stands behind the dash, its other keys two columns deeper.
        lines[at] = (indent + 2, False, key, text, whole[2:])
        item, at = _mapping(lines, at, indent + 2, depth + 1, {})
        items.append(item)
    return items, at


def _mapping(
    lines: list[_Line], at: int, indent: int, depth: int, into: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    while at < len(lines) and lines[at][0] == indent and not lines[at][1]:
        _, _, key, text, _ = lines[at]
        if key is None or key in into or _ODD.fullmatch(key):
            raise _GiveUp
        at += 1
        if text:
            into[key], at = _folded(lines, at, indent, text)
        else:
            into[key], at = _nested(lines, at, indent, depth)
    return into, at


def _nested(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[Any, int]:
    if at >= len(lines):
        raise _GiveUp
    deeper, dash = lines[at][:2]
    if deeper == indent and dash:
        return _sequence(lines, at, indent, depth + 1)
    return _block(lines, at, indent + 2, depth + 1)


def _folded(lines: list[_Line], at: int, indent: int, text: str) -> tuple[Any, int]:
    """A scalar with the lines it was folded into, which stand deeper than what it belongs to."""
    first = _scalar(text)
    parts = [text]
    while at < len(lines) and lines[at][0] > indent:
        if first != text or not _TEXT.fullmatch(text) or not _FOLDED.fullmatch(lines[at][4]):
            raise _GiveUp
        parts.append(lines[at][4])
        at += 1
    return (first, at) if len(parts) == 1 else (" ".join(parts), at)


def _scalar(text: str) -> Any:
    if _TEXT.fullmatch(text):
        if not _ODD.fullmatch(text):
            return text
        if text in _WORDS:
            return _WORDS[text]
        raise _GiveUp  # what these mean depends on the version of YAML
    if _HASH.fullmatch(text):
        return text
    if _INT.fullmatch(text):
        return int(text)
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        raise _GiveUp
    return quoted[1].replace("''", "'")
