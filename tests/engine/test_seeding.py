from __future__ import annotations

import torch
from torch import nn

from seqlab.engine.seeding import DrawnApart, derived_seed, restore_rng, rng_state, seeded


def test_seeds_differ_by_seed_and_purpose_and_are_the_same_for_ever() -> None:
    seeds = [derived_seed(1, "weights"), derived_seed(1, "batches", 0), derived_seed(1, "batches", 1)]
    seeds += [derived_seed(2, "weights"), derived_seed(11, "weights"), derived_seed(1, "batches", "0")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    # Pinned: another value would break the resumption of every run that is under way.
    assert derived_seed(1, "weights") == 1528667319906443432


def test_a_seeded_block_repeats_and_leaves_the_host_alone() -> None:
    before = torch.get_rng_state()
    with seeded(5):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    with seeded(5):
        assert torch.equal(torch.rand(3), first)
    with seeded(6):
        assert not torch.equal(torch.rand(3), first)


def test_the_hosts_generator_comes_back_after_an_error() -> None:
    before = torch.get_rng_state()
    try:
        with seeded(5):
            torch.rand(1)
            raise RuntimeError
    except RuntimeError:
        pass
    assert torch.equal(torch.get_rng_state(), before)


def test_the_generators_go_on_from_a_restored_state() -> None:
    with seeded(5):
        state = rng_state()
        first = torch.rand(3)
        restore_rng(state)
        assert torch.equal(torch.rand(3), first)


def drawn() -> list[torch.Tensor]:
    """Draw in every way that modules draw in when they are made."""
    tables = [torch.rand(3), torch.randn(2, 2), torch.randperm(5), torch.randint(9, (4,))]
    tables += [torch.empty(3).normal_(), torch.empty(3).uniform_(-1, 1), torch.rand_like(tables[0])]
    tables += [torch.randn_like(input=tables[0], memory_format=torch.preserve_format)]
    tables += [nn.init.orthogonal_(torch.empty(3, 3)), nn.init.trunc_normal_(torch.empty(4))]
    return tables


def test_what_is_drawn_apart_repeats_and_no_generator_of_the_process_notices() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    with DrawnApart():
        first = drawn()
        nn.LSTM(3, 4, num_layers=2)
        nn.Embedding(5, 3)
        nn.Linear(3, 4)
    assert torch.equal(torch.get_rng_state(), before)
    with DrawnApart():
        again = drawn()
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not any(torch.equal(one, one.new_zeros(one.shape)) for one in first)


def test_a_generator_that_is_given_is_the_one_that_draws() -> None:
    with DrawnApart():
        found = torch.rand(3, generator=torch.Generator().manual_seed(3))
    assert torch.equal(found, torch.rand(3, generator=torch.Generator().manual_seed(3)))
