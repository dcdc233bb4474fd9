"""How sizes, times, counts and untrusted names are put into words. Knows Qt's translator, nothing of panels."""

from __future__ import annotations

import html
from datetime import UTC, datetime

import humanize
from PySide6.QtCore import QCoreApplication, QDate, QDateTime, QLocale

from modelkeep.core.paths import visible

translate = QCoreApplication.translate
#: Shown where a fact is not known; different from 0.
UNKNOWN = "—"


def size(count: int | None) -> str:
    """Bytes for people, such as `1.2 MB`."""
    return (
        UNKNOWN if count is None else str(humanize.naturalsize(count, format="%.1f")).replace("Byte", "byte")
    )


def exact_size(count: int | None) -> str:
    """Bytes to the last digit, for a tooltip."""
    if count is None:
        return translate("Wording", "The size is not recorded")
    return translate("Wording", "{count} bytes").format(count=number(count))


def number(count: int | None) -> str:
    """A whole number with the locale's group separators."""
    return UNKNOWN if count is None else QLocale().toString(count)


def counted(count: int, one: str, many: str) -> str:
    """`one` or `many`, both already translated; `{n}` becomes the number."""
    return (one if count == 1 else many).format(n=number(count))


def outputs(count: int) -> str:
    """`3 outputs`."""
    return counted(count, translate("Wording", "{n} output"), translate("Wording", "{n} outputs"))


def files(count: int) -> str:
    """`12 files`."""
    return counted(count, translate("Wording", "{n} file"), translate("Wording", "{n} files"))


def when(moment: datetime | None) -> str:
    """How long ago in a word or two, such as `3 days ago`; beyond a month the date."""
    if moment is None:
        return ""
    minutes = (datetime.now(UTC) - moment.astimezone(UTC)).total_seconds() / 60
    if minutes < 1:
        return translate("Wording", "just now")
    if minutes < 60:
        return translate("Wording", "{n} min ago").format(n=int(minutes))
    if minutes < 24 * 60:
        return translate("Wording", "{n} h ago").format(n=int(minutes / 60))
    days = int(minutes / (24 * 60))
    if days <= 31:
        return counted(days, translate("Wording", "yesterday"), translate("Wording", "{n} days ago"))
    local = moment.astimezone()
    return QLocale().toString(QDate(local.year, local.month, local.day), translate("Wording", "d MMM yyyy"))


def exact_when(moment: datetime | None) -> str:
    """Date and time in the user's zone and format, for a tooltip."""
    if moment is None:
        return ""
    local = QDateTime.fromSecsSinceEpoch(round(moment.timestamp()))
    return QLocale().toString(local, QLocale.FormatType.LongFormat)


def duration(seconds: float) -> str:
    """`3 min 12 s`, `1 h 5 min`: the two largest units."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return translate("Wording", "{h} h {m} min").format(h=hours, m=minutes)
    if minutes:
        return translate("Wording", "{m} min {s} s").format(m=minutes, s=whole % 60)
    return translate("Wording", "{s} s").format(s=whole)


def line(text: str) -> str:
    """An untrusted text as one plain line: control and direction characters become visible."""
    return visible(text)


def lines(text: str) -> str:
    """An untrusted text of several lines: as `line`, but newlines and tabs stay what they are."""
    return "\n".join(visible(part.expandtabs(4)) for part in text.replace("\r\n", "\n").split("\n"))


def tip(text: str) -> str:
    """A tooltip that shows `text` literally: Qt would otherwise guess rich text and load what it names."""
    return f"<qt>{html.escape(lines(text)).replace(chr(10), '<br>')}</qt>" if text else ""


def menu_text(text: str) -> str:
    """An untrusted name as the text of a menu entry or button: an ampersand is no shortcut."""
    return line(text).replace("&", "&&")
