"""Batches come in an order that can begin anywhere, from tokens that lie anywhere."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from gpt_studio.core.errors import StudioError
from gpt_studio.engine import reading
from gpt_studio.engine.reading import (
    BLOCK,
    Stream,
    Tokens,
    apportion,
    batch,
    shuffled,
    validation_batches,
)


def stream(length, first=0):
    """Tokens that tell their place."""
    return Stream.of(np.arange(first, first + length, dtype=np.uint16))


def tokens(length):
    return Tokens([stream(length)])


def mixture(lengths, weights):
    """Streams whose tokens tell the stream and the place."""
    return Tokens([stream(length, 10_000 * n) for n, length in enumerate(lengths)], weights)


# ---------------------------------------------------------------- ranges read as one


ranges = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50), st.integers(0, 50)), max_size=12)


@given(found=ranges, positions=st.lists(st.integers(0, 2000), max_size=30), length=st.integers(1, 70))
def test_ranges_are_read_as_one_array_closed_to_a_ring(found, positions, length):
    sources = [np.arange(50, dtype=np.uint16) + 100 * n for n in range(3)]
    made = Stream(sources, np.array(found, np.int64).reshape(-1, 3))
    whole = np.concatenate([np.empty(0, np.uint16), *(sources[n][a:b] for n, a, b in found)])
    assert len(made) == len(whole)
    assert made.dtype == np.uint16
    if len(whole):
        starts = np.array(positions, np.int64)
        expected = whole.take(starts[:, None] + np.arange(length), mode="wrap")
        assert made.take(starts).tolist() == whole.take(starts, mode="wrap").tolist()
        assert made.windows(starts, length).tolist() == expected.tolist()
        twice = Stream.joined([made, made])
        assert (
            twice.windows(starts, length).tolist()
            == np.tile(whole, 2).take(starts[:, None] + np.arange(length), mode="wrap").tolist()
        )


def test_ranges_that_follow_one_another_are_one():
    made = Stream([np.arange(100)], np.array([[0, 0, 10], [0, 10, 30], [0, 30, 30], [0, 50, 60]]))
    assert made._begins.tolist() == [0, 50]


# ---------------------------------------------------------------- an order without memory


@given(count=st.integers(1, 3000), key=st.tuples(st.integers(0, 2**31), st.integers(0, 99)))
def test_every_place_comes_once(count, key):
    found = shuffled(np.arange(count), count, key)
    assert sorted(found.tolist()) == list(range(count))


@given(count=st.integers(2**40, 2**50), places=st.lists(st.integers(0, 2**40 - 1), min_size=1, max_size=20))
def test_places_of_an_order_too_large_for_memory_are_found_at_once(count, places):
    found = shuffled(np.array(places), count, (1, 2))
    assert ((found >= 0) & (found < count)).all()
    assert len(set(found.tolist())) == len(set(places))
    assert found[0] == shuffled(np.array(places[:1]), count, (1, 2))[0]


def test_orders_look_drawn():
    places = np.arange(10_000)
    one, two = (shuffled(places, 10_000, key) for key in ((1, 0), (1, 1)))
    assert abs(np.corrcoef(places, one)[0, 1]) < 0.05
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.05
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.05
    firsts = [int(shuffled(np.array([0]), 10, (seed,))[0]) for seed in range(2000)]
    assert np.bincount(firsts, minlength=10).min() > 130  # 200 each


# ---------------------------------------------------------------- batches


@given(
    length=st.integers(2, 600),
    context=st.integers(1, 64),
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 2**31 - 1),
    epochs=st.integers(1, 3),
)
def test_an_epoch_sees_every_window_once(length, context, batch_size, seed, epochs):
    assume(length > context)
    windows = length // context
    batches = -(-epochs * windows // batch_size)
    found = [batch(tokens(length), context, batch_size, seed, index) for index in range(batches)]
    x = torch.cat([x for x, _ in found])[: epochs * windows]
    y = torch.cat([y for _, y in found])[: epochs * windows]
    assert torch.equal(y, (x + 1) % length)
    for epoch in x.split(windows):
        assert len(epoch.unique()) == windows * context


def test_batches_are_whole_numbers_of_the_right_shape():
    x, y = batch(tokens(1000), 32, 8, seed=1, index=5)
    assert x.shape == y.shape == (8, 32)
    assert x.dtype == y.dtype == torch.int64
    assert (x < 1000).all()


@pytest.mark.parametrize("source", [tokens(1000), mixture([1000, 300], [0.7, 0.3])])
def test_any_batch_is_the_same_whatever_was_asked_before(source):
    straight = [batch(source, 100, 4, 7, index) for index in range(300)]  # over the ends of epochs and blocks
    for index in (299, 3, 0, 12, 251, 250, 299):
        reading._round_keys.cache_clear()
        reading._block.cache_clear()
        batch(source, 50, 4, 8, 1)
        assert all(map(torch.equal, batch(source, 100, 4, 7, index), straight[index]))


def test_epochs_and_seeds_differ():
    one, two = (batch(tokens(1000), 50, 20, 7, index)[0] for index in (0, 1))
    assert not torch.equal(one, two)
    assert set((one % 50)[:, 0].tolist()) != set((two % 50)[:, 0].tolist())  # the phase moves too
    assert not torch.equal(one, batch(tokens(1000), 50, 20, 8, 0)[0])


def test_a_batch_may_be_larger_than_an_epoch():
    x, y = batch(tokens(5), 4, 64, seed=0, index=3)
    assert x.shape == (64, 4)
    assert len(x[:, 0].unique()) == 5  # every phase comes
    assert torch.equal(y, (x + 1) % 5)


@pytest.mark.parametrize(
    ("length", "context", "numbers", "fits"),
    [
        (812, 1024, "812 of 1\u202f024", 512),
        (1024, 1024, "1\u202f024 of 1\u202f025", 512),
        (3, 64, "3 of 64", 2),
    ],
)
def test_too_little_text_names_the_context_that_fits(length, context, numbers, fits):
    with pytest.raises(StudioError) as caught:
        batch(tokens(length), context, 1, 0, 0)
    error = caught.value
    assert error.what == f"The corpus is shorter than one context ({numbers} tokens)."
    assert error.tries == f"Add text, or use context {fits}."
    assert error.remedies[0].changes == {"max_length": fits}
    batch(tokens(length), fits, 1, 0, 0)
    with pytest.raises(StudioError):
        batch(tokens(length), 2 * fits, 1, 0, 0)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_next_to_no_text_has_no_context_that_fits(length):
    with pytest.raises(StudioError) as caught:
        batch(tokens(length), 16, 1, 0, 0)
    assert caught.value.tries == "Add text."
    assert not caught.value.remedies


# ---------------------------------------------------------------- mixtures


@given(
    total=st.integers(1, 500),
    weights=st.lists(st.floats(0.001, 1), min_size=1, max_size=6),
    limits=st.lists(st.integers(0, 100), min_size=6, max_size=6),
)
def test_shares_are_whole_and_near_what_was_wished(total, weights, limits):
    exact = [total * weight / sum(weights) for weight in weights]
    found = apportion(total, weights)
    assert sum(found) == total
    assert all(abs(n - wanted) < len(weights) for n, wanted in zip(found, exact, strict=True))
    limits = limits[: len(weights)]
    limited = apportion(total, weights, limits)
    assert sum(limited) == min(total, sum(limits))
    assert all(n <= limit for n, limit in zip(limited, limits, strict=True))


def test_whole_percents_are_met_exactly():
    assert apportion(BLOCK, [0.6, 0.3, 0.1]) == (600, 300, 100)
    assert apportion(BLOCK, [0.999, 0.001], least=1) == (999, 1)
    assert apportion(BLOCK, [1, 1e-9], least=1) == (999, 1)


def test_a_mixture_keeps_its_shares_in_every_block():
    source = mixture([5000, 300, 40], [0.5, 0.3, 0.2])
    assert source.shares == (500, 300, 200)
    x = torch.cat([batch(source, 10, 50, 3, index)[0] for index in range(60)])
    for block in (x[:, 0] // 10_000).split(BLOCK):
        assert torch.bincount(block).tolist() == [500, 300, 200]
    first_half, second_half = (
        torch.bincount(half)[0] for half in (x[:500, 0] // 10_000, x[500:1000, 0] // 10_000)
    )
    assert abs(int(first_half) - int(second_half)) < 100  # mixed inside a block, too


def test_each_part_of_a_mixture_has_epochs_of_its_own():
    source = mixture([5000, 300], [0.5, 0.5])
    x, y = (torch.cat(side) for side in zip(*(batch(source, 10, 50, 3, i) for i in range(40)), strict=True))
    for part, length in ((0, 5000), (1, 300)):
        mine = x[x[:, 0] // 10_000 == part] - 10_000 * part
        after = y[x[:, 0] // 10_000 == part] - 10_000 * part
        assert torch.equal(after, (mine + 1) % length)
        for epoch in mine[: len(mine) // (length // 10) * (length // 10)].split(length // 10):
            assert len(epoch.unique()) == length


def test_a_part_shorter_than_a_context_is_read_round_and_round():
    source = mixture([5000, 7], [0.5, 0.5])
    x, _ = batch(source, 10, 50, 3, 0)
    small = x[x[:, 0] >= 10_000] - 10_000
    assert torch.equal(small[:, 1:], (small[:, :-1] + 1) % 7)


def test_an_empty_part_leaves_its_share_to_the_others():
    source = mixture([5000, 0, 50], [0.5, 0.4, 0.1])
    assert source.parts == pytest.approx((0.833, 0.0, 0.167))
    assert torch.equal(
        batch(source, 10, 5, 0, 0)[0], batch(mixture([5000, 0, 50], [5, 9, 1]), 10, 5, 0, 0)[0]
    )


def test_a_mixture_of_nothing_gives_nothing():
    assert validation_batches(mixture([0, 0], [0.5, 0.5]), 10, 5, 10) == []
    with pytest.raises(StudioError, match="shorter than one context"):
        batch(mixture([0, 0], [0.5, 0.5]), 10, 5, 0, 0)


# ---------------------------------------------------------------- validation


@given(
    length=st.integers(0, 600),
    context=st.integers(1, 64),
    batch_size=st.integers(1, 9),
    count=st.integers(0, 9),
)
def test_validation_windows_are_fixed_and_do_not_overlap(length, context, batch_size, count):
    found = validation_batches(tokens(length), context, batch_size, count)
    assert len(found) <= count
    assert len({x.shape for x, _ in found}) <= 1
    windows = max(0, length - 1) // context
    if windows < batch_size:
        assert [len(x) for x, _ in found] == [windows] * (windows > 0 and count > 0)
    else:
        assert [len(x) for x, _ in found] == [batch_size] * min(count, windows // batch_size)
    if found:
        x, y = (torch.cat(side) for side in zip(*found, strict=True))
        assert torch.equal(y, x + 1)
        assert len(x.unique()) == x.numel()


def test_validation_windows_are_spread_over_the_whole_text():
    found = torch.cat([x for x, _ in validation_batches(tokens(10_001), 10, 2, 5)])
    assert found[0, 0] == 0
    assert found[-1, -1] == 9_999
    steps = found[1:, 0] - found[:-1, 0]
    assert steps.max() - steps.min() <= 1


def test_the_validation_of_a_mixture_keeps_its_shares_where_there_is_enough():
    source = mixture([5000, 5000, 25], [0.5, 0.3, 0.2])
    found = torch.cat([x for x, _ in validation_batches(source, 10, 5, 10)])
    assert torch.bincount(found[:, 0] // 10_000).tolist() == [30, 18, 2]  # 25 tokens have two windows
    assert len(found.unique()) == found.numel()
