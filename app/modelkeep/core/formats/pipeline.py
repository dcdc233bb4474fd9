"""The outputs that `dvc.yaml` declares, with the content that `dvc.lock` records for them (dvc-format §2).

Both are needed: the lock keeps stages that are gone and does not say which folder a path is relative to or
whether it is cached. Commands are text and never run. Pure: other files come through `read`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from modelkeep.core.errors import InvalidFile
from modelkeep.core.formats.entries import (
    LOCK_OUT,
    NOTES,
    Content,
    check_keys,
    check_trackable,
    content_of,
    make_output,
    resolve,
    work_dir,
)
from modelkeep.core.formats.templates import Unresolved, Variables, foreach, has_template, matrix
from modelkeep.core.formats.yamldoc import LOCK_LIMIT, load_yaml
from modelkeep.core.paths import visible
from modelkeep.core.values import Output, Problem

Read = Callable[[str], bytes | None]
_TOP: dict[str, Any] = {
    "stages": object, "vars": object, "params": object, "metrics": object, "plots": object,
    "artifacts": object, "datasets": object,
}  # fmt: skip
_STAGE: dict[str, Any] = {
    "cmd": (str, list), "wdir": str, "deps": list, "params": list, "vars": list, "outs": list, "metrics": list,
    "plots": list, "frozen": bool, "meta": object, "desc": str, "always_changed": bool, "matrix": dict,
}  # fmt: skip
_GROUP: dict[str, Any] = {"foreach": object, "do": dict}
_FLAGS: dict[str, Any] = {
    **NOTES, "cache": bool, "persist": bool, "checkpoint": bool, "remote": str, "push": bool,
}  # fmt: skip
_PLOT_FLAGS: dict[str, Any] = {
    **_FLAGS,
    **dict.fromkeys(("template", "x", "y", "x_label", "y_label", "title", "header"), object),
}
_ARTIFACT: dict[str, Any] = {**NOTES, "path": str}
_KINDS = ("outs", "metrics", "plots")
_NEEDED = ("wdir", *_KINDS)
Flags = dict[str, Any]


def pipeline_outputs(
    path: str, yaml: bytes, lock: bytes | None, read: Read
) -> tuple[tuple[Output, ...], tuple[Problem, ...]]:
    """The outputs of the `dvc.yaml` at `path` (project relative), and what could not be told.

    `read` gives the bytes of another project file at the same version, or None. A stage whose templates cannot
    be resolved, and an output that leads outside, become Problems. Raises InvalidFile for a broken file.
    """
    top = _load(yaml, path)
    pipeline = _Pipeline(path, top, _lock_stages(lock, path.removesuffix("yaml") + "lock"), read)
    for name, definition in _mapping(top, "stages", path).items():
        pipeline.add(str(name), definition)
    check_trackable((out.path for out in pipeline.outputs), path)
    return tuple(pipeline.outputs), tuple(pipeline.problems)


def artifact_types(path: str, yaml: bytes) -> dict[str, str]:
    """The `type` that the `artifacts:` of a `dvc.yaml` give to paths (project relative). Raises InvalidFile."""
    return _artifact_types(path, _load(yaml, path))


class _Pipeline:
    def __init__(self, path: str, top: dict[str, Any], lock: dict[str, Any], read: Read) -> None:
        self.outputs: list[Output] = []
        self.problems: list[Problem] = []
        self._path = path
        self._folder = posixpath.dirname(path)
        self._top = top
        self._lock = lock
        self._read = read
        self._types = _artifact_types(path, top)
        self._shared: Variables | None = None

    def add(self, name: str, definition: Any) -> None:
        """Add the outputs of one entry of `stages`, which may stand for many stages."""
        try:
            for stage, body, variables in self._stages(name, definition):
                self._add_stage(stage, body, variables)
        except Unresolved as error:
            self.problems.append(Problem(self._path, f"Stage {visible(name)}: {error}."))

    def _stages(self, name: str, definition: Any) -> Iterator[tuple[str, Any, Variables | None]]:
        where = f"stage {visible(name)}"
        if isinstance(definition, dict) and {"foreach", "do"} & definition.keys():
            check_keys(definition, _GROUP, self._path, where)
            body = _stage_body(definition.get("do"), self._path, where)
            rounds = foreach(definition.get("foreach"), self._variables(definition))
        else:
            body = _stage_body(definition, self._path, where)
            if "matrix" not in body:
                yield name, body, None
                return
            rounds = matrix(body["matrix"], self._variables(definition))
        for item, values in rounds:
            yield f"{name}@{item}", body, self._variables(definition).with_values(values)

    def _variables(self, needed_for: Any) -> Variables:
        """The file's variables, loaded when the first template asks for them."""
        if not has_template(needed_for):
            return Variables(self._read)
        if self._shared is None:
            shared = Variables(self._read)
            shared.load(self._top.get("vars") or [], self._folder, default="params.yaml")
            self._shared = shared
        return self._shared

    def _add_stage(self, name: str, body: dict[str, Any], variables: Variables | None) -> None:
        try:
            needed = self._resolved({key: body[key] for key in _NEEDED if key in body}, body, variables)
        except Unresolved as error:
            self.problems.append(Problem(self._path, f"Stage {visible(name)}: {error}."))
            return
        where = f"stage {visible(name)}"
        folder = work_dir(self._path, needed.get("wdir"))
        locked = self._locked(name)
        for kind in _KINDS:
            for path, flags in _entries(needed.get(kind) or (), kind, self._path, where):
                self._add_output(name, kind, folder, path, flags, locked.get(path))

    def _resolved(self, needed: Flags, body: Flags, variables: Variables | None) -> Flags:
        if not has_template(needed):
            return needed
        known = variables or self._variables(needed)
        folder = self._folder
        if needed.get("wdir"):
            folder = posixpath.join(folder, str(known.resolve(needed["wdir"])))
        result = known.with_vars(body.get("vars"), folder).resolve(needed)
        assert isinstance(result, dict)
        return result

    def _locked(self, name: str) -> dict[str, Any]:
        lock_file = self._path.removesuffix("yaml") + "lock"
        where = f"stage {visible(name)}"
        outs = (self._lock.get(name) or {}).get("outs") or ()
        found = {}
        for entry in outs:
            checked = check_keys(entry, LOCK_OUT, lock_file, where)
            if "path" not in checked:
                raise InvalidFile(lock_file, "an output has no path", entry=where)
            found[checked["path"]] = content_of(checked, lock_file, f"{where} {visible(checked['path'])}")
        return found

    def _add_output(
        self, stage: str, kind: str, folder: str, path: str, flags: Flags, content: Content | None
    ) -> None:
        try:
            resolved = resolve(folder, path, self._path)
        except InvalidFile as error:
            self.problems.append(Problem(self._path, f"Stage {visible(stage)}: {error.reason.rstrip('.')}."))
            return
        hint = "" if kind == "outs" else kind
        type_ = self._types.get(resolved, "")
        self.outputs.append(
            make_output(
                resolved, content or Content(), flags, self._path, type_=type_, hint=hint, stage=stage
            )
        )


def _load(yaml: bytes, path: str) -> dict[str, Any]:
    if not yaml:
        raise InvalidFile(
            path, "was cut off while being written: it is empty", hint="Restore the file from Git."
        )
    top = load_yaml(yaml, path)
    return {} if top is None else check_keys(top, _TOP, path, "")


def _mapping(top: dict[str, Any], key: str, path: str) -> dict[Any, Any]:
    value = top.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidFile(path, "is not a mapping", entry=key)
    return value


def _artifact_types(path: str, top: dict[str, Any]) -> dict[str, str]:
    types = {}
    for name, facts in _mapping(top, "artifacts", path).items():
        where = f"artifact {visible(str(name))}"
        checked = check_keys(facts, _ARTIFACT, path, where)
        if "path" not in checked:
            raise InvalidFile(path, "has no path", entry=where, hint="Every artifact needs a path.")
        if checked.get("type") and not has_template(checked["path"]):
            types[resolve(posixpath.dirname(path), checked["path"], path, where)] = checked["type"]
    return types


def _stage_body(body: Any, path: str, where: str) -> dict[str, Any]:
    allowed = _STAGE if not isinstance(body, dict) else _loosened(body)
    checked = check_keys(body, allowed, path, where)
    if "cmd" not in checked:
        raise InvalidFile(path, "has no cmd", entry=where)
    return checked


def _loosened(body: dict[str, Any]) -> dict[str, Any]:
    """The stage's schema, where a text may stand for any value that a template is to give."""
    templated = {key for key in body if key in _STAGE and has_template(body[key])}
    return {key: object if key in templated else type_ for key, type_ in _STAGE.items()}


def _lock_stages(lock: bytes | None, path: str) -> dict[str, Any]:
    if lock is None:
        return {}
    if not lock:
        raise InvalidFile(
            path, "was cut off while being written: it is empty", hint="Restore the file from Git."
        )
    top = load_yaml(lock, path, limit=LOCK_LIMIT)
    if top is None:
        return {}
    checked = check_keys(top, {"schema": object, "stages": dict, "datasets": object}, path, "")
    if checked.get("schema") != "2.0":
        raise InvalidFile(path, "does not have schema '2.0'", hint="Run `dvc repro` with DVC 3 to renew it.")
    stages: dict[str, Any] = checked.get("stages") or {}
    for name, entry in stages.items():
        where = f"stage {visible(str(name))}"
        check_keys(entry, {"cmd": (str, list), "deps": list, "params": dict, "outs": list}, path, where)
    return stages


def _entries(listed: Any, kind: str, path: str, where: str) -> Iterator[tuple[str, Flags]]:
    """The (path, flags) pairs of an `outs`, `metrics` or `plots` list; flags of one path are joined."""
    allowed = _PLOT_FLAGS if kind == "plots" else _FLAGS
    found: dict[str, Flags] = {}
    for entry in listed if isinstance(listed, (list, tuple)) else [listed]:
        if isinstance(entry, str) and entry:
            found.setdefault(entry, {})
            continue
        if not isinstance(entry, dict):
            raise InvalidFile(path, f"{kind} holds something that is not a path", entry=where)
        for name, flags in entry.items():
            if not isinstance(name, str) or not name:
                raise InvalidFile(path, f"{kind} holds something that is not a path", entry=where)
            several = flags if kind == "plots" and isinstance(flags, list) else [flags]
            for one in several:
                found.setdefault(name, {}).update(check_keys(one, allowed, path, f"{where} {visible(name)}"))
    yield from found.items()
