"""What a live test comes to, as a model and as it is shown; and the lines that will be written."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from modelkeep.core.workflows.remote_test import STEPS, State, Step
from modelkeep.gui.dialogs.steps import Steps, lasted, sign_of
from modelkeep.gui.dialogs.stepsview import StepsView
from modelkeep.gui.dialogs.wizard.review import marked

TITLES = dict(STEPS)


def step(key: str, state: State, text: str = "", **more: str) -> Step:
    return Step(key, TITLES[key], state, text, **more)


def run(*states: State, text: str = "") -> Steps:
    steps = Steps(STEPS[: len(states)])
    steps.begin()
    steps.end([step(key, state, text) for (key, _), state in zip(STEPS, states, strict=False)])
    return steps


def test_all_good_is_good_and_a_warning_is_no_failure() -> None:
    assert run(State.OK, State.OK).is_good
    warned = run(State.OK, State.WARNING)
    assert warned.is_good
    assert "something to know" in warned.sentence()


def test_one_failure_names_itself() -> None:
    steps = run(State.OK, State.FAILED, State.SKIPPED)
    assert not steps.is_good
    assert not steps.was_cancelled
    assert steps.failed is not None and steps.failed.title in steps.sentence()


def test_what_was_left_out_for_a_reason_is_no_cancelling() -> None:
    steps = Steps(STEPS[:2])
    steps.begin()
    steps.end([step("name", State.OK), step("port", State.SKIPPED, "A proxy reaches it.")])
    assert steps.is_good


def test_cancelled_is_neither_good_nor_failed() -> None:
    steps = Steps(STEPS[:3])
    steps.begin()
    steps.take(step("name", State.OK))
    steps.take(step("port", State.RUNNING))
    steps.cancel()
    assert not steps.is_good
    assert steps.was_cancelled
    assert steps.failed is None


def test_nothing_tried_is_not_good() -> None:
    assert not Steps(()).is_good
    assert not Steps(STEPS).is_good


def test_states_are_told_by_sign_and_word_alone() -> None:
    signs = [sign_of(step("name", state)) for state in State]
    assert len({sign.word for sign in signs}) == len(signs)
    assert len({sign.icon for sign in signs}) == len(signs)


def test_times_are_short() -> None:
    assert [lasted(seconds) for seconds in (0.0002, 0.012, 0.0996, 12.34)] == [
        "1 ms",
        "12 ms",
        "0.1 s",
        "12.3 s",
    ]


def test_a_failure_shows_what_it_means_what_to_try_and_the_facts(qtbot: QtBot) -> None:
    view = StepsView("Steps")
    qtbot.addWidget(view)
    view.show()
    steps = Steps(STEPS)
    steps.begin()
    steps.take(step("name", State.RUNNING))
    view.show_steps(steps)
    bad = step(
        "name", State.FAILED, "No <b>server</b>.", advice="Run: modelkeep login lab", detail="[Errno -2]"
    )
    steps.end([bad])
    view.show_steps(steps)
    said = view.line_of("name").text()
    assert "No <b>server</b>." in said and "[Errno -2]" in said
    assert "“Log in to remote…”" in said  # advice speaks of the window's commands
    assert "failed" in view.line_of("name").accessibleName()
    assert len(view.texts()) == len(STEPS)


def test_lines_of_a_file_are_marked_as_new_gone_or_as_they_were() -> None:
    before = "[core]\n    autostage = true\n"
    after = "[core]\n    autostage = true\n    remote = lab\n"
    assert marked(before, after) == (("", "[core]"), ("", "    autostage = true"), ("+", "    remote = lab"))
    assert marked("a\nb\n", "a\n") == (("", "a"), ("−", "b"))
