"""YAML as DVC reads and writes it, without the dangerous parts. Knows nothing of metafiles.

DVC uses ruamel.yaml with YAML 1.2 rules and lines folded at 80 columns (dvc-format §1.2). Aliases, anchors,
tags and merge keys are refused, nesting and size are limited, duplicate keys are errors (safety §5.1).
ruamel is imported when it is first needed: most files are read without it.
"""

from __future__ import annotations

import io
import re
from typing import Any

from modelkeep.core.errors import InvalidFile
from modelkeep.core.formats.plainyaml import read_plain
from modelkeep.core.patterns import pattern

METAFILE_LIMIT = 1 << 20
LOCK_LIMIT = 16 << 20
MAX_DEPTH = 20
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = frozenset(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "timestamp"))
_CONFLICT = pattern(r"^(<{7}|={7}|>{7})( .*)?$", re.MULTILINE)


class _Refuse(Exception):
    """A part of YAML that is not data. Carries the reason and the line, counted from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def decode(data: bytes, file: str, limit: int = METAFILE_LIMIT) -> str:
    """The text of a YAML file: UTF-8, a BOM dropped, any line end turned into LF. Raises InvalidFile."""
    if len(data) > limit:
        raise InvalidFile(file, f"is larger than {limit >> 20} MB, which no metafile is")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(file, f"is not UTF-8 text (byte {error.start})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def load_yaml(data: bytes, file: str, *, limit: int = METAFILE_LIMIT) -> Any:
    """The value of a YAML text as plain dicts, lists and scalars; None for an empty document.

    Raises InvalidFile naming the line for anything that is not plain data.
    """
    text = decode(data, file, limit)
    plain = read_plain(text)
    return _load_full(text, file) if plain is None else plain


def load_for_update(data: bytes, file: str) -> Any:
    """The same as ruamel's round-trip structure, which remembers comments, order and style."""
    load_yaml(data, file)  # refuses everything that is not plain data first
    from ruamel.yaml import YAML

    return YAML().load(decode(data, file))


def dump_yaml(value: Any) -> bytes:
    """The bytes DVC writes for `value`: block style, folded at 80 columns, UTF-8, LF."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().encode("utf-8")


def _load_full(text: str, file: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _composer()
    try:
        node = yaml.compose(text)
        return None if node is None else _value(node, yaml.constructor)
    except _Refuse as error:
        raise InvalidFile(file, str(error), entry=f"line {error.line}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _not_yaml(text, file, error.problem or "cannot be read", mark.line + 1 if mark else 0) from None
    except RecursionError:
        raise InvalidFile(file, "is nested too deeply") from None
    except (
        YAMLError,
        ValueError,
        OverflowError,
        AttributeError,
        IndexError,
        TypeError,
        AssertionError,
    ) as error:
        # ruamel's scanner lets several built-in errors escape for damaged texts.
        raise _not_yaml(
            text, file, str(error).splitlines()[0] if str(error) else "cannot be read", 0
        ) from None


def _not_yaml(text: str, file: str, reason: str, line: int) -> InvalidFile:
    conflict = _CONFLICT.search(text)
    if conflict:
        at = text.count("\n", 0, conflict.start()) + 1
        return InvalidFile(
            file,
            "contains merge conflict markers",
            entry=f"line {at}",
            hint="Resolve the conflict: keep one side of each marked block, or take one version of the file.",
        )
    place = f"line {line}" if line else ""
    return InvalidFile(file, f"is not valid YAML: {reason}", entry=place, hint="Restore the file from Git.")


def _composer() -> Any:
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.events import AliasEvent

    class Strict(Composer):
        """Refuses anchors, aliases and depth while it reads, so that nothing is built from them."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.parser.peek_event()
            line = event.start_mark.line + 1
            if isinstance(event, AliasEvent) or event.anchor is not None:
                raise _Refuse("uses an anchor or alias, which is never followed", line)
            if self.depth >= MAX_DEPTH:
                raise _Refuse(f"is nested deeper than {MAX_DEPTH} levels", line)
            self.depth += 1
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

    return Strict


def _value(node: Any, constructor: Any) -> Any:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    tag = str(node.tag)
    if isinstance(node, ScalarNode) and tag in _SCALARS:
        return _scalar(node, tag.removeprefix(_STANDARD), constructor)
    if isinstance(node, SequenceNode) and tag == _STANDARD + "seq":
        return [_value(item, constructor) for item in node.value]
    if isinstance(node, MappingNode) and tag == _STANDARD + "map":
        return _mapping(node, constructor)
    raise _Refuse(f"has the tag {tag}, which is not plain data", node.start_mark.line + 1)


def _mapping(node: Any, constructor: Any) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = _value(key_node, constructor)
        line = key_node.start_mark.line + 1
        if isinstance(key, (dict, list)):
            raise _Refuse("has a list or mapping as a key", line)
        if key in result:
            raise _Refuse(f"has the key {key!r} twice", line)
        result[key] = _value(value_node, constructor)
    return result


def _scalar(node: Any, kind: str, constructor: Any) -> Any:
    if kind == "str":
        return str(node.value)
    if kind == "null":
        return None
    value = getattr(constructor, f"construct_yaml_{kind}")(node)
    if kind == "int" and abs(value) >= 1 << 63:
        raise _Refuse("has a number that does not fit in 63 bits", node.start_mark.line + 1)
    return value
