"""What is learned and what is held out never meet; batches come in an order that can be resumed."""

import random
from collections import Counter
from collections.abc import Generator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from gpt_studio.core.config import TOKENIZERS, DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event, Progress
from gpt_studio.engine import data
from gpt_studio.engine.corpora import Document
from gpt_studio.engine.data import Dataset, batch, hold_out, pieces, prepare, validation_batches
from gpt_studio.engine.tokenizers import tokenizer

each_tokenizer = pytest.mark.parametrize("name", [choice.value for choice in TOKENIZERS])
some_text = st.text(st.sampled_from("ab é\n"), min_size=1, max_size=60).filter(str.strip)
shares = st.sampled_from([0.01, 0.1, 0.25, 0.5])


def run(work: Generator[Event | None, None, Dataset]) -> tuple[Dataset, list[Event | None]]:
    events = []
    while True:
        try:
            events.append(next(work))
        except StopIteration as stop:
            return stop.value, events


def prepared(paths: Sequence[Path | str], tokenizer: str = "bytes", validation: float = 0.1) -> Dataset:
    corpora = tuple(map(str, paths))
    return run(prepare(DataConfig(corpora=corpora, tokenizer=tokenizer, validation=validation)))[0]


def written(folder: Path, texts: Sequence[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for index, text in enumerate(texts):
        (folder / f"{index:03}.txt").write_text(text, encoding="utf-8")
    return folder


def stories(count: int, seed: int = 0) -> list[str]:
    """Different texts whose lengths differ a hundredfold."""
    dice = random.Random(seed)
    return [f"Story {n}.\n" + "once upon a time\n" * int(10 ** dice.uniform(0, 2)) for n in range(count)]


def documents_of(dataset: Dataset, ids: np.ndarray) -> list[str]:
    """The texts between the ends of text."""
    ends = np.flatnonzero(ids == dataset.tokenizer.end)
    assert not len(ids) or ends[-1] == len(ids) - 1
    return [dataset.tokenizer.decode(part[:-1]) for part in np.split(ids, ends + 1)[:-1]]


# ---------------------------------------------------------------- what is held out


@given(texts=st.lists(some_text, min_size=1, max_size=20), share=shares, order=st.randoms())
def test_the_split_depends_on_the_texts_alone(texts: list[str], share: float, order: random.Random) -> None:
    documents = [Document(text) for text in texts]
    shuffled = order.sample(documents, len(documents))
    assert hold_out(documents, share) == hold_out(shuffled, share)


@given(texts=st.lists(some_text, min_size=1, max_size=20), share=shares)
def test_something_is_always_left_to_learn(texts: list[str], share: float) -> None:
    documents = [Document(text) for text in texts]
    cuts = hold_out(documents, share)
    assert cuts.keys() <= {document.digest for document in documents}
    assert any(cuts.get(document.digest, 1) > 0 for document in documents)
    assert all(cuts.get(document.digest, 0) < len(document.text) for document in documents)


@given(lengths=st.lists(st.integers(20, 400), min_size=1, max_size=40, unique=True), share=shares)
def test_about_the_share_is_held_out(lengths: list[int], share: float) -> None:
    documents = [Document("x" * length) for length in lengths]
    cuts = hold_out(documents, share)
    held_out = sum(document.size - cuts.get(document.digest, document.size) for document in documents)
    wanted = share * sum(lengths)
    assert 0.5 * wanted <= held_out <= 1.5 * wanted + len(documents)


@pytest.mark.parametrize("seed", range(5))
def test_many_documents_are_held_out_whole_and_near_the_share(seed: int) -> None:
    documents = [Document(text) for text in stories(300, seed)]
    cuts = hold_out(documents, 0.1)
    total = sum(document.size for document in documents)
    assert set(cuts.values()) == {0}
    assert 0.09 < sum(document.size for document in documents if document.digest in cuts) / total < 0.11


def test_copies_are_one_document_of_their_size_together() -> None:
    popular = Document("word " * 100)
    documents = [Document(text) for text in stories(200)] + [popular] * 100
    assert hold_out(documents, 0.1)[popular.digest] > 0  # too much of the whole to be held out


def test_one_document_gives_its_last_paragraphs() -> None:
    text = "".join(f"Paragraph {n} has\ntwo lines.\n\n" for n in range(100))
    cut = hold_out([Document(text)], 0.1)[Document(text).digest]
    assert text[:cut].endswith("\n\n")
    assert 0.87 < cut / len(text) <= 0.9


def test_a_giant_gives_its_end_and_the_others_their_share() -> None:
    giant = Document("word " * 20_000)
    small = [Document(text) for text in stories(50)]
    cuts = hold_out([giant, *small], 0.1)
    assert 0.87 < cuts[giant.digest] / len(giant.text) <= 0.9
    assert 0 < sum(document.digest in cuts for document in small) < 15


@pytest.mark.parametrize("mark", ["\n\n", "\n", " ", ""])
def test_a_cut_is_made_at_the_best_place_near(mark: str) -> None:
    text = f"{'x' * 890}{mark}{'y' * 110}"
    cut = hold_out([Document(text)], 0.1)[Document(text).digest]
    assert cut == 890 + len(mark) if mark else 900


def test_nothing_is_held_out_when_nothing_is_wanted(tmp_path: Path) -> None:
    dataset = prepared([written(tmp_path / "a", stories(5))], validation=0.0)
    assert hold_out([Document(text) for text in stories(5)], 0.0) == {}
    assert dataset.validation.size == 0
    assert dataset.report.validation_tokens == dataset.report.validation_documents == 0


# ---------------------------------------------------------------- from texts to tokens


@each_tokenizer
def test_every_document_is_on_exactly_one_side(tmp_path: Path, name: str) -> None:
    texts = stories(60)
    dataset = prepared([written(tmp_path / "a", texts)], name, validation=0.25)
    learned, held_out = (documents_of(dataset, ids) for ids in (dataset.train, dataset.validation))
    assert held_out
    assert not set(learned) & set(held_out)
    assert sorted(learned + held_out) == sorted(texts)
    assert learned == [text for text in texts if text not in held_out]  # in their order


@each_tokenizer
def test_the_end_of_a_single_document_is_not_learned(tmp_path: Path, name: str) -> None:
    file = tmp_path / "single.txt"
    file.write_text("\n\n".join(f"Paragraph {n} – é." for n in range(500)), encoding="utf-8")
    dataset = prepared([file], name)
    ((learned,), (held_out,)) = (documents_of(dataset, ids) for ids in (dataset.train, dataset.validation))
    assert learned + held_out == file.read_text(encoding="utf-8")
    assert 0.08 < len(held_out) / len(learned + held_out) < 0.14
    assert dataset.report.documents == dataset.report.validation_documents == 1


def test_the_split_is_the_same_wherever_the_files_lie(tmp_path: Path) -> None:
    texts = stories(60)
    one = prepared([written(tmp_path / "one", texts)])
    two = prepared([written(tmp_path / "b", texts[30:][::-1]), written(tmp_path / "a", texts[:30])], "gpt2")
    assert Counter(documents_of(one, one.validation)) == Counter(documents_of(two, two.validation))


@each_tokenizer
def test_special_tokens_in_a_file_are_characters(tmp_path: Path, name: str) -> None:
    texts = [f"{n} <|endoftext|> inside" for n in range(20)]
    dataset = prepared([written(tmp_path / "a", texts)], name)
    assert int((dataset.train == dataset.tokenizer.end).sum()) + len(
        documents_of(dataset, dataset.validation)
    ) == len(texts)


@each_tokenizer
def test_the_report_adds_up(tmp_path: Path, name: str) -> None:
    one, two = written(tmp_path / "one", stories(30)), written(tmp_path / "two", ["Ünïcödé 🙂 " * 50])
    config = DataConfig(corpora=(str(one), str(two), str(one)), tokenizer=name)
    dataset, events = run(prepare(config))
    report, kind = dataset.report, dataset.tokenizer
    everything = np.concatenate([dataset.train, dataset.validation])
    texts = [*stories(30), "Ünïcödé 🙂 " * 50]
    assert report.data == config
    assert (report.train_tokens, report.validation_tokens) == (len(dataset.train), len(dataset.validation))
    assert [corpus.label for corpus in report.corpora] == ["one", "two"]
    assert [corpus.documents for corpus in report.corpora] == [30, 1]
    assert sum(corpus.tokens for corpus in report.corpora) == report.tokens == len(everything)
    assert report.characters == sum(map(len, texts))
    assert report.size == sum(len(text.encode()) for text in texts)
    assert report.size == sum(corpus.size for corpus in report.corpora)
    assert (report.vocab_size, report.vocab_used) == (kind.vocab_size, len(set(everything.tolist())))
    assert report.documents == 31
    assert dataset.train.dtype == dataset.validation.dtype == kind.dtype
    assert report.seconds > 0
    progress = [event for event in events if event]
    assert all(isinstance(event, Progress) and event.kind == "data" for event in progress)
    assert progress[-1] == Progress("data", "Tokenizing", report.size, report.size)


def test_token_lengths_are_shares(tmp_path: Path) -> None:
    text = "a" + " international" * 3 + " counterproductive"
    dataset = prepared([written(tmp_path / "a", [text])], "gpt2", validation=0.0)
    lengths = Counter(min(len(dataset.tokenizer.decode([id])), 14) for id in dataset.train[:-1])
    report = dataset.report
    assert len(report.token_lengths) == 14
    assert report.token_lengths == pytest.approx([lengths[n] / lengths.total() for n in range(1, 15)])
    assert report.token_lengths[13] > 0


@each_tokenizer
def test_the_preview_is_what_is_learned_first(tmp_path: Path, name: str) -> None:
    texts = ["née", *stories(40)]
    dataset = prepared([written(tmp_path / "first", texts)], name)
    preview, kind = dataset.report.preview, dataset.tokenizer
    assert [token.id for token in preview] == dataset.train[:1000].tolist()
    assert b"".join(token.raw for token in preview) == kind.decode_bytes(dataset.train[:1000])
    assert all(token.text for token in preview)
    ends = [token for token in preview if token.id == kind.end]
    assert {(token.text, token.raw) for token in ends} == {("<|endoftext|>", b"")}
    counts = Counter(dataset.train.tolist()) + Counter(dataset.validation.tolist())
    assert all(token.count == counts[token.id] for token in preview)
    for token in preview:
        likelier = sum(n > token.count for n in counts.values())
        as_likely = sum(n == token.count for n in counts.values())
        assert likelier < token.rank <= likelier + as_likely
    assert len({token.rank for token in preview}) == len({token.id for token in preview})
    assert dataset.report.preview_title == "first · first 1\u202f000 tokens"


def test_an_incomplete_character_shows_in_the_preview(tmp_path: Path) -> None:
    preview = prepared([written(tmp_path / "a", ["né"])], validation=0.0).report.preview
    assert [token.text for token in preview] == ["n", "\ufffd", "\ufffd", "<|endoftext|>"]


def test_nothing_chosen_is_explained() -> None:
    with pytest.raises(StudioError, match="No corpus is chosen") as caught:
        prepared([])
    assert caught.value.tries


@each_tokenizer
def test_a_long_text_is_tokenized_a_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(data, "PIECES", 1)
    text = "All work and no play. " * 20_000
    (tmp_path / "long.txt").write_text(text)
    kind = tokenizer(name)
    sizes: list[int] = []
    encode_batch = kind.encode_batch
    monkeypatch.setattr(
        kind, "encode_batch", lambda texts: sizes.append(sum(map(len, texts))) or encode_batch(texts)
    )
    dataset = prepared([tmp_path], name, validation=0.0)
    assert sum(sizes) == len(text)
    assert max(sizes) <= 3 * data.PIECE
    monkeypatch.undo()
    assert dataset.train[:-1].tolist() == kind.encode(text)


@given(text=st.text(st.sampled_from("ab1'!é\n\t\x1c\u2003 字"), max_size=80), size=st.integers(1, 12))
def test_pieces_give_the_tokens_of_the_whole(text: str, size: int) -> None:
    found = list(pieces(text, size))
    assert "".join(found) == text
    assert all(len(piece) <= 3 * size for piece in found)
    assume(all(piece[0] in " \n" and not before[-1].isspace() for before, piece in pairwise(found)))
    gpt2 = tokenizer("gpt2")
    assert [id for piece in found for id in gpt2.encode(piece)] == gpt2.encode(text)


# ---------------------------------------------------------------- from tokens to batches


def stream(length: int) -> np.ndarray:
    """Tokens that tell their place."""
    return np.arange(length, dtype=np.uint16)


@given(
    length=st.integers(2, 600),
    context=st.integers(1, 64),
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 2**31 - 1),
    epochs=st.integers(1, 3),
)
def test_an_epoch_sees_every_window_once(
    length: int, context: int, batch_size: int, seed: int, epochs: int
) -> None:
    assume(length > context)
    windows = length // context
    batches = -(-epochs * windows // batch_size)
    found = [batch(stream(length), context, batch_size, seed, index) for index in range(batches)]
    x = torch.cat([x for x, _ in found])[: epochs * windows]
    y = torch.cat([y for _, y in found])[: epochs * windows]
    assert torch.equal(y, (x + 1) % length)
    for epoch in x.split(windows):
        assert len(epoch.unique()) == windows * context


def test_batches_are_whole_numbers_of_the_right_shape() -> None:
    x, y = batch(stream(1000), 32, 8, seed=1, index=5)
    assert x.shape == y.shape == (8, 32)
    assert x.dtype == y.dtype == torch.int64
    assert (x < 1000).all()


def test_any_batch_is_the_same_whatever_was_asked_before() -> None:
    tokens = stream(1000)  # 10 windows: a batch of 4 reaches over the ends of epochs
    straight = [batch(tokens, 100, 4, 7, index) for index in range(30)]
    for index in (29, 3, 0, 12, 29):
        data._epoch.cache_clear()
        batch(tokens, 50, 4, 8, 1)
        assert all(map(torch.equal, batch(tokens, 100, 4, 7, index), straight[index]))


def test_epochs_and_seeds_differ() -> None:
    tokens = stream(1000)
    one, two = (batch(tokens, 50, 20, 7, index)[0] for index in (0, 1))
    assert not torch.equal(one, two)
    assert set((one % 50)[:, 0].tolist()) != set((two % 50)[:, 0].tolist())  # the phase moves too
    assert not torch.equal(one, batch(tokens, 50, 20, 8, 0)[0])


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    x, y = batch(stream(5), 4, 64, seed=0, index=3)
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
def test_too_little_text_names_the_context_that_fits(
    length: int, context: int, numbers: str, fits: int
) -> None:
    with pytest.raises(StudioError) as caught:
        batch(stream(length), context, 1, 0, 0)
    error = caught.value
    assert error.what == f"The corpus is shorter than one context ({numbers} tokens)."
    assert error.tries == f"Add text, or use context {fits}."
    assert error.remedies[0].changes == {"max_length": fits}
    batch(stream(length), fits, 1, 0, 0)
    with pytest.raises(StudioError):
        batch(stream(length), 2 * fits, 1, 0, 0)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_next_to_no_text_has_no_context_that_fits(length: int) -> None:
    with pytest.raises(StudioError) as caught:
        batch(stream(length), 16, 1, 0, 0)
    assert caught.value.tries == "Add text."
    assert not caught.value.remedies


def test_a_corpus_shorter_than_a_context_is_found_before_training(tmp_path: Path) -> None:
    dataset = prepared([written(tmp_path / "a", ["a short text\n" * 20])])
    dataset.check(128)
    with pytest.raises(StudioError, match="shorter than one context"):
        dataset.check(1024)


@given(
    length=st.integers(0, 600),
    context=st.integers(1, 64),
    batch_size=st.integers(1, 9),
    count=st.integers(0, 9),
)
def test_validation_windows_are_fixed_and_do_not_overlap(
    length: int, context: int, batch_size: int, count: int
) -> None:
    found = validation_batches(stream(length), context, batch_size, count)
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


def test_validation_windows_are_spread_over_the_whole_text() -> None:
    found = torch.cat([x for x, _ in validation_batches(stream(10_001), 10, 2, 5)])
    assert found[0, 0] == 0
    assert found[-1, -1] == 9_999
    steps = found[1:, 0] - found[:-1, 0]
    assert steps.max() - steps.min() <= 1
