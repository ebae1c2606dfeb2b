"""Parts put together: sizes, several heads, and mistakes that only show between the parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from seqlab import Component, DataError, Lab, PluginError, RecipeError, SeqlabError, hookimpl
from seqlab.api import Example, FeaturizerContext, HeadContext, Place, ReaderContext
from seqlab.assembly import Assembly
from seqlab.builtin.text.heads.tagging import TaggingHead
from seqlab.figures import overall
from seqlab.run import RunOptions
from seqlab.settings import Config

TWO_LABELS = ["data.reader={name: conllu, label: [upos, xpos]}"]
TWO_HEADS = [*TWO_LABELS, "head=[{name: tagging, target: upos}, {name: tagging, target: xpos}]"]

Assemble = Callable[..., Assembly]


@pytest.fixture
def assemble(lab: Lab, toy: Path) -> Assemble:
    """Put the toy recipe together, with overrides, and fit it on its training split."""

    def put_together(*overrides: str) -> Assembly:
        recipe = lab.check(toy, overrides)
        assembly = Assembly(recipe, lab.registry)
        assembly.fit(assembly.read(recipe.paths["train"], "train"))
        return assembly

    return put_together


@pytest.fixture
def mistake(assemble: Assemble, tmp_path: Path) -> Callable[..., str]:
    """Return the one problem of the toy recipe with overrides, the folder left out."""

    def problem_of(*overrides: str) -> str:
        with pytest.raises(RecipeError) as caught:
            assemble(*overrides)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return problem_of


def test_sizes_follow_from_part_to_part(assemble: Assemble) -> None:
    model = assemble("features.1.hidden_size=5", "encoder.hidden_size=7").model()
    assert [featurizer.output_size for featurizer in model.featurizers] == [8, 10]
    assert model.encoder.output_size == 14
    assert dict(model.heads.named_parameters())["0.project.weight"].shape == (5, 14)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_featurizers_are_told_where_the_model_computes(
    device: str, lab: Lab, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    component = lab.registry.get("featurizer", "char_lstm")
    build = component.build

    def listen(config: Any, context: FeaturizerContext) -> Any:
        told.append(context.device)
        return build(config, context)

    monkeypatch.setitem(vars(component), "build", listen)
    Assembly(lab.check(toy), lab.registry, torch.device(device))
    assert told == [device]


def test_what_was_learned_survives_as_plain_data(assemble: Assemble, lab: Lab, toy: Path) -> None:
    fitted = assemble()
    blank = Assembly(lab.check(toy), lab.registry)
    blank.restore(fitted.state())
    assert blank.state() == fitted.state()
    examples = fitted.read(lab.check(toy).paths["dev"], "dev")
    for one, other in zip(
        fitted.encode(examples, labelled=True).features,
        blank.encode(examples, labelled=True).features,
        strict=True,
    ):
        assert torch.equal(one.values, other.values)


def test_an_example_is_named_by_its_place(assemble: Assemble, lab: Lab, toy: Path) -> None:
    assembly = assemble()
    recipe = lab.check(toy)
    data = assembly.encode(assembly.read(recipe.paths["dev"], "dev"), labelled=True)
    assert data.name(0) == f"{recipe.paths['dev'][0]}:1"


# --- mistakes between the parts ------------------------------------------------------------------------


def test_a_featurizer_of_a_field_that_is_not_there(mistake: Callable[..., str]) -> None:
    assert mistake("features.0.field=lemmas") == (
        "toy.yaml:8:5: features.0: featurizer embedding reads field 'lemmas', which the reader does not"
        " deliver; one of: tokens, upos"
    )


def test_a_featurizer_must_not_read_labels_that_prediction_will_lack(mistake: Callable[..., str]) -> None:
    found = mistake(*TWO_LABELS, "head.target=upos", "features.1={name: one_hot, field: xpos}")
    assert found.endswith(
        "features.1: featurizer one_hot reads tokens, but field 'xpos' holds labels; one of: tokens"
    )


def test_a_head_of_a_field_that_is_not_there(mistake: Callable[..., str]) -> None:
    found = mistake("head.target=uops")
    assert found.startswith(
        "toy.yaml:11:7: head: head tagging learns field 'uops', which the reader does not deliver; did you"
        " mean 'upos'?"
    )


def test_several_label_fields_need_a_target(mistake: Callable[..., str]) -> None:
    found = mistake(*TWO_LABELS)
    assert found == (
        "toy.yaml:11:7: head: head tagging learns labels, of which the reader delivers 2 fields: name the one"
        " that is meant; one of: upos, xpos"
    )


def test_two_heads_of_one_target(mistake: Callable[..., str]) -> None:
    found = mistake("head=[{name: tagging}, {name: tagging, target: upos}]")
    assert found == "command line: head.1: head tagging learns 'upos', as head.0 does; each needs its own"


def test_a_class_weight_of_a_label_that_training_does_not_hold(mistake: Callable[..., str]) -> None:
    found = mistake("head.class_weights={NUON: 2.0}")
    assert found.startswith(
        "toy.yaml:11:7: head tagging: class_weights names label 'NUON', which the training split does not"
        " hold; did you mean 'NOUN'?"
    )


def test_files_without_an_example_are_an_error(assemble: Assemble) -> None:
    with pytest.raises(DataError, match=r"^data.dev holds no examples: $"):
        assemble().read([], "dev")


class Choosy:
    """Registers a reader of numbers that refuses the odd ones, and a head that asks for room."""

    def __init__(self, room: int = 0) -> None:
        self.room = room

    @hookimpl
    def seqlab_register_readers(self) -> list[Component[Config]]:
        return [
            Component(
                name="numbers", config=Config, build=NumberReader, summary="lines of numbers", skips=True
            )
        ]

    @hookimpl
    def seqlab_register_heads(self) -> list[Component[Config]]:
        def build(config: Config, context: HeadContext) -> Any:
            head = TaggingHead("parity", class_weights=None, label_smoothing=0.0, loss_weight=1.0)
            head.states_needed = lambda values: [self.room] * len(values)  # type: ignore[attr-defined]
            return head

        return [Component(name="roomy", config=Config, build=build, summary="needs states")]


class NumberReader:
    suffixes = (".txt",)
    fields: ClassVar[dict[str, Any]] = {"tokens": "tokens", "parity": "labels"}

    def __init__(self, config: Config, context: ReaderContext) -> None:
        self.context = context

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            place = Place(str(path), number)
            if len(line.split()) % 2:
                self.context.refuse(DataError("an odd number of numbers", place=place))
                continue
            words = line.split()
            yield Example(
                {"tokens": words, "parity": ["odd" if int(word) % 2 else "even" for word in words]}, place
            )


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text("1 2\n3\n4 5 6 7\n8 9 1\n" + "1 2 3 4\n" * 5)
    (tmp_path / "dev.txt").write_text("1\n2 3\n")
    recipe = tmp_path / "numbers.yaml"
    recipe.write_text(
        "data: {reader: numbers, train: train.txt, dev: dev.txt}\n"
        "features: [{name: one_hot}]\nencoder: {name: rnn, hidden_size: 3}\nhead: roomy\n"
        "observers: [jsonl]\ntrain: {epochs: 1}\n"
    )
    return recipe


def test_an_example_that_cannot_be_used_ends_the_run_or_is_left_out_and_listed(
    numbers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = Lab([Choosy()], entry_points=False)
    with pytest.raises(DataError, match=r"train\.txt:2: an odd number of numbers"):
        lab.run(numbers, [], RunOptions(out=tmp_path / "fail", device="cpu"))
    report = lab.run(numbers, ["data.on_error=skip"], RunOptions(out=tmp_path / "skip", device="cpu"))
    assert report["skipped_examples"] == {
        "train": [f"{tmp_path}/train.txt:{line}: an odd number of numbers" for line in (2, 4)],
        "dev": [f"{tmp_path}/dev.txt:1: an odd number of numbers"],
    }
    assert "data.train: 2 examples left out" in caplog.text


def test_in_prediction_nothing_is_left_out(numbers: Path, tmp_path: Path) -> None:
    lab = Lab([Choosy()], entry_points=False)
    lab.run(numbers, ["data.on_error=skip"], RunOptions(out=tmp_path / "run", device="cpu"))
    reader = lab.open(tmp_path / "run" / "model", device="cpu").assembly.reader
    with pytest.raises(DataError, match=r"dev\.txt:1: an odd number"):
        list(reader.read(tmp_path / "dev.txt"))


def test_a_split_of_which_all_is_left_out_names_the_first_reason(numbers: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("1\n2\n")
    lab = Lab([Choosy()], entry_points=False)
    with pytest.raises(DataError, match=r"no examples: .*; the first of 2 .*train\.txt:1: an odd number"):
        lab.run(numbers, ["data.on_error=skip"], RunOptions(out=tmp_path / "run", device="cpu"))


def test_a_target_without_room_is_named_before_training(numbers: Path, tmp_path: Path) -> None:
    lab = Lab([Choosy(room=3)], entry_points=False)
    reason = "parity needs at least 3 states, but the encoder makes 2 of 2 rows of features"
    (tmp_path / "train.txt").write_text("1 2 3 4\n1 2\n1 2 3 4\n")
    with pytest.raises(DataError, match=rf"train\.txt:2: {reason}"):
        lab.run(numbers, ["data.dev=null"], RunOptions(out=tmp_path / "fail", device="cpu"))
    overrides = ["data.dev=null", "data.on_error=skip"]
    report = lab.run(numbers, overrides, RunOptions(out=tmp_path / "skip", device="cpu"))
    assert report["skipped_examples"] == {"train": [f"{tmp_path}/train.txt:2: {reason}"]}
    crowded = Lab([Choosy(room=9)], entry_points=False)
    with pytest.raises(DataError, match="no training example has as many states as its target needs"):
        crowded.run(numbers, overrides, RunOptions(out=tmp_path / "none", device="cpu"))


def test_a_dev_target_without_room_is_named_and_stays_in_the_metrics(
    numbers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = Lab([Choosy(room=3)], entry_points=False)
    (tmp_path / "train.txt").write_text("1 2 3 4\n" * 9)
    (tmp_path / "dev.txt").write_text("1 2 3 4\n1 2\n")
    report = lab.run(numbers, [], RunOptions(out=tmp_path / "run", device="cpu"))
    why = "parity needs at least 3 states, but the encoder makes 2 of 2 rows of features"
    reason = f"{tmp_path}/dev.txt:2: {why}"
    assert report["short_of_states"] == {"dev": [reason]}
    assert f"1 examples can never be answered in full, and no loss counts them: {reason}" in caplog.text
    caplog.clear()
    lab.evaluate(tmp_path / "run/model", split="dev", device="cpu")
    assert reason in caplog.text


def test_encoders_of_a_list_read_one_another(assemble: Assemble) -> None:
    model = assemble("encoder=[{name: gru, hidden_size: 5}, {name: bilstm, hidden_size: 7}]").model()
    assert model.encoder.output_size == 14
    states, _ = model.encode(
        assemble().encode([], labelled=False).gather(torch.tensor([], dtype=torch.int64)).features
    )
    assert states.data.shape == (0, 14)


class Clumsy:
    """Registers a component of one kind that is built as `made`, or raises it."""

    def __init__(self, kind: str, made: object) -> None:
        def build(config: Config, context: object) -> Any:
            if isinstance(made, Exception):
                raise made
            return made

        component = Component(name="clumsy", config=Config, build=build, summary="fails")
        setattr(self, f"seqlab_register_{kind}s", hookimpl(lambda: [component]))


def test_a_builder_that_fails_is_named_with_its_plugin(toy: Path, tmp_path: Path) -> None:
    lab = Lab([Clumsy("encoder", ZeroDivisionError("by zero"))], entry_points=False)
    with pytest.raises(PluginError) as caught:
        lab.run(toy, ["encoder={name: clumsy}"], RunOptions(out=tmp_path / "run"))
    built = "plugin 'Clumsy': encoder 'clumsy' cannot be built: ZeroDivisionError: by zero ("
    assert str(caught.value).startswith(f"{built}{__file__}:")


@pytest.mark.parametrize(
    ("kind", "override", "missing"),
    [
        ("reader", "data.reader=clumsy", "suffixes, fields, read"),
        ("featurizer", "features=[clumsy]", "field, fit, state, restore, encode, module"),
        ("augmenter", "augment=[clumsy]", "stage, keeps_length, __call__"),
        ("encoder", "encoder=clumsy", "output_size, carries_state, forward, output_lengths, state_dict"),
        ("head", "head=clumsy", "target, alignment, default_metrics, fit, state, restore, encode, module, "),
        ("metric", "metrics=[clumsy]", "higher_is_better, fit, state, restore, reset, update, compute"),
        (
            "observer",
            "observers=[clumsy]",
            "state, restore, training_started, epoch_started, step_finished, ",
        ),
    ],
)
def test_what_a_component_lacks_is_named_with_its_plugin(
    kind: str, override: str, missing: str, toy: Path, tmp_path: Path
) -> None:
    lab = Lab([Clumsy(kind, None)], entry_points=False)
    with pytest.raises(PluginError) as caught:
        lab.run(toy, [override], RunOptions(out=tmp_path / "run", device="cpu"))
    found = str(caught.value)
    built = f"plugin 'Clumsy': {kind} 'clumsy' has a builder that returned None without"
    assert found.startswith(f"{built} {missing}")
    assert found.endswith(f"; see seqlab.api.{kind.capitalize()}")


# --- several heads, weighted classes -------------------------------------------------------------------


def test_several_heads_prefix_their_figures_and_share_one_model(lab: Lab, toy: Path, tmp_path: Path) -> None:
    changes = [*TWO_HEADS, "train.monitor=xpos.accuracy", "train.epochs=6"]
    report = lab.run(toy, changes, RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    dev = report["metrics"]["dev"]
    figures = ("loss", "accuracy", "f1_macro")
    assert {f"{head}.{name}" for head in ("upos", "xpos") for name in figures} <= set(dev)
    assert {"upos.NOUN.f1", "xpos.a.f1"} <= set(dev)
    assert not {"accuracy", "NOUN.f1"} & set(dev)
    assert dev["loss"] == pytest.approx(dev["upos.loss"] + dev["xpos.loss"])
    assert dev["xpos.accuracy"] > 0.8
    (answer,) = lab.open(tmp_path / "run/model", device="cpu").predict([["la", "katos", "kuras", "."]])
    labels = {target: each.value for target, each in answer.answers.items()}
    assert labels == {"upos": ("DET", "NOUN", "VERB", "PUNCT"), "xpos": ("a", "s", "s", ".")}
    with pytest.raises(AttributeError, match="several answers are tags, look into answers: upos, xpos"):
        _ = answer.tags


@pytest.mark.parametrize("weights", ["balanced", "{NOUN: 3.0, DET: 0.5}"])
def test_class_weights_and_label_smoothing_in_a_recipe(
    weights: str, lab: Lab, toy: Path, tmp_path: Path
) -> None:
    changes = [f"head.class_weights={weights}", "head.label_smoothing=0.1"]
    report = lab.run(toy, changes, RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert report["metrics"]["dev"]["accuracy"] > 0.9
    lab.open(tmp_path / "run/model", device="cpu")


def test_a_metric_of_the_recipe_takes_the_place_of_the_heads_own(lab: Lab, toy: Path, tmp_path: Path) -> None:
    changes = ["metrics=[sentence_accuracy]", "train.epochs=1"]
    report = lab.run(toy, changes, RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert sorted(report["metrics"]["dev"]) == ["loss", "sentence_accuracy"]


@pytest.mark.parametrize(
    ("metrics", "figures"),
    [
        ("null", ["accuracy", "accuracy_unknown", "f1_macro", "loss", "sentence_accuracy"]),
        ("[]", ["loss"]),
    ],
)
def test_no_metrics_are_none_and_null_leaves_the_choice_to_the_heads(
    metrics: str, figures: list[str], lab: Lab, toy: Path, tmp_path: Path
) -> None:
    changes = [f"metrics={metrics}", "train.epochs=1"]
    report = lab.run(toy, changes, RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert overall(sorted(report["metrics"]["dev"])) == figures
    again = lab.evaluate(tmp_path / "run/model", device="cpu")
    assert overall(sorted(again)) == figures


def test_an_unknown_component_is_no_business_of_the_assembly(lab: Lab) -> None:
    with pytest.raises(SeqlabError, match="unknown encoder 'bilstn'; did you mean 'bilstm'"):
        lab.registry.get("encoder", "bilstn")
