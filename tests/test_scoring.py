"""Figures of a model: losses, metrics and what can be watched."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab import Lab
from seqlab.api import Answer, Example
from seqlab.assembly import Assembly
from seqlab.engine import Budget
from seqlab.engine.answering import BATCH
from seqlab.engine.seeding import seeded
from seqlab.predict.predictor import Predictor
from seqlab.scoring import Scorer

TWO_HEADS = [
    "data.reader={name: conllu, label: [upos, xpos]}",
    "head=[{name: tagging, target: upos}, {name: tagging, target: xpos}]",
]


def scorer_of(assembly: Assembly, file: Path, budget: Budget = BATCH) -> Scorer:
    examples = assembly.read([file], "dev")
    return Scorer(assembly, examples, assembly.encode(examples, labelled=True), budget)


@pytest.fixture
def dev(finished: Path) -> Path:
    return finished.parent / "dev.conllu"


def test_figures_do_not_depend_on_the_batches(tagger: Predictor, dev: Path) -> None:
    whole = scorer_of(tagger.assembly, dev)(tagger.model)
    for budget in (Budget(tokens=1), Budget(tokens=20), Budget(tokens=4096, items=3)):
        assert scorer_of(tagger.assembly, dev, budget)(tagger.model) == pytest.approx(whole, abs=1e-6)


def test_figures_are_those_of_the_predictions(tagger: Predictor, dev: Path) -> None:
    scorer = scorer_of(tagger.assembly, dev)
    answers = tagger.predict([example.fields["tokens"] for example in scorer.examples])
    gold = [label for example in scorer.examples for label in example.fields["upos"]]
    predicted = [label for answer in answers for label in answer.tags]
    right = sum(map(str.__eq__, gold, predicted))
    figures = scorer(tagger.model)
    assert figures["accuracy"] == right / len(gold)
    labels = tagger.assembly.heads["upos"].state()["labels"]
    logs = []
    for example in scorer.examples:
        batch = tagger.assembly.encode([example], labelled=False).gather(torch.tensor([0]))
        with torch.inference_mode():
            states, _ = tagger.model.encode(batch.features)
            scores = tagger.model.heads[0].get_submodule("project")(states.data).log_softmax(-1)
        logs += [float(scores[row, labels.index(label)]) for row, label in enumerate(example.fields["upos"])]
    assert figures["loss"] == pytest.approx(-sum(logs) / len(logs), abs=1e-5)


def test_what_can_be_watched_is_what_will_be_reported(lab: Lab, toy: Path) -> None:
    for overrides in ([], TWO_HEADS):
        recipe = lab.check(toy, overrides)
        assembly = Assembly(recipe, lab.registry)
        assembly.fit(assembly.read(recipe.paths["train"], "train"))
        scorer = scorer_of(assembly, recipe.paths["dev"][0])
        with seeded(1):
            model = assembly.model().eval()
        watched, reported = scorer.figures(), scorer(model)
        # Labels that are predicted but never gold come on top.
        assert set(watched) <= set(reported)
        more = {name.rpartition(".")[2] for name in set(reported) - set(watched)}
        assert more <= {"precision", "recall", "f1"}
        assert all(better is not name.endswith("loss") for name, better in watched.items())


class Kinds:
    """A metric that knows of no answer but labels, as heads give them; a missing gold one counts nowhere."""

    higher_is_better = True

    def reset(self) -> None:
        self.right = self.all = 0

    def update(self, _example: Example, gold: Sequence[str | None], answer: Answer) -> None:
        for label, found in zip(gold, map(str.lower, answer.value), strict=True):
            self.all += label is not None
            self.right += label is not None and label.lower() == found

    def compute(self) -> dict[str, float]:
        return {"kinds": self.right / self.all} if self.all else {}


@pytest.mark.parametrize("missing", [slice(0, 1), slice(None)])
def test_no_metric_is_given_a_missing_label_as_an_answer(
    missing: slice, tagger: Predictor, dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = scorer_of(tagger.assembly, dev)
    for example in scorer.examples:
        labels = example.fields["upos"]
        labels[missing] = [None] * len(labels[missing])
    kinds: Any = Kinds()
    monkeypatch.setitem(tagger.assembly.metrics, "upos", {"kinds": kinds})
    assert ("kinds" in scorer.figures()) == (missing != slice(None))
    assert kinds.right == kinds.all
    assert scorer.missing_labels()["upos"] == sum(
        len(each.fields["upos"][missing]) for each in scorer.examples
    )


def test_labels_never_seen_in_training_are_wrong_but_cost_no_loss(
    tagger: Predictor, dev: Path, tmp_path: Path
) -> None:
    known = scorer_of(tagger.assembly, dev)(tagger.model)
    odd = tmp_path / "odd.conllu"
    odd.write_text(dev.read_text().replace("\tPUNCT\t", "\tSYM\t"))
    unseen = scorer_of(tagger.assembly, odd)(tagger.model)
    assert unseen["accuracy"] < known["accuracy"]
    assert unseen["SYM.f1"] == 0
    only = tmp_path / "only.conllu"
    only.write_text("1\tx\t_\tSYM" + "\t_" * 6 + "\n\n")
    figures = scorer_of(tagger.assembly, only)(tagger.model)
    assert "loss" not in figures
    assert figures["accuracy"] == 0


def test_the_listing_is_of_the_last_answers_under_the_names_of_the_metrics(
    tagger: Predictor, dev: Path
) -> None:
    scorer = scorer_of(tagger.assembly, dev)
    wrong = round((1 - scorer(tagger.model)["accuracy"]) * int(scorer.data.lengths.sum()))
    names, rule, _, totals, *_ = scorer.listing().splitlines()
    assert names == "accuracy, sentence_accuracy, label_scores"
    assert rule == "=" * len(names)
    assert totals.startswith(f"{wrong} of {int(scorer.data.lengths.sum())} labels are wrong")
    assert "\naccuracy_unknown\n================\n" in scorer.listing()
    places = {str(example.place) for example in scorer.examples}
    found = [line.split()[0] for line in scorer.listing().splitlines() if line.endswith(" labels wrong")]
    assert set(found) <= places
    scorer.figures()
    assert "0 of " in scorer.listing().splitlines()[3]


def test_several_heads_name_their_parts_of_the_listing(lab: Lab, toy: Path) -> None:
    recipe = lab.check(toy, [*TWO_HEADS, "metrics=[accuracy]"])
    assembly = Assembly(recipe, lab.registry)
    assembly.fit(assembly.read(recipe.paths["train"], "train"))
    scorer = scorer_of(assembly, recipe.paths["dev"][0])
    with seeded(1):
        scorer(assembly.model().eval())
    lines = scorer.listing().splitlines()
    assert [line for line, rule in pairwise(lines) if set(rule) == {"="}] == [
        "upos.accuracy",
        "xpos.accuracy",
    ]
