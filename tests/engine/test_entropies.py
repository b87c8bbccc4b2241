"""What counting leaves open: right for texts of known entropy, honest for short ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import DataConfig
from gpt_studio.engine.data import prepare
from gpt_studio.engine.entropies import LEAST, entropies
from gpt_studio.engine.reading import Stream, Tokens

NOTHING = Tokens.of(np.empty(0, np.uint16))


def uniform(count, vocab, seed=0):
    return Tokens.of(np.random.default_rng(seed).integers(vocab, size=count).astype(np.uint16))


def chain(count, odds, seed=0):
    """Tokens of which each depends on the one before: a row of `odds` for each."""
    dice = np.random.default_rng(seed).random(count)
    edges = np.cumsum(odds, axis=1).tolist()
    ids = [0]
    for roll in dice:
        ids.append(next(place for place, edge in enumerate(edges[ids[-1]]) if roll < edge))
    return Tokens.of(np.array(ids, np.uint16))


def test_a_chain_of_known_entropy():
    odds = np.array([[0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    often = np.linalg.matrix_power(odds, 200)[0]
    logs = np.log(np.where(odds > 0, odds, 1))
    unigram, bigram, context = entropies(chain(40_000, odds), chain(20_000, odds, 1), 3)
    assert unigram == pytest.approx(-(often * np.log(often)).sum(), abs=0.01)
    assert bigram == pytest.approx(-(often[:, None] * odds * logs).sum(), abs=0.01)
    assert bigram - 0.001 < context + 0.001 < bigram + 0.01  # there is no more to know


@given(st.integers(2, 5000), st.integers(2 * LEAST, 20_000))
def test_no_entropy_where_nothing_can_be_known_is_below_the_truth(vocab, count):
    """Pairs of a large vocabulary in a short text: nearly each occurs once, and says nothing."""
    for entropy in entropies(uniform(count, vocab), uniform(5 * LEAST, vocab, 1), vocab):
        assert math.log(vocab) * 0.999 < entropy < math.log(vocab) * 1.35 + 0.1


def test_what_follows_for_sure_is_known():
    cycle = Tokens.of(np.tile(np.arange(50, dtype=np.uint16), 200))
    unigram, bigram, context = entropies(cycle, cycle, 50)
    assert unigram == pytest.approx(math.log(50), abs=0.01)
    assert bigram < 0.05
    assert context <= bigram


def test_what_longer_sequences_tell_is_known():
    """Each token is the sum of the two before it: pairs say nothing of it."""
    ids = np.random.default_rng(0).integers(11, size=90_000).astype(np.uint16)
    ids[2::3] = (ids[::3] + ids[1::3]) % 11
    text = Tokens.of(ids)
    _, bigram, context = entropies(text, NOTHING, 11)
    assert bigram > math.log(11) * 0.99
    assert context < math.log(11) * 0.95


def test_nothing_held_out_is_as_if_something_were():
    odds = [[0.9, 0.1], [0.3, 0.7]]
    whole = entropies(chain(40_000, odds), NOTHING, 2)
    assert whole == pytest.approx(entropies(chain(40_000, odds), chain(20_000, odds, 1), 2), abs=0.02)


def test_of_too_little_text_nothing_is_said():
    assert entropies(NOTHING, NOTHING, 10) == (0, 0, 0)
    assert entropies(uniform(LEAST, 10), NOTHING, 10) == (0, 0, 0)


def test_a_mixture_is_counted_in_its_shares():
    ones, noise = np.ones(30_000, np.uint16), np.random.default_rng(0).integers(100, size=30_000)
    streams = [Stream.of(ones), Stream.of(noise.astype(np.uint16))]
    mostly_ones = Tokens(streams, (9, 1))
    mostly_noise = Tokens(streams, (1, 9))
    assert entropies(mostly_ones, mostly_ones, 100)[1] < 1 < 3 < entropies(mostly_noise, mostly_noise, 100)[1]


def test_the_report_tells_them(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path / "home"))
    text = tmp_path / "a.txt"
    text.write_text("abcd" * 5000, encoding="utf-8")
    work = prepare(DataConfig(corpora=(str(text),), tokenizer="bytes"))
    while True:
        try:
            next(work)
        except StopIteration as stop:
            report = stop.value.report
            break
    assert report.unigram == pytest.approx(math.log(4), abs=0.01)
    assert 0 < report.bigram < 0.02
