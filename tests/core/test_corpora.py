"""Which texts there are, and the arithmetic of their shares."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import DataConfig
from gpt_studio.core.corpora import LEAST_SHARE, has_dialogues, shares, weights_after, with_share

WEIGHTS = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=6)
ANY_SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=6)


@given(WEIGHTS)
def test_shares_add_up_to_one_in_proportion(weights):
    found = shares(weights)
    assert sum(found) == pytest.approx(1)
    assert found[0] * weights[1] == pytest.approx(found[1] * weights[0])


@given(ANY_SHARES, st.data(), st.floats(-1, 2))
def test_a_share_is_as_wished_and_leaves_weights_that_can_be_used(before, data, wish):
    index = data.draw(st.integers(0, len(before) - 1))
    after = with_share(before, index, wish)
    most = 1 - (len(before) - 1) * LEAST_SHARE
    assert after[index] == pytest.approx(min(max(wish, LEAST_SHARE), most))
    assert sum(after) == pytest.approx(1)
    names = tuple(map(str, range(len(after))))
    assert not DataConfig(corpora=names, weights=after).problems()


@given(WEIGHTS, st.data())
def test_the_other_shares_keep_their_order(before, data):
    index = data.draw(st.integers(0, len(before) - 1))
    after = with_share(shares(before), index, 0.4)
    for a, b in combinations([at for at in range(len(before)) if at != index], 2):
        assert (before[a] < before[b]) == (after[a] < after[b]) or after[a] == pytest.approx(after[b])


def test_other_shares_divide_the_rest_as_before():
    assert with_share((0.6, 0.25, 0.15), 0, 0.2) == pytest.approx((0.2, 0.5, 0.3), abs=2e-3)


def test_a_new_corpus_gets_the_mean_and_one_that_goes_leaves_its_share_to_the_others():
    assert weights_after("ab", (3, 1), "abc") == pytest.approx((0.5, 1 / 6, 1 / 3))
    assert weights_after("abc", (0.6, 0.25, 0.15), "ac") == pytest.approx((0.8, 0.2))
    assert weights_after("ab", (3, 1), "ba") == pytest.approx((0.25, 0.75))


def test_by_size_stays_by_size_and_one_corpus_needs_no_share():
    assert weights_after("ab", (), "abc") == ()
    assert weights_after("ab", (3, 1), "a") == ()
    assert weights_after("ab", (3, 1), "cd") == ()


def test_dialogues_may_be_in_the_small_world_and_in_json_lines():
    assert has_dialogues(("python-library", "world"))
    assert has_dialogues(("/texts/Chats.JSONL",))
    assert has_dialogues(("/texts/chats.parquet",))
    assert not has_dialogues(("python-library", "/texts/world", "/texts/notes.txt"))
