from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.image import imread
from torch import Tensor, nn
from toy_models import (
    INPUT_SIZE,
    Recorder,
    Saver,
    ToyEncoder,
    dataset,
    identical,
    model,
    settings,
    trained,
    trainer,
)

from seqlab.api import ObserverContext, PackageError, RunInfo, SeqlabError
from seqlab.builtin.core.observers.gradient_flow import GradientFlow
from seqlab.builtin.core.observers.gradient_probe import (
    Probe,
    recurrent_stacks,
    trained_parameters,
    undisturbed,
)
from seqlab.builtin.core.plugin import seqlab_register_observers
from seqlab.engine import (
    CellKind,
    Column,
    Dataset,
    Observer,
    RecurrentSpec,
    RecurrentStack,
    SequenceModel,
    Sequences,
    State,
)
from seqlab.engine.seeding import rng_state, seeded

LENGTHS = (5, 2, 7, 1, 3)
STEPS_PER_EPOCH = 3
TRAIN = settings(epochs=3, batch_items=4, batch_tokens=1000)


class Encoder(nn.Module):
    """A recurrent stack and nothing else."""

    def __init__(self, **spec: Any) -> None:
        super().__init__()
        self.stack = RecurrentStack(RecurrentSpec(cell="gru", input_size=INPUT_SIZE, hidden_size=4, **spec))
        self.output_size = self.stack.output_size
        self.carries_state = self.stack.carries_state

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        states, final = self.stack(inputs, state)
        return states, final


class Forgetful(nn.Module):
    """An encoder without memory."""

    output_size = INPUT_SIZE
    carries_state = True

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        return inputs, ()


class Linear(nn.Module):
    """A loss whose gradient is `weights` at every state, so that directions do not meet in it."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        return torch.tensor(float(target.layout.total))

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        return (states.data @ self.weights).sum()


def linear_model(weights: Tensor, **spec: Any) -> SequenceModel:
    with seeded(5):
        return SequenceModel([nn.Identity()], Encoder(**spec), {"tags": Linear(weights)}).double()


def watch(folder: Path, **options: Any) -> GradientFlow:
    return GradientFlow(folder, **{"plot": False, **options})


def run(folder: Path, subject: SequenceModel | None = None, **options: Any) -> list[dict[str, Any]]:
    """The probes of a short training."""
    observers = {"flow": watch(folder, **options)}
    trainer(subject or model(), dataset(), TRAIN, observers=observers).fit()
    return probes(folder)


def probes(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "gradient_flow.json").read_text())["probes"]
    return found


def probe(data: Dataset, **options: Any) -> Probe:
    """A probe of all examples, in two batches."""
    return Probe(data, torch.arange(len(data)).split(3), **options)


def last_row(target: Column, number: int) -> Sequences:
    end = int(target.lengths[: number + 1].sum())
    return Sequences.from_flat(target.values[end - 1 : end], [1])


def by_single_steps(subject: SequenceModel, data: Dataset) -> list[float]:
    """Mean norms by lag from retained gradients: each sequence alone, one step at a time."""
    assert isinstance(subject.encoder, ToyEncoder)
    norms: list[list[float]] = [[] for _ in range(int(data.lengths.max()))]
    for number, length in enumerate(data.lengths.tolist()):
        (column,) = data.gather(torch.tensor([number])).features
        state, hidden = None, []
        for piece in column.chunks(1):
            _, state = subject.encoder.stack(piece, state)
            state[0].retain_grad()
            hidden.append(state[0])
        for name, head in subject.named_heads():
            states = Sequences.from_flat(hidden[-1][:, 0], [1])
            head.loss(states, last_row(data.targets[name], number)).backward(retain_graph=True)
        for step, each in enumerate(hidden):
            assert each.grad is not None
            norms[length - 1 - step].append(float(each.grad.norm()))
    subject.zero_grad()
    return [sum(found) / len(found) for found in norms]


# --- what is measured ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn_tanh", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("heads", [["tags"], ["tags", "more"]])
def test_norms_are_those_of_single_steps_with_their_gradients_kept(cell: CellKind, heads: list[str]) -> None:
    subject, data = model(cell=cell, heads=heads), dataset(LENGTHS, heads=heads)
    (entry,) = probe(data).flow(subject)
    assert (entry["stack"], entry["layer"], entry["direction"]) == ("encoder.stack", 0, "forward")
    assert entry["norms"] == pytest.approx(by_single_steps(subject, data), rel=1e-6)
    assert entry["sequences"] == [5, 4, 3, 2, 2, 1, 1]


def test_the_reverse_direction_is_a_forward_one_on_reversed_sequences() -> None:
    weights = torch.arange(1.0, 9.0)
    both, one = linear_model(weights, bidirectional=True), linear_model(weights[4:])
    ours = dict(both.named_parameters())
    for name, parameter in one.encoder.named_parameters():
        parameter.data.copy_(ours[f"encoder.{name}_reverse"])
    data = dataset(LENGTHS)
    column = data.features[0]
    turned = Column(torch.cat([each.flip(0) for each in column.values.split(LENGTHS)]), column.lengths)
    forward, reverse = probe(data).flow(both)
    assert (forward["direction"], reverse["direction"]) == ("forward", "reverse")
    (expected,) = probe(Dataset((turned,), data.targets)).flow(one)
    assert reverse["norms"] == pytest.approx(expected["norms"], rel=1e-6)
    assert reverse["norms"][0] == pytest.approx(float(weights[4:].norm()))
    assert forward["norms"][0] == pytest.approx(float(weights[:4].norm()))
    assert reverse["sequences"] == forward["sequences"] == expected["sequences"]


def test_every_layer_and_direction_has_its_entry() -> None:
    subject = linear_model(torch.ones(8), bidirectional=True, num_layers=2)
    found = probe(dataset(LENGTHS), max_lag=2).flow(subject)
    places = [(each["layer"], each["direction"]) for each in found]
    assert places == [(0, "forward"), (0, "reverse"), (1, "forward"), (1, "reverse")]
    assert all(each["sequences"] == [5, 4, 3] for each in found)
    assert all(norm > 0 for each in found for norm in each["norms"])


def test_a_head_with_other_targets_than_one_a_row_counts_with_its_whole_loss() -> None:
    subject, data = linear_model(torch.ones(4)), dataset(LENGTHS)
    one_each = Column(torch.zeros(len(data), dtype=torch.int64), torch.ones(len(data), dtype=torch.int64))
    (entry,) = probe(Dataset(data.features, {"tags": one_each})).flow(subject)
    (last,) = probe(data).flow(subject)
    assert entry["norms"][0] == pytest.approx(last["norms"][0]), "no later row adds to the last state"
    assert all(whole > alone for whole, alone in zip(entry["norms"][1:], last["norms"][1:], strict=True))


def test_a_probe_sees_the_model_without_dropout() -> None:
    with_dropout, without = model(dropout=0.5), model()
    assert probe(dataset()).flow(with_dropout) == probe(dataset()).flow(without)
    assert probe(dataset()).weight_gradients(with_dropout) == probe(dataset()).weight_gradients(without)


def test_an_empty_sequence_counts_nowhere() -> None:
    subject = model()
    with_empty, without = dataset((0, 3, 0, 2)), dataset((3, 2))
    assert probe(with_empty).flow(subject) == probe(without).flow(subject)


def test_weights_gradients_and_updates_are_those_of_the_training(tmp_path: Path) -> None:
    subject, data, recorder = model(), dataset(), Recorder()
    train = settings(epochs=2, batch_tokens=1000, accumulate=2, batch_items=4, bptt=3)
    batch = data.gather(torch.arange(len(data)))
    (sums,), (count,) = subject.losses(batch)[0].values(), subject.counts(batch).values()
    (sums / count).backward()
    named = trained_parameters(subject).items()
    gradients = {name: float(each.grad.norm()) for name, each in named if each.grad is not None}
    assert len(gradients) == len(list(subject.parameters()))
    subject.zero_grad()
    observers: Mapping[str, Observer] = {"flow": watch(tmp_path), "recorder": recorder}
    trainer(subject, data, train, observers=observers).fit()
    first, *_, last = probes(tmp_path)
    assert {each["name"]: each["gradient_norm"] for each in first["parameters"]} == pytest.approx(gradients)
    assert {each["update_ratio"] for each in first["parameters"]} == {None}
    before, after = recorder.weights[-2:]
    for each in last["parameters"]:
        old, new = before[each["name"]], after[each["name"]]
        assert each["weight_norm"] == pytest.approx(float(new.norm()))
        assert each["update_ratio"] == pytest.approx(float((new - old).norm() / old.norm()), rel=1e-5)


def test_an_update_that_was_skipped_has_no_figure(tmp_path: Path) -> None:
    data = dataset()
    data.features[0].values[:] = torch.nan
    train = settings(epochs=1, nonfinite="skip")
    trainer(model(), data, train, observers={"flow": watch(tmp_path)}).fit()
    last = probes(tmp_path)[-1]
    assert {each["update_ratio"] for each in last["parameters"]} == {None}
    assert set(last["layers"][0]["norms"]) == {None}, "a norm that is not finite is null"


# --- when, and in which files ----------------------------------------------------------------------------


def test_it_probes_before_training_and_after_every_so_many_epochs(tmp_path: Path) -> None:
    found = run(tmp_path, every_epochs=2)
    assert [(each["epoch"], each["step"]) for each in found] == [(0, 0), (2, 2 * STEPS_PER_EPOCH)]
    assert found[0]["layers"] != found[1]["layers"]
    assert not (tmp_path / "gradient_flow.png").exists()


def test_a_probe_has_so_many_sequences_and_lags(tmp_path: Path) -> None:
    found = run(tmp_path, items=4, max_lag=1)
    assert json.loads((tmp_path / "gradient_flow.json").read_text())["items"] == 4
    assert all(len(each["layers"][0]["norms"]) == 2 for each in found)
    assert len({tuple(each["layers"][0]["sequences"]) for each in found}) == 1, "the same ones every time"


def test_training_goes_on_as_if_there_had_been_no_probe(tmp_path: Path) -> None:
    subject = model(dropout=0.3)
    train = settings(epochs=3, batch_items=4)
    plain = trained(train, subject)
    assert identical(trained(train, subject, observers={"flow": watch(tmp_path)}), plain)
    assert not identical(trained(settings(epochs=3, batch_items=4, seed=2), subject), plain)


def test_a_probe_leaves_modes_gradients_taps_and_random_numbers_as_they_were() -> None:
    subject = model(dropout=0.3)
    subject.encoder.dropout.eval()  # type: ignore[union-attr]
    modes = [each.training for each in subject.modules()]
    assert len(set(modes)) == 2
    generators = rng_state()["cpu"].clone()
    probe(dataset()).flow(subject)
    probe(dataset()).weight_gradients(subject)
    with pytest.raises(IndexError), undisturbed(subject):
        torch.rand(1)[1]
    assert [each.training for each in subject.modules()] == modes
    assert torch.equal(rng_state()["cpu"], generators)
    assert all(each.grad is None for each in subject.parameters())
    assert all(each.tap is None for each in recurrent_stacks(subject).values())


@pytest.mark.slow
def test_a_resumed_run_writes_the_same_files(tmp_path: Path) -> None:
    saver, flow = Saver(tmp_path), watch(tmp_path, plot=True)
    trainer(model(), dataset(), TRAIN, observers={"flow": flow, "saver": saver}).fit()
    names = ("gradient_flow.json", "gradient_flow.png")
    whole = [(tmp_path / name).read_bytes() for name in names]
    for number in range(len(saver.reasons)):
        observers = {"flow": watch(tmp_path, plot=True)}
        resumed = trainer(model(), dataset(), TRAIN, observers=observers)
        resumed.restore(*saver.load(number))
        resumed.fit()
        assert [(tmp_path / name).read_bytes() for name in names] == whole


@pytest.mark.parametrize("left", [None, '{"probes": []}', "{"])
def test_a_file_that_lacks_what_the_checkpoint_knows_is_an_error(tmp_path: Path, left: str | None) -> None:
    path, saver = tmp_path / "gradient_flow.json", Saver(tmp_path)
    trainer(model(), dataset(), TRAIN, observers={"flow": watch(tmp_path), "saver": saver}).fit()
    path.unlink() if left is None else path.write_text(left)
    resumed = trainer(model(), dataset(), TRAIN, observers={"flow": watch(tmp_path)})
    resumed.restore(*saver.load(len(saver.reasons) - 1))
    told = "has 0 probes, but the checkpoint knows 4" if left == '{"probes": []}' else "cannot be read: "
    with pytest.raises(PackageError, match=f"^{re.escape(str(path))}: {told}"):
        resumed.fit()


def test_the_picture_is_one(tmp_path: Path) -> None:
    subject = linear_model(torch.ones(8), bidirectional=True, num_layers=2)
    run(tmp_path, subject, plot=True)
    picture = imread(tmp_path / "gradient_flow.png")
    height, width, channels = picture.shape
    assert height > 2 * width, "one panel for each of 4 layers and directions, one below the other"
    assert channels == 4
    assert len({tuple(pixel) for pixel in picture.reshape(-1, channels)[::7].tolist()}) > 3


def test_norms_without_a_logarithm_are_left_out_of_the_picture(tmp_path: Path) -> None:
    run(tmp_path, linear_model(torch.zeros(4)), plot=True)
    assert imread(tmp_path / "gradient_flow.png").size


# --- what cannot be --------------------------------------------------------------------------------------


def test_an_encoder_without_recurrent_layers_is_an_error(tmp_path: Path) -> None:
    subject = SequenceModel([nn.Identity()], Forgetful(), {"tags": Linear(torch.ones(INPUT_SIZE))}).double()
    message = "observer gradient_flow: the encoder has no recurrent layers whose gradients could be measured"
    with pytest.raises(SeqlabError, match=f"^{message}"):
        run(tmp_path, subject)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plot", [True, False])
def test_matplotlib_is_needed_for_the_picture_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, plot: bool
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (component,) = (each for each in seqlab_register_observers() if each.name == "gradient_flow")
    context = ObserverContext(RunInfo("toy", tmp_path, {}, resumed=False))
    config = component.config(plot=plot)
    if plot:
        with pytest.raises(SeqlabError, match=r'not installed: pip install "seqlab\[plots\]", or say plot'):
            component.build(config, context)
    else:
        trainer(model(), dataset(), TRAIN, observers={"flow": component.build(config, context)}).fit()
        assert len(probes(tmp_path)) == 4
