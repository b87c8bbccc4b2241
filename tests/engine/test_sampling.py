"""Each sampling control does what its label says, for any logits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import SampleConfig
from gpt_studio.engine.sampling import (
    apply_temperature,
    draw,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    probabilities,
)

numbers = st.floats(-50, 50, width=32)
logit_lists = st.lists(numbers, min_size=2, max_size=40).map(torch.tensor)
PLAIN = SampleConfig(temperature=1.0, top_k=0, top_p=1.0, repetition=1.0)


def kept(logits: torch.Tensor) -> set[int]:
    return set(torch.nonzero(logits > -math.inf).flatten().tolist())


@given(logit_lists)
def test_nothing_set_is_the_softmax(logits):
    torch.testing.assert_close(probabilities(logits, PLAIN), logits.softmax(0))


@given(logit_lists, st.floats(0, 5), st.integers(0, 50), st.floats(0.01, 1), st.floats(0.5, 2))
def test_any_setting_gives_a_distribution(logits, temperature, top_k, top_p, repetition):
    config = SampleConfig(temperature=temperature, top_k=top_k, top_p=top_p, repetition=repetition)
    chances = probabilities(logits, config, recent_ids=[0, 1, 1])
    assert torch.isfinite(chances).all()
    assert float(chances.sum()) == pytest.approx(1, abs=1e-4)
    assert 0 < int((chances > 0).sum()) <= (top_k or len(logits))


@given(logit_lists)
def test_temperature_zero_takes_the_likeliest(logits):
    chances = probabilities(logits, PLAIN.changed(temperature=0.0))
    assert chances[logits.argmax()] == 1


def test_temperature_sharpens_and_flattens():
    logits = torch.tensor([2.0, 1.0, 0.0])
    cold, warm, hot = (apply_temperature(logits, t).softmax(0)[0] for t in (0.5, 1.0, 2.0))
    assert cold > warm > hot


@given(logit_lists, st.integers(1, 50))
def test_top_k_keeps_exactly_the_k_likeliest(logits, k):
    chosen = kept(keep_top_k(logits, k))
    left_out = [float(logits[i]) for i in range(len(logits)) if i not in chosen]
    assert len(chosen) == min(k, len(logits))
    assert min(float(logits[i]) for i in chosen) >= max(left_out, default=-math.inf)


@given(logit_lists, st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_that_reach_p(logits, p):
    chances = logits.double().softmax(0)
    chosen = kept(keep_top_p(logits, p))
    total = sum(float(chances[i]) for i in chosen)
    assert total >= p - 1e-5
    assert total - min(float(chances[i]) for i in chosen) < p + 1e-5


def test_top_p_counts_the_token_that_crosses_p():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert kept(keep_top_p(logits, 0.4)) == {0}
    assert kept(keep_top_p(logits, 0.6)) == {0, 1}
    assert kept(keep_top_p(logits, 0.9)) == {0, 1, 2}
    assert kept(keep_top_p(logits, 1.0)) == {0, 1, 2, 3}


def test_repetition_weakens_seen_tokens_of_either_sign():
    logits = torch.tensor([2.0, -2.0, 1.0])
    assert penalize_repetition(logits, 2.0, [0, 1, 1]).tolist() == [1.0, -4.0, 1.0]
    assert penalize_repetition(logits, 0.5, [0, 1]).tolist() == [4.0, -1.0, 1.0]
    assert penalize_repetition(logits, 2.0, []).tolist() == logits.tolist()
    assert logits.tolist() == [2.0, -2.0, 1.0]


def test_draws_follow_the_chances_and_the_seed():
    chances = torch.tensor([0.1, 0.6, 0.3])
    generator = torch.Generator().manual_seed(1)
    drawn = [draw(chances, generator) for _ in range(3000)]
    assert drawn.count(1) / 3000 == pytest.approx(0.6, abs=0.04)
    generator.manual_seed(1)
    assert [draw(chances, generator) for _ in range(50)] == drawn[:50]


def test_drawing_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    draw(torch.tensor([0.5, 0.5]), torch.Generator().manual_seed(3))
    assert torch.equal(before, torch.get_rng_state())
