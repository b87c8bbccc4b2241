"""Near duplicates are found by their sketches, and nothing else is."""

from __future__ import annotations

import tracemalloc
from itertools import islice
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_studio.core.chat import Template
from gpt_studio.core.world import documents
from gpt_studio.engine import sketch as sketches
from gpt_studio.engine.sketch import (
    BINS,
    BLOCK,
    SHORT,
    WINDOW,
    Sketch,
    Sketcher,
    near_duplicates,
    repeats,
    sketch,
)

SIZES = st.one_of(
    st.integers(0, 3 * SHORT), st.sampled_from((WINDOW, SHORT, BLOCK - 1, BLOCK, 2 * BLOCK + 7))
)


def noise(random: Random, size: int) -> bytes:
    return random.randbytes(size)


def words(random: Random, count: int) -> list[str]:
    return ["".join(random.choices("abcdefghij", k=random.randint(2, 8))) for _ in range(count)]


def edited(text: list[str], share: float, random: Random) -> list[str]:
    """The same words but for some that are others."""
    return [random.choice(text[:50]) + "x" if random.random() < share else word for word in text]


def all_sketches(texts: list[bytes]) -> Sketch:
    sketcher = Sketcher()
    for text in texts:
        sketcher.add(text)
    return sketcher.finish()


def pieces(text: bytes) -> set[bytes]:
    return {text[place : place + WINDOW] for place in range(len(text) - WINDOW + 1)}


def agreement(first: Sketch, second: Sketch) -> float:
    return float(np.mean(first.view(np.uint8) == second.view(np.uint8)))


# ---------------------------------------------------------------- sketches


@given(st.lists(SIZES, max_size=6), st.integers(0, 2**32), st.integers(1, BLOCK))
@settings(max_examples=25, deadline=None)
def test_a_document_has_one_sketch_however_it_comes(sizes, seed, step):
    random = Random(seed)
    texts = [noise(random, size) for size in sizes]
    sketcher = Sketcher()
    for text in texts:
        cuts = range(0, len(text), step)
        for start in cuts:
            sketcher.add(text[start : start + step], ends=False)
        sketcher.add(b"")
    alone = [sketch([text])[0] for text in texts]
    found = sketcher.finish()
    assert found.shape == (len(texts), BINS // 8)
    assert np.array_equal(found, np.array(alone, np.uint64).reshape(found.shape))
    assert np.array_equal(all_sketches(texts), found)


def test_no_place_is_lost_between_blocks(monkeypatch):
    texts = [noise(Random(seed), 600) for seed in range(10)]
    whole = all_sketches(texts)
    monkeypatch.setattr(sketches, "BLOCK", 24)
    sketcher = Sketcher()
    for text in texts:
        for start in range(0, 600, 50):
            sketcher.add(text[start : start + 50], ends=start == 550)
    assert np.array_equal(sketcher.finish(), whole)


def test_sketches_agree_as_much_as_their_documents():
    random = Random(1)
    original = words(random, 3000)
    text = " ".join(original).encode()
    for share in (0.0, 0.01, 0.05, 0.2, 1.0):
        other = " ".join(edited(original, share, random)).encode()
        shared, either = pieces(text) & pieces(other), pieces(text) | pieces(other)
        spread = 4 * np.sqrt(0.25 / BINS)  # four standard deviations at most
        assert agreement(sketch([text]), sketch([other])) == pytest.approx(
            len(shared) / len(either), abs=spread
        )


def test_a_sketch_forgets_the_document_before():
    sketcher = Sketcher()
    sketcher.add(bytes(2 * BLOCK), ends=False)
    sketcher.add(b"end")
    first = sketcher.finish()
    assert len(first) == 1
    assert len(sketcher.finish()) == 0
    sketcher.add(b"end")
    assert np.array_equal(sketcher.finish(), sketch([b"end"]))


# ---------------------------------------------------------------- near duplicates


@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_are_found_and_nothing_else(seed):
    random = Random(seed)
    originals = [words(random, random.randint(60, 900)) for _ in range(300)]
    copied = random.sample(range(300), 40)
    texts = originals + [edited(originals[which], 0.01, random) for which in copied]
    found = near_duplicates(all_sketches([" ".join(text).encode() for text in texts]))
    assert np.all(found[:300] == -1)
    assert np.mean(found[300:] == copied) > 0.9
    assert set(found[300:]) <= {*copied, -1}


def test_copies_point_to_the_first():
    random = Random(5)
    first, second = noise(random, 500), noise(random, 5000)
    texts = [first, second, first, noise(random, 500), second, first]
    assert near_duplicates(all_sketches(texts)).tolist() == [-1, -1, 0, -1, 1, 0]


def test_what_is_alike_by_way_of_another_is_alike():
    first = np.arange(BINS, dtype=np.uint8)
    second, third = first.copy(), first.copy()
    second[:12] += 100
    third[:24] += 100  # differs from the first in too many bins
    rows = np.stack((first, second, third)).view(np.uint64)
    assert near_duplicates(rows).tolist() == [-1, 0, 0]
    assert near_duplicates(rows[[0, 2]]).tolist() == [-1, -1]


def test_near_duplicates_are_found_behind_another_that_has_their_band():
    other, first = np.arange(BINS, dtype=np.uint8), np.arange(BINS, dtype=np.uint8) + 100
    first[:4] = other[:4]
    second = first.copy()
    second[4::4] += 50  # nothing else in common but single bins
    rows = np.stack((other, first, second)).view(np.uint64)
    assert near_duplicates(rows).tolist() == [-1, -1, 1]


def test_short_documents_repeat_only_their_equals():
    texts = [f"Q: What is {n} plus {n}?\nA: {2 * n}.\n".encode() for n in range(50)]
    assert np.all(near_duplicates(all_sketches(texts)) == -1)
    assert near_duplicates(all_sketches([*texts, texts[7], b"", b""])).tolist()[50:] == [7, -1, 51]


def test_dialogues_from_a_few_templates_do_not_repeat():
    texts = [text.encode() for text in islice(documents(3, Template()), 5000)]
    found = near_duplicates(all_sketches(texts))
    long = np.array([len(text) >= SHORT for text in texts])
    assert long.sum() > 200
    assert np.mean(found[long] >= 0) < 0.01


def test_no_documents():
    assert len(near_duplicates(all_sketches([]))) == 0


def test_very_many_documents(monkeypatch):
    random = np.random.default_rng(0)
    rows = random.integers(0, 2**63, (200_000, BINS // 8), dtype=np.uint64)
    rows[:1000] = rows[0]
    rows[150_000:] = rows[:50_000]
    found = near_duplicates(rows)
    assert np.all(found[1000:150_000] == -1)
    assert np.array_equal(found[151_000:], np.arange(1000, 50_000))
    assert np.all(found[1:1000] == 0)
    assert np.all(found[150_000:151_000] == 0)
    monkeypatch.setattr(sketches, "ROWS", 999)
    assert np.array_equal(near_duplicates(rows), found)


# ---------------------------------------------------------------- what it comes to


def test_repeats_are_summed_up():
    random = Random(9)
    one, two, three, four = (noise(random, size) for size in (1000, 2000, 3000, 4000))
    rows = all_sketches([one, two, one, three, two, four])
    sizes = np.array([1000, 2000, 1000, 3000, 2000, 4000])
    held_out = np.array([0, 2000, 0, 3000, 2000, 400])
    found = repeats(rows, sizes, held_out)
    assert found.documents == 2
    assert found.share == pytest.approx(3000 / 13000)
    assert found.overlap == 0  # the one that repeats is held out too
    held_out[4] = 0
    assert repeats(rows, sizes, held_out).overlap == pytest.approx(2000 / 5400)


def test_nothing_repeats_where_nothing_is():
    nothing = repeats(all_sketches([]), np.empty(0, np.int64), np.empty(0))
    assert (nothing.documents, nothing.share, nothing.overlap) == (0, 0, 0)


def test_looking_for_repeats_takes_less_memory_than_the_sketches():
    """There may be millions of short documents; their sketches lie on the disk."""
    many = np.random.default_rng(0).integers(0, 2**63, (100_000, 8), np.uint64)
    tracemalloc.start()
    try:
        near_duplicates(many)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(many)  # bytes
