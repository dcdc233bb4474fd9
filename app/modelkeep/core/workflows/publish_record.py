"""The record of an interrupted publish, read back with care: it lies where an archive or a commit can put one.

What it may make `resume` and `undo` do is no more than a publish does: record data of the project, commit,
put back and remove metafiles and ignore files. Anything else is not a record of ours and is refused.
"""

from __future__ import annotations

from typing import Any

from modelkeep.core.errors import InvalidFile, Refused, UnsafePath
from modelkeep.core.paths import safe_relpath
from modelkeep.core.patterns import pattern
from modelkeep.core.project import Project
from modelkeep.core.workflows.journal import FOLDER, Journal
from modelkeep.core.workflows.publish_plan import PROJECT_FILES, STEPS, check_name

_ID = pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TEXTS = {"version", "message", "base", "step"}
_MAYBE_TEXTS = {"branch", "remote", "git_remote", "commit", "tag"}
_HINT = f"Modelkeep did not write it. Look at it, then remove {FOLDER}/publish.json."


def read(project: Project) -> dict[str, Any] | None:
    """The record of the interrupted publish, or None. Raises InvalidFile, Refused for one that is not ours."""
    record = Journal(project.root, "publish").read()
    if record is None:
        return None
    if project.history is not None and project.history.is_tracked(FOLDER):
        raise Refused("The record of an interrupted publish came with the repository.", hint=_HINT)
    problem = _problem(record)
    if problem:
        raise InvalidFile(f"{FOLDER}/publish.json", problem, hint=_HINT)
    return record


def is_publishable(path: str) -> bool:
    """Whether a version may commit the file at `path`: what says which data there is, and nothing else."""
    name = path.rpartition("/")[2]
    if path in PROJECT_FILES:
        return True
    return (name in ("dvc.yaml", "dvc.lock", ".gitignore") or name.endswith(".dvc")) and _is_safe(path)


def _problem(record: dict[str, Any]) -> str:
    """What in `record` a publish would not have written, or ""."""
    texts = all(isinstance(record.get(key), str) for key in _TEXTS)
    if not texts or not all(isinstance(record.get(key), str | None) for key in _MAYBE_TEXTS):
        return "it is not the record of a publish"
    if check_name(record["version"]) or record["step"] not in STEPS:
        return "it names no version or no step"
    if any(record.get(key) and not _ID.fullmatch(record[key]) for key in ("base", "commit", "tag")):
        return "it names no commit of Git"
    add, commit, before = record.get("add"), record.get("commit_paths"), record.get("before")
    if not isinstance(add, list) or not all(_is_safe(path) for path in add):
        return "it adds what is not data of the project"
    if not isinstance(commit, list) or not all(
        isinstance(path, str) and is_publishable(path) for path in commit
    ):
        return "it commits other files than metafiles"
    return _problem_of_texts(before)


def _problem_of_texts(before: Any) -> str:
    if not isinstance(before, dict):
        return "it does not say what to put back"
    for path, text in before.items():
        name = path.rpartition("/")[2]
        if not (_is_safe(path) and (name == ".gitignore" or name.endswith(".dvc"))):
            return "it would change other files than metafiles"
        if not isinstance(text, str | None):
            return "it does not say what to put back"
    return ""


def _is_safe(path: Any) -> bool:
    try:
        safe_relpath(path, inside_data=True)
    except UnsafePath:
        return False
    return True
