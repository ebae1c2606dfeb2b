from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from toy_models import (
    INPUT_SIZE,
    LENGTHS,
    Recorder,
    Saver,
    ToyHead,
    dataset,
    distance,
    identical,
    model,
    scripted,
    settings,
    trained,
    trainer,
)

from seqlab.engine import (
    Batch,
    Column,
    Dataset,
    Observer,
    RecurrentSpec,
    RecurrentStack,
    SequenceModel,
    Trainer,
)
from seqlab.engine.seeding import seeded
from seqlab.engine.steps import batches_of_epoch, steps_of_epoch
from seqlab.settings import SGD, Adam, EarlyStopping, LinearSchedule, OneCycleSchedule, PlateauSchedule

EXACT = 1e-12
"""Largest difference that another order of summing makes in double precision."""


def descend(subject: SequenceModel, loss: Tensor) -> None:
    """Take a step of SGD by hand, at the rate of `settings`."""
    parameters = list(subject.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.sub_(gradient, alpha=0.1)


# --- gradients -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [("a",), ("a", "b")])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_accumulated_batches_step_like_one_big_batch(heads: tuple[str, ...], *, bidirectional: bool) -> None:
    """The heads weight their classes, so that batches of one size differ in their counts."""
    data, subject = dataset(heads=heads), model(heads=heads, bidirectional=bidirectional)
    whole = trained(settings(batch_tokens=1000), subject, data=data)
    pieces = trained(settings(batch_tokens=7, accumulate=1000), subject, data=data)
    assert distance(pieces, whole) < EXACT
    assert distance(whole, subject.state_dict()) > 1e-3
    stepwise = trained(settings(batch_tokens=7), subject, data=data)
    assert distance(stepwise, whole) > 1e-3


def test_the_step_is_that_of_the_mean_loss_over_all_targets() -> None:
    data, subject = dataset(heads=("a", "b")), model(heads=("a", "b"))
    batch = data.gather(torch.arange(len(data)))
    expected = copy.deepcopy(subject)
    sums, _ = expected.losses(batch)
    counts = expected.counts(batch)
    descend(expected, torch.stack([sums[name] / counts[name] for name in sums]).sum())
    found = trained(settings(batch_tokens=7, accumulate=1000), subject, data=data)
    assert distance(found, expected.state_dict()) < EXACT


def test_a_window_that_holds_nothing_for_a_head_is_no_obstacle() -> None:
    labelled = dataset(heads=("a", "b"))
    none = Column(torch.full_like(labelled.targets["b"].values, -1), labelled.targets["b"].lengths)
    half = Dataset(labelled.features, {"a": labelled.targets["a"], "b": none})
    subject = model(heads=("a", "b"))
    found = trained(settings(), subject, data=half)
    alone = SequenceModel([*subject.featurizers], subject.encoder, {"a": subject.heads[0]})
    expected = trained(settings(), alone, data=Dataset(labelled.features, {"a": labelled.targets["a"]}))
    assert distance({name: found[name] for name in expected}, expected) < EXACT


def test_empty_sequences_cost_nothing() -> None:
    lengths = list(LENGTHS)
    expected = trained(settings(batch_tokens=1000), data=dataset(lengths))
    found = trained(settings(batch_tokens=1000), data=dataset([*lengths, 0, 0]))
    assert distance(found, expected) < EXACT
    only = trained(settings(), data=dataset([0, 0]))
    assert identical(only, model().state_dict())


# --- batches that are not as the data holds them -------------------------------------------------------


def test_batches_are_planned_by_the_data_and_made_by_augment() -> None:
    """Every example is doubled: the plan stays, the rows trained and counted are twice as many."""
    data, asked = dataset(), []
    doubled = dataset([2 * length for length in LENGTHS])

    def augment(indices: Tensor, epoch: int) -> Batch:
        asked.append((epoch, sorted(indices.tolist())))
        return doubled.gather(indices)

    plain, recorder = Recorder(), Recorder()
    train = settings(epochs=2, batch_tokens=9)
    trained(train, data=data, observers={"r": plain})
    found = trained(train, data=data, augment=augment, observers={"r": recorder})
    assert [record.tokens for record in recorder.records] == [2 * record.tokens for record in plain.records]
    for epoch in (0, 1):
        batches = batches_of_epoch(data.lengths, train, epoch=epoch)
        assert [indices for at, indices in asked if at == epoch] == [sorted(b.tolist()) for b in batches]
    assert distance(found, trained(train, data=data)) > 1e-6


# --- truncated backpropagation through time ----------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru"])
def test_a_chunk_as_long_as_the_longest_sequence_is_plain_bptt(cell: Any) -> None:
    subject = model(cell=cell)
    plain = trained(settings(accumulate=2), subject)
    assert identical(trained(settings(accumulate=2, bptt=max(LENGTHS)), subject), plain)
    assert identical(trained(settings(accumulate=2, bptt=100), subject), plain)


def test_shorter_chunks_carry_the_state_and_step_once_each() -> None:
    """Compare with the same by hand: chunks of one batch, states detached, a step of SGD after each."""
    data, subject, steps = dataset(), model(), 3
    found = trained(settings(batch_tokens=1000, bptt=steps), subject, data=data)
    hands = {}
    for carry in (True, False):
        expected, state = copy.deepcopy(subject), None
        for chunk in data.gather(torch.arange(len(data))).chunks(steps):
            sums, after = expected.losses(chunk, state if carry else None)
            state = tuple(part.detach() for part in after or ())
            descend(expected, sums["tags"] / expected.counts(chunk)["tags"])
        hands[carry] = expected.state_dict()
    assert distance(found, hands[True]) < EXACT
    assert distance(found, hands[False]) > 1e-6


def test_chunks_of_accumulated_batches_step_together() -> None:
    recorder = Recorder()
    trained(settings(batch_tokens=12, accumulate=1000, bptt=3), observers={"r": recorder})
    steps = [sum(min(max(length - start, 0), 3) for length in LENGTHS) for start in (0, 3, 6)]
    assert [record.tokens for record in recorder.records] == steps


def test_bptt_needs_an_encoder_that_reads_forwards() -> None:
    message = "^train.bptt needs encoders that carry a state: they read forwards only, and none shortens$"
    with pytest.raises(ValueError, match=message):
        trainer(model(bidirectional=True), dataset(), settings(bptt=3))


def test_the_schedule_knows_how_many_steps_chunks_make() -> None:
    recorder = Recorder()
    train = settings(epochs=3, bptt=2, batch_tokens=9)
    made = trainer(model(), dataset(), train, observers={"r": recorder})
    made.fit()
    assert len(recorder.records) == made.total_steps


@pytest.mark.parametrize("lengths", [LENGTHS, (*LENGTHS, 0, 0, 0)])
def test_with_windows_of_chunks_the_schedule_ends_exactly_at_the_last_step(lengths: tuple[int, ...]) -> None:
    """Which batches share a window changes with the epoch, and with it the number of steps."""
    recorder = Recorder()
    schedule = LinearSchedule(final_factor=0.1)
    train = settings(epochs=5, bptt=2, batch_items=1, accumulate=2, schedule=schedule)
    made = trainer(model(), dataset(lengths), train, observers={"r": recorder})
    made.fit()
    rates = [record.lr for record in recorder.records]
    assert len(rates) == made.total_steps != 5 * made.steps_per_epoch
    assert rates[-1] == pytest.approx(0.01)
    assert rates == pytest.approx([0.1 - 0.09 * step / (len(rates) - 1) for step in range(len(rates))])


def test_a_bare_stack_is_an_encoder() -> None:
    with seeded(1):
        stack = RecurrentStack(RecurrentSpec(cell="gru", input_size=INPUT_SIZE, hidden_size=4))
        subject = SequenceModel([nn.Identity()], stack, {"tags": ToyHead(4, [1.0] * 4)}).double()
    recorder = Recorder()
    trainer(subject, dataset(), settings(batch_tokens=1000, bptt=3), observers={"r": recorder}).fit()
    assert len(recorder.records) == 3


# --- steps -----------------------------------------------------------------------------------------------


def test_gradients_are_clipped_to_the_norm() -> None:
    recorder = Recorder()
    start = model().state_dict()
    train = settings(batch_tokens=1000, clip_norm=0.01, optimizer=SGD(lr=1.0))
    clipped = trained(train, observers={"r": recorder})
    step = torch.cat([(clipped[name] - start[name]).flatten() for name in start])
    assert float(step.norm()) == pytest.approx(0.01, rel=1e-4)
    assert recorder.records[0].gradient_norm > 0.1, "the norm before clipping is what is told"
    free = trained(settings(batch_tokens=1000, optimizer=SGD(lr=1.0)))
    direction = torch.cat([(free[name] - start[name]).flatten() for name in start])
    assert torch.nn.functional.cosine_similarity(step, direction, dim=0) == pytest.approx(1)
    assert float(direction.norm()) == pytest.approx(recorder.records[0].gradient_norm)
    loose = trained(settings(batch_tokens=1000, clip_norm=100.0, optimizer=SGD(lr=1.0)))
    assert distance(loose, free) < EXACT


def test_the_moving_average_is_what_is_judged_and_kept() -> None:
    recorder = Recorder()
    script, evaluation = scripted(0.1, 0.3, 0.2)
    subject = model()
    trainer(
        subject, dataset(), settings(epochs=3, ema=0.8), observers={"r": recorder}, evaluation=evaluation
    ).fit()
    average = dict(recorder.weights[0])
    per_epoch, averages = len(recorder.records) // 3, []
    for number, after in enumerate(recorder.weights):
        if number:
            average = {name: 0.8 * average[name] + 0.2 * after[name] for name in average}
        averages.append(average)
    for epoch in range(3):
        assert distance(script.seen[epoch], averages[(epoch + 1) * per_epoch - 1]) < EXACT
    assert identical(subject.state_dict(), script.seen[1]), "the best of them is kept"
    assert not subject.training


def test_without_an_evaluation_the_last_average_is_kept() -> None:
    subject = model()
    made = trainer(subject, dataset(), settings(epochs=2, ema=0.8))
    made.fit()
    assert made.average is not None
    assert identical(subject.state_dict(), made.evaluated_model.state_dict())
    assert not identical(subject.state_dict(), trained(settings(epochs=2)))


def test_bf16_trains_weights_that_stay_fp32() -> None:
    recorder = Recorder()
    data, subject = dataset(dtype=torch.float32), model(dtype=torch.float32, bidirectional=True)
    train = settings(epochs=30, precision="bf16", optimizer=Adam(lr=0.02))
    trainer(subject, data, train, observers={"r": recorder}).fit()
    losses = [record.loss for record in recorder.records]
    assert losses[-1] < losses[0] / 2
    assert {tensor.dtype for tensor in subject.state_dict().values()} == {torch.float32}
    full = trained(settings(epochs=1), model(dtype=torch.float32), data=data)
    half = trained(settings(epochs=1, precision="bf16"), model(dtype=torch.float32), data=data)
    assert 0 < distance(half, full) < 0.01


# --- evaluation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_the_best_weights_are_kept_and_training_stops_early(sign: int) -> None:
    script, evaluation = scripted(
        *(sign * value for value in (1, 3, 2, 3, 2.5, 9)), higher_is_better=sign > 0
    )
    subject = model()
    made = trainer(
        subject,
        dataset(),
        settings(epochs=6, early_stopping=EarlyStopping(patience=3)),
        evaluation=evaluation,
    )
    made.fit()
    assert len(script.seen) == made.progress.epoch == 5
    assert identical(subject.state_dict(), script.seen[1])
    assert (made.progress.best_epoch, made.progress.best_value) == (2, sign * 3)
    assert made.progress.best_step == sum(
        steps_of_epoch(made.job.data.lengths, made.settings, epoch=epoch) for epoch in (0, 1)
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_an_improvement_below_min_delta_is_kept_but_does_not_prolong_the_wait(sign: int) -> None:
    script, evaluation = scripted(*(sign * value for value in (1, 1.4, 1.8, 9)), higher_is_better=sign > 0)
    stopping, subject = EarlyStopping(patience=2, min_delta=1.0), model()
    made = trainer(subject, dataset(), settings(epochs=4, early_stopping=stopping), evaluation=evaluation)
    made.fit()
    assert (made.progress.epoch, made.progress.best_epoch) == (3, 3)
    assert made.progress.best_value == sign * 1.8
    assert identical(subject.state_dict(), script.seen[2])


def test_small_improvements_that_add_up_to_min_delta_do_prolong_the_wait() -> None:
    _, evaluation = scripted(1, 1.6, 2.2, 2.8, 3.0)
    stopping = EarlyStopping(patience=2, min_delta=1.0)
    made = trainer(model(), dataset(), settings(epochs=9, early_stopping=stopping), evaluation=evaluation)
    made.fit()
    assert made.progress.epoch == 5, "2.2 is a step beyond 1, and 3.0 none beyond 2.2"


def test_figures_that_are_no_numbers_do_not_prolong_the_wait() -> None:
    script, evaluation = scripted(*[float("nan")] * 3)
    stopping, subject = EarlyStopping(patience=2), model()
    made = trainer(subject, dataset(), settings(epochs=9, early_stopping=stopping), evaluation=evaluation)
    made.fit()
    assert (made.progress.epoch, made.progress.best_epoch) == (3, 1)
    assert identical(subject.state_dict(), script.seen[0])


def test_a_first_figure_that_is_no_number_is_beaten_by_any() -> None:
    script, evaluation = scripted(float("nan"), 0.1, float("nan"), 0.05)
    subject = model()
    trainer(subject, dataset(), settings(epochs=4), evaluation=evaluation).fit()
    assert identical(subject.state_dict(), script.seen[1])


def test_evaluations_come_every_so_many_epochs_and_at_the_end() -> None:
    recorder = Recorder()
    _, evaluation = scripted(1, 2, 3)
    trained(settings(epochs=5, evaluate_every=2), observers={"r": recorder}, evaluation=evaluation)
    finished = [event[1:] for event in recorder.events if event[0] == "epoch_finished"]
    assert finished == [(1, {}), (2, {"score": 1}), (3, {}), (4, {"score": 2}), (5, {"score": 3})]


class StopsAfter(Observer):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        if record["epoch"] == self.epoch:
            trainer.stop()


def test_the_last_epoch_is_evaluated_also_where_its_end_made_it_the_last(tmp_path: Path) -> None:
    train = settings(epochs=9, evaluate_every=2)
    saver, recorder, subject = Saver(tmp_path), Recorder(), model()
    script, evaluation = scripted(1, 2)
    watching: dict[str, Observer] = {"stops": StopsAfter(3), "saver": saver, "r": recorder}
    made = trainer(subject, dataset(), train, observers=watching, evaluation=evaluation)
    made.fit()
    assert (made.progress.epoch, made.progress.best_epoch, made.metrics) == (3, 3, {"score": 2})
    assert identical(subject.state_dict(), script.seen[1])
    assert recorder.events[-3:] == ["evaluated", ("savepoint", "epoch"), "training_finished"]
    # Resumed before that evaluation it is made up for, and after it not repeated.
    for place, due in ((-2, [2]), (-1, [])):
        again, (script, evaluation) = model(), scripted(*due)
        resumed = trainer(again, dataset(), train, evaluation=evaluation)
        resumed.restore(*saver.load(range(len(saver.reasons))[place]))
        resumed.fit()
        assert len(script.seen) == len(due)
        assert identical(again.state_dict(), subject.state_dict())


def test_a_plateau_cuts_the_rate() -> None:
    recorder = Recorder()
    _, evaluation = scripted(1, 1, 1, 2, 2)
    train = settings(epochs=5, schedule=PlateauSchedule(factor=0.5, patience=0))
    made = trainer(model(), dataset(), train, observers={"r": recorder}, evaluation=evaluation)
    made.fit()
    assert isinstance(made.schedule, ReduceLROnPlateau)
    assert recorder.rates == pytest.approx([0.1, 0.05, 0.025, 0.025, 0.0125])


def test_a_schedule_begins_and_ends_where_it_says() -> None:
    recorder = Recorder()
    schedule = OneCycleSchedule(rise=0.5, start_factor=0.2, final_factor=0.1)
    trained(settings(epochs=3, schedule=schedule), observers={"r": recorder})
    rates = [record.lr for record in recorder.records]
    assert rates[0] == pytest.approx(0.02)
    assert rates[-1] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("values", [{"early_stopping": EarlyStopping()}, {"schedule": PlateauSchedule()}])
def test_what_watches_a_metric_needs_an_evaluation(values: dict[str, Any]) -> None:
    message = "^train.early_stopping and the plateau schedule need a dev split to watch$"
    with pytest.raises(ValueError, match=message):
        trainer(model(), dataset(), settings(**values))


def test_there_must_be_something_to_train_on() -> None:
    with pytest.raises(ValueError, match=r"^there is nothing to train on: the data set is empty$"):
        trainer(model(), dataset([]), settings())
