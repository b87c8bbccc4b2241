"""Each seeded fault in a corpus raises exactly its own finding; healthy corpora of every kind raise none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from random import Random

import numpy as np
import pytest

from gpt_studio.core.config import DataConfig, RunConfig
from gpt_studio.core.corpora import BUILT_IN
from gpt_studio.core.findings import Finding, findings
from gpt_studio.core.presets import first_config
from gpt_studio.engine.data import Dataset, prepare

SEEDS = range(3)
BYTES = DataConfig(tokenizer="bytes")
BRIEF = first_config().changed("train", {"steps": 100})  # reads the small corpora here once or twice
GIVEN = "aeiou bcdfghklmnprstvw"


# ---------------------------------------------------------------- texts


class Writer:
    """Makes up words once, then writes with them as often as Zipf's law says."""

    def __init__(self, seed: int, letters: str = GIVEN) -> None:
        self.random = Random(seed)
        vowels, consonants = letters.split()
        self._words = [
            "".join(self._pick(consonants) + self._pick(vowels) for _ in range(self.random.randint(1, 4)))
            for _ in range(3000)
        ]
        self._weights = list(accumulate(1 / rank for rank in range(1, 3001)))

    def _pick(self, letters: str) -> str:
        return self.random.choice(letters)

    def words(self, count: int) -> list[str]:
        return self.random.choices(self._words, cum_weights=self._weights, k=count)

    def sentence(self) -> str:
        return " ".join(self.words(self.random.randint(4, 16))).capitalize() + "."

    def prose(self, size: int) -> str:
        """About so many characters of sentences in paragraphs."""
        text = ""
        while len(text) < size:
            text += self.sentence() + ("\n\n" if self.random.random() < 0.2 else " ")
        return text.strip() + "\n"

    def code(self, size: int) -> str:
        """About so many characters of functions."""
        text = "from __future__ import annotations\n"
        while len(text) < size:
            name, first, second, third = self.words(4)
            number = self.random.randrange(100)
            text += f"\n\ndef {name}({first}, {second}={number}):\n\tif {first} > {second}:\n"
            text += f"\t\treturn {third}({first}) + {number}\n\treturn {self.words(1)[0]}\n"
        return text

    def edited(self, text: str) -> str:
        """The same text, but for one word of a hundred."""
        words = text.split(" ")
        for place in self.random.sample(range(len(words)), max(1, len(words) // 100)):
            words[place] = self.words(1)[0]
        return " ".join(words)

    def texts(self, count: int = 60, least: int = 2000, most: int = 6000) -> list[str]:
        return [self.prose(self.random.randint(least, most)) for _ in range(count)]


def folder(path: Path, texts: list[str], suffix: str = ".txt", encoding: str = "utf-8") -> DataConfig:
    path.mkdir(exist_ok=True)
    for index, text in enumerate(texts):
        (path / f"{index:03}{suffix}").write_bytes(text.encode(encoding))
    return BYTES.changed(corpora=(str(path),))


def lines(path: Path, rows: list[dict[str, object]]) -> DataConfig:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return BYTES.changed(corpora=(str(path),))


def prepared(data: DataConfig) -> Dataset:
    work = prepare(data)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def found(data: DataConfig, config: RunConfig = BRIEF) -> tuple[Finding, ...]:
    return findings(prepared(data).report, config)


def only(data: DataConfig, config: RunConfig = BRIEF) -> Finding:
    """The one finding there is."""
    every = found(data, config)
    assert len(every) == 1, [finding.text for finding in every]
    return every[0]


# ---------------------------------------------------------------- healthy corpora


def prose(path: Path, writer: Writer) -> DataConfig:
    return folder(path, writer.texts())


def source_code(path: Path, writer: Writer) -> DataConfig:
    return folder(path, [writer.code(writer.random.randint(1000, 8000)) for _ in range(50)], ".py")


def one_book(path: Path, writer: Writer) -> DataConfig:
    file = path.with_suffix(".txt")
    file.write_text(writer.prose(250_000), encoding="utf-8")
    return BYTES.changed(corpora=(str(file),))


def two_books(path: Path, writer: Writer) -> DataConfig:
    return folder(path, [writer.prose(150_000), writer.prose(60_000)])


def articles(path: Path, writer: Writer) -> DataConfig:
    return lines(
        path.with_suffix(".jsonl"), [{"id": n, "text": text} for n, text in enumerate(writer.texts())]
    )


def dialogues(path: Path, writer: Writer) -> DataConfig:
    """Short ones from a few words and templates, many of them the same."""
    rows: list[dict[str, object]] = []
    for _ in range(2000):
        messages = []
        for _ in range(writer.random.randint(1, 3)):
            word = f"{writer.words(1)[0]} {writer.random.randrange(30)}"
            question = writer.random.choice(
                ("What is the opposite of {}?", "Say {} backwards.", "Who likes {}?")
            )
            messages.append({"role": "user", "content": question.format(word)})
            messages.append({"role": "assistant", "content": f"It is {word[::-1]}."})
        rows.append({"messages": messages})
    return lines(path.with_suffix(".jsonl"), rows)


def table(path: Path, writer: Writer) -> DataConfig:
    file = path.with_suffix(".csv")
    with file.open("w", encoding="utf-8", newline="") as open_file:
        rows = csv.writer(open_file)
        rows.writerow(("id", "text"))
        rows.writerows(enumerate(writer.texts(300, 300, 1500)))
    return BYTES.changed(corpora=(str(file),))


def windows_files(path: Path, writer: Writer) -> DataConfig:
    """With a byte order mark, line ends of Windows, tabs and form feeds."""
    texts = [text.replace(". ", ".\t").replace("\n", "\r\n") + "\f" for text in writer.texts()]
    return folder(path, texts, encoding="utf-8-sig")


def german(path: Path, writer: Writer) -> DataConfig:
    return folder(path, Writer(writer.random.randrange(99), "äaeiöüou bdfgßhklmnprstwz").texts())


def chinese(path: Path, writer: Writer) -> DataConfig:
    signs = "的一是不了人我在有他这为之大来以个中上们"
    return folder(
        path, Writer(writer.random.randrange(99), f"{signs[:10]} {signs[10:]}").texts(40, 1500, 3000)
    )


def mixture(path: Path, writer: Writer) -> DataConfig:
    """A book that is larger than all else, but has its share."""
    parts = folder(path, writer.texts(20)), one_book(path, writer)
    return BYTES.changed(corpora=tuple(part.corpora[0] for part in parts), weights=(0.5, 0.5))


HEALTHY = (
    prose,
    source_code,
    one_book,
    two_books,
    articles,
    dialogues,
    table,
    windows_files,
    german,
    chinese,
    mixture,
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("make", HEALTHY, ids=lambda make: make.__name__)
def test_healthy_corpora_have_no_findings(
    tmp_path: Path, make: Callable[[Path, Writer], DataConfig], seed: int
) -> None:
    assert found(make(tmp_path / "corpus", Writer(seed))) == ()


@pytest.mark.parametrize("name", [corpus.name for corpus in BUILT_IN])
def test_built_in_corpora_have_no_findings(name: str) -> None:
    assert found(DataConfig(corpora=(name,)), first_config()) == ()


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("seed", SEEDS)
def test_few_tokens(tmp_path: Path, seed: int) -> None:
    data = folder(tmp_path / "corpus", Writer(seed).texts(12))
    long = first_config().changed("train", {"steps": 5000})
    finding = only(data, long)
    assert finding.name == "few_tokens"
    assert finding.remedies
    for remedy in finding.remedies:
        assert found(data, long.changed(remedy.section, remedy.changes)) == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["prose", "code", "lines"])
def test_near_duplicates(tmp_path: Path, seed: int, kind: str) -> None:
    writer = Writer(seed)
    texts = [writer.code(3000) for _ in range(50)] if kind == "code" else writer.texts(50)
    texts += [writer.edited(text) for text in writer.random.sample(texts, 15)]
    writer.random.shuffle(texts)
    if kind == "lines":
        data = lines(tmp_path / "corpus.jsonl", [{"text": text} for text in texts])
    else:
        data = folder(tmp_path / "corpus", texts)
    assert prepared(data).report.facts.near_duplicates == 15
    finding = only(data)
    assert finding.name == "near_duplicates"
    assert finding.text.startswith("15 of 65 documents")


@pytest.mark.parametrize("seed", SEEDS)
def test_copies_of_short_documents(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed)
    sentences = [writer.sentence() for _ in range(1500)]
    rows: list[dict[str, object]] = [{"text": writer.random.choice(sentences)} for _ in range(4000)]
    assert only(lines(tmp_path / "corpus.jsonl", rows)).name == "near_duplicates"


@pytest.mark.parametrize("seed", SEEDS)
def test_overlap(tmp_path: Path, seed: int) -> None:
    """A few documents more, of which each nearly repeats one that is held out."""
    writer = Writer(seed)
    texts = writer.texts(300, 500, 1500)
    data = folder(tmp_path / "corpus", texts)
    assert found(data) == ()
    held_out = held_out_texts(prepared(data))
    assert len(held_out) > 20
    texts += [writer.edited(text) for text in writer.random.sample(held_out, 15)]
    finding = only(folder(tmp_path / "corpus", texts))
    assert finding.name == "overlap"


@pytest.mark.parametrize("seed", SEEDS)
def test_little_overlap_beside_the_end_of_a_book(tmp_path: Path, seed: int) -> None:
    """The end of a large document is held out too, and most of all that is."""
    writer = Writer(seed)
    texts = writer.texts(40, 500, 1500)
    texts += [writer.edited(text) for text in texts]
    books = [writer.prose(400_000), writer.prose(400_000)]
    assert found(folder(tmp_path / "corpus", texts + books)) == ()


def held_out_texts(dataset: Dataset) -> list[str]:
    ids = dataset.validation.take(np.arange(len(dataset.validation)))
    ends = np.flatnonzero(ids == dataset.tokenizer.end)
    return [dataset.tokenizer.decode(part.tolist()) for part in np.split(ids, ends) if len(part) > 1]


@pytest.mark.parametrize("seed", SEEDS)
def test_encoding(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed, "aeiouéü bdfgçhklmnprstwz")
    path = tmp_path / "corpus"
    data = folder(path, writer.texts())
    odd = sorted(writer.random.sample(range(60), writer.random.randint(1, 5)))
    for index in odd:
        file = path / f"{index:03}.txt"
        file.write_bytes(file.read_text(encoding="utf-8").encode("cp1252"))
    finding = only(data)
    assert finding.name == "encoding"
    assert f"{odd[0]:03}.txt" in finding.text
    assert finding.text.startswith(f"{len(odd)} file")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("odd", ["\x1b[31m", "\x07", "\x7f"])
def test_control_characters(tmp_path: Path, seed: int, odd: str) -> None:
    writer = Writer(seed)
    texts = writer.texts()
    places = writer.random.sample(range(60), 10)
    for index in places:
        texts[index] = texts[index].replace(". ", f". {odd}", 3)
    finding = only(folder(tmp_path / "corpus", texts))
    assert finding.name == "control_characters"
    assert "The text has 30 control characters" in finding.text


@pytest.mark.parametrize("seed", SEEDS)
def test_dominating(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed)
    data = folder(tmp_path / "corpus", writer.texts(writer.random.randint(2, 30)))
    (tmp_path / "corpus" / "book.txt").write_text(writer.prose(200_000), encoding="utf-8")
    finding = only(data)
    assert finding.name == "dominating"
    assert "book.txt" in finding.text


@pytest.mark.parametrize("seed", SEEDS)
def test_one_corpus_of_several_dominates(tmp_path: Path, seed: int) -> None:
    writer = Writer(seed)
    data = mixture(tmp_path / "corpus", writer).changed(weights=())
    finding = only(data)
    assert finding.name == "dominating"
    (remedy,) = finding.remedies
    assert found(data.changed(**remedy.changes)) == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [40, 300])
def test_too_short(tmp_path: Path, seed: int, size: int) -> None:
    finding = only(folder(tmp_path / "corpus", [Writer(seed).prose(size)]))
    assert finding.name == "too_short"


@pytest.mark.parametrize("seed", SEEDS)
def test_too_little_held_out(tmp_path: Path, seed: int) -> None:
    data = folder(tmp_path / "corpus", Writer(seed).texts(40)).changed(validation=0.005)
    long = BRIEF.changed("model", {"max_length": 1024}).changed("train", {"steps": 20})
    finding = only(data, long)
    assert finding.name == "too_short"
    assert "held out" in finding.text
    for remedy in finding.remedies:
        changed = long.changed("data", data.to_dict()).changed(remedy.section, remedy.changes)
        assert found(changed.data, changed) == ()
