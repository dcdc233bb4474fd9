"""DVC's `${…}` templates: variables, interpolation, foreach and matrix. Knows nothing of outputs or hashes.

Follows DVC 3's own resolver (dvc-format §2.1). What cannot be resolved raises Unresolved: the caller reports it
and never guesses.
"""

from __future__ import annotations

import copy
import json
import posixpath
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from modelkeep.core.errors import InvalidFile
from modelkeep.core.formats.yamldoc import load_yaml
from modelkeep.core.patterns import pattern

Read = Callable[[str], bytes | None]
_TEMPLATE = pattern(r"(?<!\\)\$\{(.*?)\}")
_EXPRESSION = pattern(r"\s*[^.\[\]]+(?:\.[^.\[\]]+|\[[^.\[\]]+\])*\s*")
MAX_TEXT = 1 << 16
MAX_STAGES = 100_000


class Unresolved(Exception):
    """A template whose value is not known from the project's files. The text says which and why."""


def has_template(value: Any) -> bool:
    """Whether any text in `value` has a template, or an escaped one, to replace."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(has_template(key) or has_template(item) for key, item in value.items())
    return isinstance(value, list) and any(has_template(item) for item in value)


class Variables:
    """The variables visible to one pipeline file or stage. `read` gives a project file's bytes or None."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._values: dict[str, Any] = {}
        self._loaded: dict[str, list[str] | None] = {}

    def load(self, items: Any, folder: str, *, default: str = "") -> None:
        """Take a `vars` list into account; `default` is a parameter file used when it exists."""
        if default and self._read(posixpath.normpath(posixpath.join(folder, default))) is not None:
            self._load_file(default, folder)
        if not isinstance(items, list):
            raise Unresolved("vars is not a list")
        if has_template(items):
            raise Unresolved("vars may not contain templates")
        for item in items:
            if isinstance(item, str):
                self._load_file(item, folder)
            elif isinstance(item, dict):
                _merge(self._values, _text_keys(item))
            else:
                raise Unresolved("vars holds something that is neither a file nor a mapping")

    def with_values(self, values: dict[str, Any]) -> Variables:
        """A copy in which `values` shadow what was there (`item` and `key`)."""
        clone = Variables(self._read)
        clone._values = {**self._values, **values}
        clone._loaded = dict(self._loaded)
        return clone

    def with_vars(self, items: Any, folder: str) -> Variables:
        """A copy with a stage's own `vars` added."""
        if not items:
            return self
        clone = self.with_values({})
        clone._values = copy.deepcopy(clone._values)
        clone.load(items, folder)
        return clone

    def resolve(self, value: Any, *, whole: bool = False) -> Any:
        """`value` with its templates replaced; `whole` allows a text to become a list or mapping."""
        if isinstance(value, str):
            return self._resolve_text(value, whole)
        if isinstance(value, list):
            return [self.resolve(item, whole=whole) for item in value]
        if isinstance(value, dict):
            return {self.resolve(key): self.resolve(item, whole=whole) for key, item in value.items()}
        return value

    def _resolve_text(self, text: str, whole: bool) -> Any:
        exact = _TEMPLATE.fullmatch(text)
        if exact and len(_TEMPLATE.findall(text)) == 1:
            value = self._select(exact[1])
            return value if whole else _plain(value, exact[1])
        parts, at, length = [], 0, 0
        for match in _TEMPLATE.finditer(text):
            parts += [text[at : match.start()], to_text(_plain(self._select(match[1]), match[1]))]
            length += len(parts[-1])
            at = match.end()
            if length > MAX_TEXT:
                raise Unresolved("a template grows beyond any path")
        return "".join([*parts, text[at:]]).replace(r"\${", "${")

    def _select(self, expression: str) -> Any:
        if not _EXPRESSION.fullmatch(expression):
            raise Unresolved(f"${{{expression[:80]}}} is not a template")
        value: Any = self._values
        for part in expression.replace("[", ".").replace("]", "").split("."):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part.strip()]
            except (KeyError, IndexError, ValueError, TypeError):
                raise Unresolved(f"no value is known for ${{{expression[:80]}}}") from None
        return value

    def _load_file(self, item: str, folder: str) -> None:
        name, _, keys_text = item.partition(":")
        path = posixpath.normpath(posixpath.join(folder, name))
        keys = [key for key in keys_text.split(",") if key] or None
        if path in self._loaded:
            known = self._loaded[path]
            if keys is None and known is None:
                return
            if keys is None or known is None or set(keys) & set(known):
                raise Unresolved(f"vars loads {path} twice")
        data = self._parse(path)
        if keys is not None:
            missing = [key for key in keys if key not in data]
            if missing:
                raise Unresolved(f"{path} has no {missing[0]}")
            data = {key: data[key] for key in keys}
        _merge(self._values, _text_keys(data))
        known = self._loaded.get(path)
        self._loaded[path] = None if keys is None else [*(known or []), *keys]

    def _parse(self, path: str) -> dict[Any, Any]:
        if path.startswith(("/", "../")) or path == "..":
            raise Unresolved(f"the parameter file {path[:200]} lies outside the project")
        data = self._read(path)
        if data is None:
            raise Unresolved(f"the parameter file {path} is missing")
        value = _parse_parameters(path, data)
        if not isinstance(value, dict):
            raise Unresolved(f"the parameter file {path} does not hold a mapping")
        return value


def _parse_parameters(path: str, data: bytes) -> Any:
    suffix = posixpath.splitext(path)[1].lower()
    try:
        if suffix == ".json":
            return json.loads(data)
        if suffix == ".toml":
            import tomllib

            return tomllib.loads(data.decode())
        if suffix == ".py":
            raise Unresolved(f"the parameter file {path} is a program, which is never run")
        return load_yaml(data, path) or {}
    except InvalidFile as error:
        raise Unresolved(str(error.title)) from None
    except (ValueError, RecursionError):
        raise Unresolved(f"the parameter file {path} cannot be read") from None


def _text_keys(value: dict[Any, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if isinstance(key, str)}


def _merge(into: dict[str, Any], update: dict[str, Any]) -> None:
    """Add `update`; a value that is already set may not be set again (as DVC says)."""
    for key, value in update.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        elif key in into:
            raise Unresolved(f"the variable {key[:80]} is set twice")
        else:
            into[key] = copy.deepcopy(value)


def _plain(value: Any, expression: str) -> Any:
    if value is not None and not isinstance(value, (int, float, str, bool)):
        raise Unresolved(f"${{{expression[:80]}}} is a {type(value).__name__}, not a text or number")
    return value


def to_text(value: Any) -> str:
    """A value as DVC puts it into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def foreach(data: Any, variables: Variables) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name of the item, variables it adds) for each round of a `foreach`."""
    items = variables.resolve(data, whole=True)
    if isinstance(items, dict):
        for key, value in items.items():
            yield to_text(key), {"item": value, "key": to_text(key)}
    elif isinstance(items, list):
        composite = any(isinstance(item, (dict, list)) for item in items)
        rounds = {str(i) if composite else to_text(item): item for i, item in enumerate(items)}
        for name, value in rounds.items():
            yield name, {"item": value}
    else:
        raise Unresolved("foreach needs a list or a mapping")


def matrix(data: Any, variables: Variables) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name of the combination, variables it adds) for each combination of a `matrix`."""
    axes = variables.resolve(data, whole=True)
    if not isinstance(axes, dict) or not all(isinstance(axis, list) for axis in axes.values()):
        raise Unresolved("matrix needs a list for each of its names")
    total = 1
    for axis in axes.values():
        total *= len(axis)
    if total > MAX_STAGES:
        raise Unresolved(f"matrix makes more than {MAX_STAGES} stages")
    for combination in product(*(list(enumerate(axis)) for axis in axes.values())):
        names = [
            f"{key}{i}" if isinstance(value, (dict, list)) else to_text(value)
            for key, (i, value) in zip(axes, combination, strict=True)
        ]
        name = "-".join(names)
        yield name, {"key": name, "item": dict(zip(axes, (v for _, v in combination), strict=True))}
