"""The log: redacted by value, for its owner alone, and never a reason to fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelkeep.core.logfile import log_path, start_log
from modelkeep.core.redaction import register
from modelkeep.core.values import Secret

pytestmark = pytest.mark.expects_warnings


@pytest.fixture
def started() -> Iterator[None]:
    before = list(logging.getLogger().handlers)
    start_log()
    yield
    for handler in [one for one in logging.getLogger().handlers if one not in before]:
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_a_secret_never_reaches_the_file(started):
    register(Secret("correct horse"))
    try:
        raise ValueError("correct horse")
    except ValueError:
        logging.getLogger("modelkeep.test").exception("login with %s failed", "correct horse")
    text = log_path().read_text()
    assert "login with ••••••" in text and "ValueError" in text
    assert "correct horse" not in text
    assert log_path().stat().st_mode & 0o777 == 0o600


def test_without_a_place_for_it_there_is_no_log(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / "file").write_text("")
    monkeypatch.setenv("MODELKEEP_HOME", str(home / "file"))
    before = list(logging.getLogger().handlers)
    start_log()
    (added,) = [one for one in logging.getLogger().handlers if one not in before]
    logging.getLogger().removeHandler(added)
    assert isinstance(added, logging.NullHandler)
