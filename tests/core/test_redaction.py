"""Secrets stay out of logs in every form they may turn up in."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.core import redaction
from modelkeep.core.redaction import DOTS, RedactionFilter, redact, register
from modelkeep.core.values import Secret


@pytest.fixture(autouse=True, scope="module")
def _other_tests_see_none_of_these() -> Iterator[None]:
    forms, pattern = set(redaction._FORMS), redaction._PATTERN
    yield
    redaction._FORMS.clear()
    redaction._FORMS.update(forms)
    redaction._PATTERN = pattern


@given(
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=6, max_size=40),
    st.text(st.characters(codec="ascii", categories=["L"]), max_size=5),
)
def test_no_form_of_a_secret_gets_through(text: str, user: str) -> None:
    register(Secret(text))
    header = base64.b64encode(f"{user}:{text}".encode()).decode()
    forms = [
        text,
        quote(text, safe=""),
        json.dumps(text)[1:-1],
        f"https://u:{quote(text, safe='')}@h/",
        header,
    ]
    for form in forms:
        assert DOTS in redact(f"before {form} after"), form
    core = base64.b64encode(text.encode()).decode().rstrip("=")[:-2]
    assert core not in redact(f"token={base64.b64encode(text.encode()).decode()}")


def test_other_text_is_left_alone() -> None:
    register(Secret("abc"))
    assert redact("the abc of it") == "the abc of it"


def test_messages_arguments_and_tracebacks_are_redacted() -> None:
    register(Secret("s3cret-pass/word"))
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactionFilter())
    logger = logging.getLogger("elsewhere.redaction")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.error("url %s", "ssh://u:s3cret-pass%2Fword@h")
        try:
            raise ValueError("s3cret-pass/word")
        except ValueError:
            logger.exception("it broke")
    finally:
        logger.removeHandler(handler)
    said = stream.getvalue()
    assert "s3cret" not in said and said.count(DOTS) == 3 and "ValueError" in said


def test_a_secret_prints_as_dots_and_is_never_pickled() -> None:
    import pickle

    assert "pw" not in f"{Secret('pw')!r} {Secret('pw')}"
    with pytest.raises(TypeError):
        pickle.dumps(Secret("pw"))
