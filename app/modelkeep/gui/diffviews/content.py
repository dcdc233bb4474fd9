"""Reads both sides of one file and decides how they are shown. For worker threads; shows nothing itself."""

from __future__ import annotations

from PySide6.QtGui import QImage

from modelkeep.core.diff.tree import Row
from modelkeep.core.errors import ModelkeepError
from modelkeep.core.nouns import dataclass
from modelkeep.core.progress import Progress
from modelkeep.core.project import Project
from modelkeep.core.values import Output, Version, VersionKind
from modelkeep.core.workflows import review
from modelkeep.core.workflows.review import Preview
from modelkeep.gui import preview, wording
from modelkeep.gui.diffviews import text
from modelkeep.gui.wording import translate

_LIMIT = 512 * 1024
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")


@dataclass(frozen=True)
class Content:
    """What the view under the tree shows: `kind` is "text", "image" or "facts" (`reason` says why only these)."""

    row: Row
    kind: str = "facts"
    reason: str = ""
    diff: str = ""
    before: QImage | None = None
    after: QImage | None = None
    captions: tuple[str, str] = ("", "")


def read(project: Project, row: Row, before: Version, after: Version, progress: Progress) -> Content:
    """Read what is here of both sides of `row`; downloads nothing."""
    old = _side(project, before, row.old_path or row.path, progress) if row.before_hash else None
    new = _side(project, after, row.path, progress) if row.after_hash else None
    there = [side for side in (old, new) if side is not None]
    reasons = [side.reason for side in there if side.kind not in ("text", "image")]
    if reasons or not there:
        return Content(row, reason=reasons[0] if reasons else "")
    if any(side.kind == "image" for side in there):
        return _images(row, old, new)
    return _texts(row, old, new)


def _texts(row: Row, old: Preview | None, new: Preview | None) -> Content:
    too_long = translate("Diff", "This text is too long to be compared line by line here.")
    if any(side is not None and side.truncated for side in (old, new)):
        return Content(row, reason=too_long)
    try:
        return Content(row, "text", diff=text.unified(old.data if old else b"", new.data if new else b""))
    except text.TooLong:
        return Content(row, reason=too_long)


def _images(row: Row, old: Preview | None, new: Preview | None) -> Content:
    shown = [preview.image_of(side.data) if side is not None else None for side in (old, new)]
    bad = next((one.reason for one in shown if one is not None and one.image is None), "")
    if bad:
        return Content(row, reason=bad)
    first, second = shown
    captions = (first.caption if first else "", second.caption if second else "")
    return Content(
        row,
        "image",
        before=first.image if first else None,
        after=second.image if second else None,
        captions=captions,
    )


def _side(project: Project, version: Version, path: str, progress: Progress) -> Preview:
    if version.kind is VersionKind.WORKSPACE:
        return _in_workspace(project, path)
    snapshot = review.snapshot(project, version, progress)
    output = next((out for out in snapshot.outputs if _holds(out, path)), None)
    if output is None:
        return Preview("not here", reason=translate("Diff", "This file is not on this machine."))
    entry = path[len(output.path) + 1 :] or None
    return review.preview(project, version, output, entry, _LIMIT, progress)


def _holds(output: Output, path: str) -> bool:
    return path == output.path or path.startswith(f"{output.path}/")


def _in_workspace(project: Project, path: str) -> Preview:
    """The file as it is on disk now, not as its metafile recorded it."""
    missing = translate("Diff", "This file cannot be read in the workspace.")
    try:
        place = project.tree.path(path)
        if place.is_symlink() or not place.is_file():
            return Preview("not here", reason=missing)
        size = place.stat().st_size
        is_image = path.lower().endswith(_IMAGES) and size <= preview.MAX_BYTES
        with place.open("rb") as file:
            head = file.read(preview.MAX_BYTES if is_image else _LIMIT)
    except (OSError, ModelkeepError):
        return Preview("not here", reason=missing)
    if is_image:
        return Preview("image", head, size)
    if b"\0" in head:
        return Preview("binary", b"", size, reason=translate("Diff", "This is a binary file."))
    return Preview("text", head, size, truncated=size > len(head))


def facts(row: Row) -> tuple[tuple[str, str], ...]:
    """(what, value) lines that can be said of any file."""
    found = [(translate("Diff", "Path"), row.path)]
    if row.old_path:
        found.append((translate("Diff", "Was"), row.old_path))
    arrow = translate("Diff", "{before} → {after}")
    sizes = arrow.format(before=wording.size(row.size_before), after=wording.size(row.size_after))
    hashes = arrow.format(before=row.before_hash[:8] or "—", after=row.after_hash[:8] or "—")
    return (*found, (translate("Diff", "Size"), sizes), (translate("Diff", "Hash"), hashes))
