"""From texts to a data set: every document on exactly one side, and a report that adds up."""

import random
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from gpt_studio.core.config import DataConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Progress
from gpt_studio.engine.data import prepare
from gpt_studio.engine.tokenizers import tokenizer

each_tokenizer = pytest.mark.parametrize("name", ["characters", "bytes", "gpt2"])


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nothing is found that another test made."""
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path / "home"))


def run(work):
    """What the work returns, and all that it yielded."""
    events = []
    while True:
        try:
            events.append(next(work))
        except StopIteration as stop:
            return stop.value, events


def prepared(paths, tokenizer="bytes", **settings):
    return run(prepare(DataConfig(corpora=tuple(map(str, paths)), tokenizer=tokenizer, **settings)))[0]


def written(folder, texts):
    folder.mkdir(exist_ok=True)
    for index, text in enumerate(texts):
        (folder / f"{index:03}.txt").write_text(text, encoding="utf-8", newline="")
    return folder


def stories(count, seed=0):
    """Different texts whose lengths differ a hundredfold."""
    dice = random.Random(seed)
    return [f"Story {n}.\n" + "once upon a time\n" * int(10 ** dice.uniform(0, 2)) for n in range(count)]


def ids_of(tokens):
    return tokens.take(np.arange(len(tokens)))


def documents_of(dataset, tokens):
    """The texts between the ends of text."""
    ids = ids_of(tokens)
    ends = np.flatnonzero(ids == dataset.tokenizer.end)
    assert not len(ids) or ends[-1] == len(ids) - 1
    return [dataset.tokenizer.decode(part[:-1]) for part in np.split(ids, ends + 1)[:-1]]


# ---------------------------------------------------------------- the two sides


@each_tokenizer
def test_every_document_is_on_exactly_one_side(tmp_path, name):
    texts = stories(60)
    dataset = prepared([written(tmp_path / "a", texts)], name, validation=0.25)
    learned, held_out = (documents_of(dataset, side) for side in (dataset.train, dataset.validation))
    assert held_out
    assert not set(learned) & set(held_out)
    assert sorted(learned + held_out) == sorted(texts)
    assert learned == [text for text in texts if text not in held_out]  # in their order
    assert dataset.report.validation_documents == len(held_out)


@each_tokenizer
def test_the_end_of_a_single_document_is_not_learned(tmp_path, name):
    file = tmp_path / "single.txt"
    file.write_text("\n\n".join(f"Paragraph {n} – é." for n in range(500)), encoding="utf-8")
    dataset = prepared([file], name)
    pieces = [ids_of(side) for side in (dataset.train, dataset.validation)]
    assert [np.count_nonzero(ids == dataset.tokenizer.end) for ids in pieces] == [1, 1]
    whole = dataset.tokenizer.decode_bytes(np.concatenate([pieces[0][:-1], pieces[1]]))
    assert whole.decode() == file.read_text(encoding="utf-8")
    assert 0.09 < len(pieces[1]) / sum(map(len, pieces)) < 0.11
    assert dataset.report.documents == dataset.report.validation_documents == 1


def test_a_single_character_is_learned(tmp_path):
    dataset = prepared([written(tmp_path / "a", ["x"])], validation=0.5)
    assert ids_of(dataset.train).tolist() == [ord("x"), 256]
    assert len(dataset.validation) == 0


def test_the_split_is_the_same_wherever_the_files_lie(tmp_path):
    texts = stories(60)
    one = prepared([written(tmp_path / "one", texts)])
    two = prepared([written(tmp_path / "b", texts[30:][::-1]), written(tmp_path / "a", texts[:30])], "gpt2")
    assert Counter(documents_of(one, one.validation)) == Counter(documents_of(two, two.validation))


def test_nothing_is_held_out_when_nothing_is_wanted(tmp_path):
    dataset = prepared([written(tmp_path / "a", stories(5))], validation=0.0)
    assert len(dataset.validation) == 0
    assert dataset.report.validation_tokens == dataset.report.validation_documents == 0


@each_tokenizer
def test_special_tokens_in_a_file_are_characters(tmp_path, name):
    texts = [f"{n} <|endoftext|> inside" for n in range(20)]
    dataset = prepared([written(tmp_path / "a", texts)], name)
    found = documents_of(dataset, dataset.train) + documents_of(dataset, dataset.validation)
    assert sorted(found) == sorted(texts)


@each_tokenizer
def test_a_long_text_gives_the_tokens_of_the_whole(tmp_path, name):
    text = "All work and no play. " * 20_000
    (tmp_path / "long.txt").write_text(text)
    dataset = prepared([tmp_path / "long.txt"], name, validation=0.0)
    assert ids_of(dataset.train)[:-1].tolist() == dataset.tokenizer.encode(text)


# ---------------------------------------------------------------- the report


@each_tokenizer
def test_the_report_adds_up(tmp_path, name):
    strange = "Ünïcödé 🙂 \x07" * 50
    one, two = written(tmp_path / "one", stories(30)), written(tmp_path / "two", [strange])
    config = DataConfig(corpora=(str(one), str(two), str(one)), tokenizer=name)
    dataset, events = run(prepare(config))
    report = dataset.report
    everything = np.concatenate([ids_of(dataset.train), ids_of(dataset.validation)])
    texts = [*stories(30), strange]
    assert report.data == config
    assert (report.train_tokens, report.validation_tokens) == (len(dataset.train), len(dataset.validation))
    assert [corpus.label for corpus in report.corpora] == ["one", "two"]
    assert [corpus.documents for corpus in report.corpora] == [30, 1]
    assert sum(corpus.tokens for corpus in report.corpora) == report.tokens == len(everything)
    assert sum(corpus.share for corpus in report.corpora) == pytest.approx(1)
    assert report.characters == sum(map(len, texts))
    assert report.size == sum(len(text.encode()) for text in texts)
    assert report.size == sum(corpus.size for corpus in report.corpora)
    assert report.vocab_size == dataset.tokenizer.vocab_size
    assert report.vocab_used == len(set(everything.tolist()))
    assert report.documents == report.facts.documents == 31
    assert report.facts.control == 50
    assert report.facts.misencoded == ()
    largest = max(texts, key=lambda text: len(text.encode()))
    name_of_largest = f"{texts.index(largest):03}.txt"
    assert report.facts.largest == (name_of_largest, pytest.approx(len(largest.encode()) / report.size))
    assert dataset.bytes_per_token == pytest.approx(report.bytes_per_token, rel=0.1)
    assert dataset.train.dtype == dataset.validation.dtype == np.uint16
    assert report.seconds > 0
    assert not report.cached
    progress = [event for event in events if event]
    assert all(isinstance(event, Progress) and event.kind == "data" for event in progress)
    assert progress[-1].text == "Looking for texts that repeat"
    assert progress[-2] == Progress("data", "Tokenizing two", report.size, report.size)
    done = [event.done for event in progress if event.text.startswith("Tokenizing")]
    assert done == sorted(done)


def test_token_lengths_are_shares(tmp_path):
    text = "a" + " international" * 3 + " counterproductive"
    dataset = prepared([written(tmp_path / "a", [text])], "gpt2", validation=0.0)
    lengths = Counter(min(len(dataset.tokenizer.decode([id])), 14) for id in ids_of(dataset.train)[:-1])
    found = dataset.report.token_lengths
    assert found == pytest.approx([lengths[n] / lengths.total() for n in range(1, 15)])
    assert found[13] > 0


@each_tokenizer
def test_each_corpus_has_a_preview(tmp_path, name):
    one, two = written(tmp_path / "one", ["née", *stories(40)]), written(tmp_path / "two", ["short"])
    dataset = prepared([one, two], name)
    kind = dataset.tokenizer
    first, second = dataset.report.previews
    assert (first.corpus, second.corpus) == (str(one), str(two))
    assert (first.title, second.title.split(" ·")[0]) == ("one · first 1\u202f000 tokens", "two")
    assert "".join(token.text for token in second.tokens) == "short<|endoftext|>"
    text = "née<|endoftext|>" + "<|endoftext|>".join(stories(40))
    assert text.encode().startswith(b"".join(token.raw or b"<|endoftext|>" for token in first.tokens))
    counts = Counter(ids_of(dataset.train).tolist()) + Counter(ids_of(dataset.validation).tolist())
    for token in first.tokens + second.tokens:
        likelier = sum(n > token.count for n in counts.values())
        as_likely = sum(n == token.count for n in counts.values())
        assert token.count == counts[token.id]
        assert likelier < token.rank <= likelier + as_likely
        assert (token.id == kind.end) == (token.text == "<|endoftext|>")


def test_an_incomplete_character_shows_in_the_preview(tmp_path):
    (preview,) = prepared([written(tmp_path / "a", ["né"])], validation=0.0).report.previews
    assert [token.text for token in preview.tokens] == ["n", "\ufffd", "\ufffd", "<|endoftext|>"]


def test_files_in_an_older_encoding_are_named(tmp_path):
    folder = written(tmp_path / "a", stories(3))
    for name in ("old.txt", "older.txt"):
        (folder / name).write_bytes("größer\n".encode("cp1252") * 50)
    facts = prepared([folder]).report.facts
    assert facts.misencoded == ("old.txt", "older.txt")
    assert facts.near_duplicates >= 1
    assert 0 < facts.repeated < 1


def test_the_same_texts_have_the_same_fingerprint(tmp_path):
    one, two = (prepared([written(tmp_path / name, stories(9))]).report for name in "ab")
    other = prepared([written(tmp_path / "c", stories(10))]).report
    otherwise = prepared([tmp_path / "a"], "gpt2").report
    assert one.fingerprint == two.fingerprint
    assert len({one.fingerprint, other.fingerprint, otherwise.fingerprint}) == 3


# ---------------------------------------------------------------- mixtures, samples, first rows


def test_weights_say_what_is_read_and_cost_no_tokenizing(tmp_path):
    large, small = written(tmp_path / "large", ["a" * 9000]), written(tmp_path / "small", ["é" * 500])
    by_size = prepared([large, small]).report
    assert [corpus.share for corpus in by_size.corpora] == pytest.approx([0.9, 0.1], abs=0.01)
    mixed = prepared([large, small], weights=(1.0, 3.0))
    assert mixed.report.cached
    assert [corpus.share for corpus in mixed.report.corpora] == [0.25, 0.75]
    rows = mixed.first_rows(8, 1000, 0, 1000)
    assert sum(row[0].raw == b"a" for row in rows) == pytest.approx(250, abs=2)
    assert mixed.bytes_per_token == pytest.approx(1, abs=0.01)
    mixed_gpt2 = prepared([large, small], "gpt2", weights=(1.0, 3.0))
    per_token = [corpus.size / corpus.tokens for corpus in mixed_gpt2.report.corpora]
    assert mixed_gpt2.bytes_per_token == pytest.approx(0.25 * per_token[0] + 0.75 * per_token[1])


def test_a_small_corpus_among_large_ones_is_never_held_out_altogether(tmp_path):
    """A tenth of all documents are held out, but a text that somebody added is one to learn from."""
    large = written(tmp_path / "large", stories(300))
    for n in range(30):
        mine = written(tmp_path / f"mine {n}", [f"My own text number {n}. " * 3])
        assert [corpus.share for corpus in prepared([large, mine], weights=(1.0, 1.0)).report.corpora] == [
            0.5,
            0.5,
        ]


def test_the_first_rows_are_the_first_batch_for_people(tmp_path):
    dataset = prepared([written(tmp_path / "a", stories(30))])
    rows = dataset.first_rows(16, 8, 5, 3)
    assert [len(row) for row in rows] == [17] * 3
    text = "\0".join(documents_of(dataset, dataset.train))
    for row in rows:
        assert "".join(token.text.replace("<|endoftext|>", "\0") for token in row) in text
        assert all(token.count > 0 for token in row)


@each_tokenizer
def test_a_sample_is_all_of_a_small_text(tmp_path, name):
    texts = ["é🙂字 " * 30_000, *stories(10)]
    dataset = prepared([written(tmp_path / "a", texts[:5]), written(tmp_path / "b", texts[5:])], name)
    assert "".join(dataset.sample_text(10**9)) == "".join(texts)


def test_a_sample_is_spread_over_all_corpora(tmp_path):
    one, two = (
        written(tmp_path / "a", ["a" * 600_000 + "b" * 600_000]),
        written(tmp_path / "b", ["ü" * 300_000]),
    )
    dataset = prepared([one, two], validation=0.0)
    counts = Counter("".join(dataset.sample_text(90_000)))
    assert sum(len(letter.encode()) * n for letter, n in counts.items()) == pytest.approx(90_000, rel=0.2)
    assert counts.keys() == {"a", "b", "ü"}
    assert min(counts.values()) > 10_000


# ---------------------------------------------------------------- failures


def test_nothing_chosen_is_explained():
    with pytest.raises(StudioError, match="No corpus is chosen") as caught:
        prepared([])
    assert caught.value.tries


def test_a_corpus_that_fails_can_be_left_out(tmp_path):
    fine, other = written(tmp_path / "fine", ["text"]), written(tmp_path / "other", ["text"])
    with pytest.raises(StudioError, match=r"gone\.txt") as caught:
        prepared([fine, tmp_path / "gone.txt", other], weights=(0.5, 0.2, 0.3))
    (remedy,) = caught.value.remedies
    assert remedy.changes == {"corpora": (str(fine), str(other)), "weights": pytest.approx((0.625, 0.375))}
    with pytest.raises(StudioError) as caught:
        prepared([tmp_path / "gone.txt"])
    assert not caught.value.remedies


def test_a_corpus_shorter_than_a_context_is_found_before_training(tmp_path):
    dataset = prepared([written(tmp_path / "a", ["a short text\n" * 20])])
    dataset.check(128)
    with pytest.raises(StudioError, match="shorter than one context"):
        dataset.check(1024)


@pytest.mark.parametrize("turns", [1, 3, 6])
def test_work_that_is_closed_leaves_nothing_behind(tmp_path, turns):
    (tmp_path / "long.txt").write_text("All work and no play. " * 200_000)
    work = prepare(DataConfig(corpora=(str(tmp_path / "long.txt"),), tokenizer="gpt2"))
    seen = list(islice(work, turns))
    work.close()
    assert len(seen) == turns
    assert [path for path in (tmp_path / "home").rglob(".*") if path.is_dir()] == []
    assert not tokenizer("gpt2").encode("")
