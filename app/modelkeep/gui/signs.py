"""How states and kinds are shown: sign, word and colour together, the same everywhere. Knows only values."""

from __future__ import annotations

from typing import NamedTuple

from modelkeep.core.values import Kind, Output, Presence, State, Version, VersionKind, Where
from modelkeep.gui import wording
from modelkeep.gui.wording import translate


class Sign(NamedTuple):
    """An icon by meaning, a word, and a colour by purpose."""

    icon: str
    word: str
    role: str


def where(presence: Presence | None) -> Sign:
    """The badge of an output or version."""
    found = Where.UNKNOWN if presence is None else presence.where
    if presence is None:
        return Sign("unknown", "", "muted")
    return {
        Where.BOTH: Sign("both", translate("Where", "here, on remote"), "good"),
        Where.HERE: Sign("only-here", translate("Where", "only here"), "warn"),
        Where.REMOTE: Sign("on-remote", translate("Where", "on remote"), "link"),
        Where.NOWHERE: Sign("missing", translate("Where", "missing"), "bad"),
        Where.UNKNOWN: Sign("unknown", translate("Where", "not checked"), "muted"),
        Where.NONE: Sign("none", translate("Where", "nothing to store"), "muted"),
    }[found]


def where_all(presence: Presence | None, unrecorded: bool) -> Sign:
    """The badge of a whole version; `unrecorded` content, which only the workspace has, is never called safe."""
    if unrecorded and (presence is None or presence.where in (Where.BOTH, Where.NONE)):
        return not_recorded()
    return where(presence)


def not_recorded() -> Sign:
    """The badge of an output whose content changed since it was added: no cache and no remote has it."""
    return Sign("only-here", translate("Where", "not recorded"), "warn")


def not_recorded_tip() -> str:
    """What to do about it."""
    return translate(
        "Where", "The content changed and is only in the workspace. Publish a version or record the changes."
    )


def where_tip(presence: Presence | None, *, has_remote: bool = True) -> str:
    """The badge in numbers."""
    if presence is None or not presence.objects:
        return where(presence).word
    parts = [
        translate("Where", "{n} of {all} objects on this machine").format(
            n=wording.number(presence.here), all=wording.number(presence.objects)
        )
    ]
    if not has_remote:
        parts.append(translate("Where", "No remote is set up"))
    elif presence.asked is None:
        parts.append(translate("Where", "The remote was not asked yet"))
    else:
        parts.append(
            translate("Where", "{n} on the remote, asked {when}").format(
                n=wording.number(presence.on_remote), when=wording.when(presence.asked)
            )
        )
    if presence.only_here:
        parts.append(
            translate("Where", "Only here: {n} objects, {size}").format(
                n=wording.number(presence.only_here), size=wording.size(presence.only_here_bytes)
            )
        )
    if presence.nowhere:
        parts.append(
            translate("Where", "Found nowhere: {n} objects").format(n=wording.number(presence.nowhere))
        )
    return "\n".join(parts)


def change(mark: str) -> Sign:
    """How a path changed: "added", "changed", "removed", "renamed" or ""."""
    return {
        "added": Sign("added", translate("Mark", "+ added"), "good"),
        "changed": Sign("changed", translate("Mark", "~ changed"), "warn"),
        "removed": Sign("removed", translate("Mark", "− removed"), "bad"),
        "renamed": Sign("renamed", translate("Mark", "→ renamed"), "moved"),
        "absent": Sign("on-remote", translate("Mark", "not here"), "muted"),
    }.get(mark, Sign("", "", "muted"))


def mark_of(state: State) -> str:
    """The mark for a state of the workspace."""
    return {
        State.MODIFIED: "changed",
        State.DELETED: "removed",
        State.NEW: "added",
        State.NOT_IN_CACHE: "absent",
    }.get(state, "")


def version_icon(version: Version) -> str:
    """The icon for where a version's name comes from."""
    return {
        VersionKind.WORKSPACE: "workspace",
        VersionKind.TAG: "artifact" if version.gto else "tag",
        VersionKind.BRANCH: "branch",
        VersionKind.REMOTE_BRANCH: "remote-branch",
        VersionKind.COMMIT: "commit",
    }[version.kind]


def version_name(version: Version) -> str:
    """The name in a list under its heading: GTO tags without their artifact, commits cut to eight digits."""
    if version.kind is VersionKind.WORKSPACE:
        return translate("Signs", "Workspace")
    if version.gto is not None:
        return version.name[len(version.gto.artifact) :].lstrip("@#") or version.name
    return version.name[:8] if version.kind is VersionKind.COMMIT else version.name


def kind(output: Output) -> Sign:
    """What an output is."""
    icons = {Kind.DATASET: "dataset", Kind.MODEL: "model", Kind.METRICS: "metrics", Kind.OTHER: "file"}
    words = {
        Kind.DATASET: translate("Kind", "dataset"),
        Kind.MODEL: translate("Kind", "model"),
        Kind.METRICS: translate("Kind", "metrics"),
        Kind.OTHER: translate("Kind", "folder") if output.is_dir else translate("Kind", "file"),
    }
    icon = icons[output.kind]
    if output.kind is Kind.OTHER:
        icon = "folder" if output.is_dir else file_icon(output.path)
    return Sign(icon, words[output.kind], "icon")


_SUFFIXES = {
    "image": (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    "table": (".csv", ".tsv", ".parquet", ".xlsx"),
    "text": (".txt", ".md", ".json", ".yaml", ".yml", ".toml", ".xml"),
    "model": (".pt", ".pth", ".onnx", ".safetensors", ".h5", ".keras", ".pkl", ".joblib"),
}


def file_icon(name: str) -> str:
    """The icon for a file by its suffix."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return next((icon for icon, known in _SUFFIXES.items() if suffix in known), "file")
