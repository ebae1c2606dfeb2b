from __future__ import annotations

import logging

import pytest

from seqlab.errors import Place, PluginError, Problem, RecipeError
from seqlab.recipe import paths_as_written


def test_an_error_keeps_cause_and_notes_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/secret")
    cause = ValueError("why")
    error = RecipeError([Problem(Place("/secret/a.yaml"), "data", "no /secret/b")])
    error.add_note("in /secret/c")
    with pytest.raises(RecipeError) as caught, paths_as_written({"PLACE"}):
        raise error from cause
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__notes__ == ["in ${PLACE}/c"]
    assert str(error) == "${PLACE}/a.yaml: data: no ${PLACE}/b" == str(error.problems[0])


def test_what_an_error_holds_besides_its_text_is_shown_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/secret")
    with pytest.raises(PluginError) as caught, paths_as_written({"PLACE"}):
        raise PluginError("cannot read /secret/x", plugin="mine")
    assert caught.value.message == "cannot read ${PLACE}/x"


def test_a_message_that_cannot_be_made_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logger, handler = logging.getLogger("seqlab"), logging.StreamHandler()
    logger.addHandler(handler)
    monkeypatch.setattr(logger, "propagate", False)
    try:
        with paths_as_written({"PLACE"}):
            logger.warning("%d files", "no number")
    finally:
        logger.removeHandler(handler)
    assert "Logging error" in capsys.readouterr().err
