"""Figures of parts are told from those of the whole by their names, whatever the parts are."""

from __future__ import annotations

from seqlab.figures import by_group, in_groups, overall

ALONE = {"loss": 1.0, "wer": 0.3, "bo.speaker_wer": 0.1, "a.n.speaker_wer": 0.5, "x.speaker_wer": 0.5}
HEADS = {"a.wer": 0.2, "b.wer": 0.4, "a.ann.speaker_wer": 0.2, "b.ann.speaker_wer": 0.4}


def test_parts_are_found_under_the_figure_that_theirs_make_up() -> None:
    assert by_group(ALONE) == {("wer", "speaker"): {"a.n": 0.5, "x": 0.5, "bo": 0.1}}
    assert list(by_group(ALONE)["wer", "speaker"]) == ["a.n", "x", "bo"], "highest first, equals by name"
    assert by_group(HEADS, ("a", "b")) == {
        ("a.wer", "speaker"): {"ann": 0.2},
        ("b.wer", "speaker"): {"ann": 0.4},
    }
    assert by_group({"loss": 1.0, "accuracy": 0.5, "NOUN.f1": 0.5, "f1_macro": 0.5}) == {}
    assert in_groups(ALONE) == {"bo.speaker_wer", "a.n.speaker_wer", "x.speaker_wer"}


def test_any_group_of_any_figure_is_one() -> None:
    figures = {"accuracy": 0.5, "de.language_accuracy": 0.4, "fi.language_accuracy": 0.6, "accuracy_low": 0.1}
    assert by_group(figures) == {("accuracy", "language"): {"fi": 0.6, "de": 0.4}}
    assert overall(figures) == ["accuracy", "accuracy_low"]


def test_figures_of_parts_are_not_shown_at_a_glance() -> None:
    assert overall({**ALONE, "NOUN.f1": 0.5}) == ["loss", "wer"]
    assert overall({**HEADS, "a.NOUN.f1": 0.5}, ("a", "b")) == ["a.wer", "b.wer"]
    feats = {"misc.SpaceAfter.accuracy": 0.5, "misc.SpaceAfter.No.f1": 0.5}
    assert overall(feats, ("upos", "misc.SpaceAfter")) == ["misc.SpaceAfter.accuracy"]


def test_a_part_needs_a_name_and_its_whole() -> None:
    figures = {".speaker_wer": 0.1, "wer": 0.2, "spk.speaker_eer": 0.1}
    assert by_group(figures) == {}
