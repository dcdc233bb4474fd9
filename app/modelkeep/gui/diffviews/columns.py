"""How the rows of Compare are put into words, and the balance under them. Knows values only."""

from __future__ import annotations

from modelkeep.gui import signs, wording
from modelkeep.gui.diffviews import rows
from modelkeep.gui.diffviews.rows import Compared, Node
from modelkeep.gui.models import Column
from modelkeep.gui.wording import translate


def columns() -> tuple[Column, ...]:
    return (
        Column(
            "name",
            translate("Compare", "Name"),
            lambda node: node.name,
            tip=_tip,
            icon=lambda node: "folder" if node.opens else signs.file_icon(node.name),
            aside=_aside,
            find=lambda node: node.key,
            width=280,
        ),
        Column(
            "change",
            translate("Compare", "Change"),
            lambda node: signs.change(node.status).word,
            colour=lambda node: signs.change(node.status).role,
            width=112,
        ),
        _size_column("before", translate("Compare", "Before"), "before"),
        _size_column("after", translate("Compare", "After"), "after"),
        Column(
            "delta",
            translate("Compare", "Difference"),
            lambda node: "" if node.status == rows.SAME else delta(node.before, node.after),
            sort=lambda node: (node.after or 0) - (node.before or 0),
            colour=lambda node: "muted",
            right=True,
            width=96,
        ),
    )


def _size_column(name: str, title: str, side: str) -> Column:
    def text(node: Node) -> str:
        value = getattr(node, side)
        absent = node.row is not None and not getattr(node.row, f"{side}_hash")
        return "" if absent or (node.row is None and value is None) else wording.size(value)

    return Column(
        name,
        title,
        text,
        sort=lambda node: getattr(node, side) or 0,
        tip=lambda node: wording.exact_size(getattr(node, side)),
        right=True,
        width=88,
    )


def _tip(node: Node) -> str:
    old = node.row.old_path if node.row else None
    return f"{old} → {node.key}" if old else node.key


def _aside(node: Node) -> str:
    if node.row is None:
        return wording.number(node.changes) if node.changes else ""
    return translate("Compare", "was {path}").format(path=node.row.old_path) if node.row.old_path else ""


def delta(before: int | None, after: int | None) -> str:
    """`+1.2 MB`, `−300 bytes`, `±0`, or "" while neither side is known."""
    if before is None and after is None:
        return ""
    change = (after or 0) - (before or 0)
    if not change:
        return "±0"
    return f"{'+' if change > 0 else '−'}{wording.size(abs(change))}"


def balance(found: Compared) -> str:
    """The footer: how many of each, and what it means in bytes."""
    diff = found.diff
    counts = (
        (diff.added, translate("Compare", "+ {n} added")),
        (diff.changed, translate("Compare", "~ {n} changed")),
        (diff.removed, translate("Compare", "− {n} removed")),
        (diff.renamed, translate("Compare", "→ {n} renamed")),
        (diff.unchanged, translate("Compare", "{n} the same")),
    )
    parts = [text.format(n=wording.number(count)) for count, text in counts if count]
    sizes = translate("Compare", "{before} → {after} ({delta})").format(
        before=wording.size(diff.bytes_before),
        after=wording.size(diff.bytes_after),
        delta=delta(diff.bytes_before, diff.bytes_after),
    )
    return "   ".join([*parts, sizes])
