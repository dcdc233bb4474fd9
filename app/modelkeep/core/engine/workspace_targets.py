"""Decides what "add these targets" means, and refuses it before anything is touched if it must not happen.

The rules are dvc-format §1.6; where DVC would leave something out of a folder without a word, this refuses and
says so. Reads the workspace and asks Git; writes nothing.
"""

from __future__ import annotations

import contextlib
import glob as globbing
import os
import posixpath
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from modelkeep.core.engine.workspace_look import Seen, look
from modelkeep.core.engine.workspace_outputs import is_metafile
from modelkeep.core.engine.workspace_scan import Ignore, Scan, parents
from modelkeep.core.engine.workspace_site import Site
from modelkeep.core.errors import NotFound, Refused, Unsupported, UsageError
from modelkeep.core.formats.metafile import parse_metafile
from modelkeep.core.nouns import dataclass
from modelkeep.core.paths import safe_relpath, visible
from modelkeep.core.progress import SILENT, Progress
from modelkeep.core.values import Output, Snapshot

_NEVER_DATA = frozenset({"dvc.lock", ".dvcignore", ".gitignore"})


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to record: `path` with its `metafile`; `output` is what already tracks it, if anything.

    `inside` is the path below a folder output when only a part of that is recorded, else "".
    """

    path: str
    metafile: str
    output: Output | None
    seen: Seen
    inside: str = ""

    @property
    def data_path(self) -> str:
        """The path on disk, the part inside a folder output included."""
        return f"{self.path}/{self.inside}" if self.inside else self.path


def project_paths(site: Site, targets: Sequence[str], *, glob: bool) -> tuple[str, ...]:
    """`targets` (project relative, or absolute) as checked project paths, each once; expands patterns."""
    paths: list[str] = []
    for text in targets:
        found = _expanded(site, text) if glob else [text]
        paths += [_project_path(site.root, one) for one in found]
    return tuple(dict.fromkeys(paths))


def _expanded(site: Site, pattern: str) -> list[str]:
    inside = os.path.relpath(pattern, site.root) if os.path.isabs(pattern) else pattern
    names = sorted(globbing.glob(inside, root_dir=site.root, recursive=True))
    names = [name.rstrip("/") for name in names if not _is_never_data(posixpath.basename(name.rstrip("/")))]
    if not names:
        raise NotFound(f"No file or folder matches {visible(pattern)}.")
    return names


def _project_path(root: Path, text: str) -> str:
    if os.path.isabs(text):
        real = root.resolve() if not Path(text).is_relative_to(root) else root
        text = os.path.relpath(text, real)
    path = posixpath.normpath(text.replace(os.sep, "/")) if text else ""
    if path in ("", "."):
        raise UsageError("The project itself cannot be added.", hint="Name a file or folder in it.")
    if path == ".." or path.startswith("../"):
        raise Refused(
            f"{visible(text)} is outside the project.",
            hint="Copy or move it into the project's folder first; DVC tracks nothing outside.",
            paths=(text,),
        )
    return safe_relpath(path)


def _is_never_data(name: str) -> bool:
    return is_metafile(name) or name in _NEVER_DATA


def find_targets(
    site: Site, known: Snapshot, paths: Sequence[str], file: str | None, progress: Progress = SILENT
) -> list[Target]:
    """What to record for each path. Raises before anything is touched if one of them must not be added."""
    ignore = Ignore(site.root)
    found = [_find(site, known, path, file, ignore, progress) for path in paths]
    for target in found:
        if target.output is None:
            _refuse_overlap(target, known, [one for one in found if one is not target])
    tracked = [one.path for one in found if not one.inside]
    return [one for one in found if not (one.inside and one.path in tracked)]


def _find(
    site: Site, known: Snapshot, path: str, file: str | None, ignore: Ignore, progress: Progress
) -> Target:
    seen = look(site.tree, path, ignore, progress)
    holder = next((out for up in parents(path) if (out := known.find(up)) is not None), None)
    output = known.find(path)
    if holder is not None and output is None:
        _check_content(path, seen)
        return Target(holder.path, _updatable(holder), holder, seen, path[len(holder.path) + 1 :])
    _check_place(site, path, ignore)
    _check_on_disk(site, path, seen)
    _check_content(path, seen)
    if ignore.covers_with_parents(path, seen.is_folder):
        raise Refused(
            f"{visible(path)} is ignored by .dvcignore.", hint="Change that file first.", paths=(path,)
        )
    if site.git_tracked(path):
        raise Refused(
            f"Git already tracks {visible(path)} or something in it.",
            hint=f"If DVC is to keep it: git rm -r --cached '{path}', commit, and add it again.",
            paths=(path,),
        )
    if output is not None:
        _check_file_option(output, file)
        return Target(path, _updatable(output), output, seen)
    return Target(path, _new_metafile(site, known, path, file, ignore), None, seen)


def _updatable(output: Output) -> str:
    if output.stage is not None:
        raise Refused(
            f"{visible(output.path)} is made by the pipeline stage {output.stage}.",
            hint="Its content is recorded by running the pipeline: dvc repro, or dvc commit.",
            paths=(output.path,),
        )
    if output.cloud:
        raise Unsupported(
            f"{visible(output.path)} is kept in a cloud-versioned remote, which Modelkeep only reads.",
            hint="Use dvc add for it.",
        )
    if not output.cached:
        raise Refused(
            f"{visible(output.path)} is declared with cache: false: its content is kept by Git.",
            hint="Commit it with git.",
            paths=(output.path,),
        )
    return output.metafile


def _check_file_option(output: Output, file: str | None) -> None:
    if file is not None and posixpath.normpath(file) != output.metafile:
        raise Refused(
            f"{visible(output.path)} is already tracked by {visible(output.metafile)}.",
            hint="Leave out --file to record its new content there.",
            paths=(output.path, output.metafile),
        )


def _check_place(site: Site, path: str, ignore: Ignore) -> None:
    name = posixpath.basename(path)
    if _is_never_data(name):
        raise Refused(
            f"{visible(path)} describes what is tracked; it is not data.",
            hint="Name the data itself, not its metafile.",
            paths=(path,),
        )
    for folder in parents(path):
        if (site.root / folder / ".dvc").is_dir():
            raise Refused(
                f"{visible(path)} belongs to another project, in {visible(folder)}.",
                hint=f"Open {folder} as a project of its own and add it there.",
                paths=(path,),
            )


def _check_on_disk(site: Site, path: str, seen: Seen) -> None:
    if seen.is_absent:
        raise NotFound(f"There is no file or folder {visible(path)}.", paths=(path,))
    facts = site.tree.lstat(path)
    if facts is not None and stat.S_ISLNK(facts.st_mode) and not site.is_into_cache(site.root / path):
        raise Refused(
            f"{visible(path)} is a symbolic link.",
            hint='Put the file itself in its place (cp --remove-destination "$(readlink -f LINK)" LINK), '
            "or add what it leads to.",
            paths=(path,),
        )


def _check_content(path: str, seen: Seen) -> None:
    if seen.odd:
        raise Refused(
            f"{visible(path)} is neither a file nor a folder.",
            hint="Only regular files and folders can be recorded.",
            paths=(path,),
        )
    if seen.scan is not None:
        _check_scan(path, seen.scan)


def _check_scan(path: str, scan: Scan) -> None:
    """Refuse a folder of which DVC would fail to record something, or leave it out without a word."""
    rules: tuple[tuple[list[str], str, str], ...] = (
        (scan.unsafe_names, "names that cannot be recorded", "Rename them."),
        (scan.broken_links, "symbolic links that lead nowhere", "Remove them."),
        (scan.special, "pipes, sockets or devices", "Move them elsewhere."),
        (
            scan.nested,
            "projects of their own (with a .dvc folder), which would be left out",
            "Move them elsewhere, or name them in a .dvcignore above this folder.",
        ),
        (
            scan.ignore_files,
            ".dvcignore files, which may not stand inside tracked data",
            "Move their rules to a .dvcignore above this folder.",
        ),
    )
    for names, reason, hint in rules:
        if names:
            full = [f"{path}/{name}" if name else path for name in sorted(names)]
            raise Refused(
                f"{visible(path)} cannot be recorded because of {reason}: {_some(full)}.",
                hint=hint,
                paths=full,
            )


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(visible(path) for path in paths[:3])
    return shown if len(paths) <= 3 else f"{shown} and {len(paths) - 3} more"


def _new_metafile(site: Site, known: Snapshot, path: str, file: str | None, ignore: Ignore) -> str:
    metafile = f"{path}.dvc" if file is None else _project_path(site.root, file)
    name = posixpath.basename(metafile)
    if not metafile.endswith(".dvc") or name == ".dvc":
        raise UsageError(f"{visible(metafile)} is no name for a metafile.", hint="It must end in .dvc.")
    for folder in parents(metafile):
        if folder == path or known.find(folder) is not None:
            raise Refused(
                f"{visible(metafile)} would lie inside tracked data.",
                hint="Choose a folder that Git keeps.",
                paths=(metafile,),
            )
    if ignore.covers_with_parents(metafile, False):
        raise Refused(f"{visible(metafile)} is ignored by .dvcignore.", hint="Change that file first.")
    if site.git_ignored([metafile]):
        raise Refused(
            f"Git ignores {visible(metafile)}, so it could not be committed.",
            hint="Change the .gitignore that names it, or keep the metafile elsewhere with --file.",
            paths=(metafile,),
        )
    others = [out.path for out in known.outputs if out.metafile == metafile]
    if others:
        raise Refused(
            f"{visible(metafile)} already tracks {visible(others[0])}.",
            hint="Choose another name with --file, or remove that metafile first.",
            paths=(metafile,),
        )
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        parse_metafile(site.tree.read(metafile), metafile)  # one that cannot be read is not written over
    return metafile


def _refuse_overlap(target: Target, known: Snapshot, others: Iterable[Target]) -> None:
    below = [out.path for out in known.outputs if out.path.startswith(f"{target.path}/")]
    new = {one.path for one in others if one.output is None}
    clash = next(iter(below), None) or next((up for up in parents(target.path) if up in new), None)
    if clash is not None:
        raise Refused(
            f"{visible(target.path)} and {visible(clash)} overlap: one lies in the other.",
            hint="Track either the folder or what is in it.",
            paths=(target.path, clash),
        )
