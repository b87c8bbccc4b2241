"""What is learned and what is held out never meet, and contents alone decide."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.engine.split import HELD_OUT, LEARNED, SPLIT, hold_out, keep_some

shares = st.sampled_from([0.01, 0.1, 0.25, 0.5])
documents = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), min_size=1, max_size=20)


def held_out(found, share):
    """The fate of documents, each with its digest and bytes."""
    digests, sizes = (np.array(column, np.uint64) for column in zip(*found, strict=True))
    return hold_out(digests, sizes, share)


def dice(count, seed=0):
    """Different documents whose sizes differ a hundredfold."""
    drawn = random.Random(seed)
    return [(drawn.getrandbits(64), int(10 ** drawn.uniform(1, 3))) for _ in range(count)]


@given(found=documents, share=shares, order=st.randoms())
def test_the_split_depends_on_the_texts_alone(found, share, order):
    places = order.sample(range(len(found)), len(found))
    fates = held_out(found, share)
    assert held_out([found[place] for place in places], share).tolist() == fates[places].tolist()


@given(found=documents, share=shares)
def test_copies_share_their_fate_and_something_is_left_to_learn(found, share):
    fates = held_out(found, share)
    assert len({*zip([digest for digest, _ in found], fates.tolist(), strict=True)}) == len(dict(found))
    assert (fates != HELD_OUT).any()


@given(found=documents, share=shares, corpora=st.lists(st.integers(1, 5), min_size=20, max_size=20))
def test_of_every_corpus_something_is_learned(found, share, corpora):
    before = held_out(found, share)
    fates = before.copy()
    digests = np.array([digest for digest, _ in found], np.uint64)
    ends = [end for end in np.cumsum(corpora).tolist() if end < len(found)]
    keep_some(fates, digests, np.diff([0, *ends, len(found)]).tolist())
    each = np.split(fates, ends)
    assert all((some != HELD_OUT).any() for some in each)
    assert {*fates[fates != before].tolist()} <= {SPLIT}
    assert len({*zip(digests.tolist(), fates.tolist(), strict=True)}) == len({*digests.tolist()})
    if all((some != HELD_OUT).any() for some in np.split(before, ends)):
        assert fates.tolist() == before.tolist()


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=40), share=shares)
def test_about_the_share_is_held_out(sizes, share):
    fates = held_out(list(enumerate(sizes)), share)
    given_whole = sum(size for size, fate in zip(sizes, fates, strict=True) if fate == HELD_OUT)
    rest = sum(size for size, fate in zip(sizes, fates, strict=True) if fate != SPLIT)
    assert 0.5 * share * rest <= given_whole <= 1.5 * share * rest


@pytest.mark.parametrize("seed", range(5))
def test_many_documents_are_held_out_whole_and_near_the_share(seed):
    found = dice(300, seed)
    fates = held_out(found, 0.1)
    sizes = np.array([size for _, size in found])
    assert set(fates.tolist()) == {LEARNED, HELD_OUT}
    assert 0.08 < sizes[fates == HELD_OUT].sum() / sizes.sum() < 0.12


def test_copies_are_one_document_of_their_size_together():
    found = [*dice(200), *[(7, 500)] * 100]
    assert held_out(found, 0.1)[-1] == SPLIT  # too much of the whole to be held out


def test_a_giant_gives_its_end_and_the_others_their_share():
    fates = held_out([(7, 100_000), *dice(50)], 0.1)
    assert fates[0] == SPLIT
    assert 0 < np.count_nonzero(fates[1:] == HELD_OUT) < 15


def test_nothing_is_held_out_when_nothing_is_wanted():
    assert not held_out(dice(5), 0.0).any()


def test_one_more_document_changes_the_fate_of_few():
    found = dice(1000)
    before, after = (held_out(some, 0.1) for some in (found, [*found, (99, 300)]))
    assert np.count_nonzero(before != after[:-1]) <= 10
