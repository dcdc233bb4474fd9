"""The next version's name."""

from __future__ import annotations

import pytest

from modelkeep.gui.dialogs.version_name import next_name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), "v1.0"),
        (("model@v3.0.0", "release"), "v1.0"),
        (("v1.0", "v1.1"), "v1.2"),
        (("v1.9", "v1.10"), "v1.11"),
        (("v2.0.0", "v1.9.9"), "v2.1.0"),
        (("v2.0.3",), "v2.0.4"),
        (("1.4",), "1.5"),
        (("v1.0", "v1.1-rc1"), "v1.1"),
        (("v1.1", "v1.3-rc1"), "v1.3"),
        (("v1.3", "v1.3-rc1"), "v1.4"),
        (("v2.0.0-beta.2",), "v2.0.0"),
        (("v1.0", "2024.01-photos"), "v1.1"),
    ],
)
def test_the_suggestion_follows_the_highest(names: tuple[str, ...], expected: str) -> None:
    assert next_name(names) == expected
