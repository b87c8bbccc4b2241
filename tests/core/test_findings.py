"""Each finding is said when its numbers call for it, its remedies mend it, and healthy texts have none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import DataConfig, RunConfig
from gpt_studio.core.events import Corpus, DataReport, TextFacts
from gpt_studio.core.findings import FEW_CONTEXTS, Finding, findings
from gpt_studio.core.presets import first_config, presets
from gpt_studio.core.shapes import parameters
from gpt_studio.core.units import SPACE, number

TINY = first_config()
SMALL = next(preset for preset in presets() if preset.name == "small").apply(TINY)


def report(tokens: int = 3_600_000, data: DataConfig | None = None, **facts: Any) -> DataReport:
    """One of texts with so many tokens, of a byte each."""
    data = data or DataConfig()
    held_out = int(tokens * data.validation)
    facts = {"documents": tokens // 500, **facts}
    corpora = tuple(Corpus(name, name, tokens, 1, tokens, 1.0) for name in data.corpora)
    return DataReport(
        data=data,
        fingerprint="",
        corpora=corpora,
        vocab_size=100,
        vocab_used=100,
        characters=tokens,
        size=tokens,
        train_tokens=tokens - held_out,
        validation_tokens=held_out,
        documents=facts["documents"],
        validation_documents=1,
        token_lengths=(1.0,),
        facts=TextFacts(**facts),
        previews=(),
        seconds=1.0,
        cached=False,
    )


def names(found: tuple[Finding, ...]) -> list[str]:
    return [finding.name for finding in found]


def only(found: tuple[Finding, ...]) -> Finding:
    assert len(found) == 1, names(found)
    return found[0]


def mended(finding: Finding, config: RunConfig) -> list[RunConfig]:
    """The config after each of the finding's remedies."""
    return [config.changed(remedy.section, remedy.changes) for remedy in finding.remedies]


def test_healthy_texts_have_none():
    assert findings(report(), TINY) == ()


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_no_preset_is_warned_of_with_as_much_text_as_it_takes(preset):
    config = preset.apply(TINY)
    assert findings(report(20 * parameters(config.model)), config) == ()


# ---------------------------------------------------------------- the amount of text


def test_a_large_model_on_little_text_learns_it_by_heart():
    finding = only(findings(report(465_000), SMALL))
    assert finding.name == "few_tokens"
    assert finding.severity == "warn"
    assert f"10.8{SPACE}M parameters for 418{SPACE}k tokens" in finding.text
    assert "49 times" in finding.text
    assert [remedy.label for remedy in finding.remedies] == [f"Train {number(1000)} steps", "Use Tiny"]
    for config in mended(finding, SMALL):
        assert findings(report(465_000), config) == ()


def test_little_text_read_a_few_times_is_fine():
    once = SMALL.changed("train", {"steps": 500})
    assert findings(report(465_000), once) == ()


def test_much_text_read_many_times_is_fine():
    assert findings(report(1_000_000), TINY.changed("train", {"steps": 100_000})) == ()


def test_training_stays_useful_with_the_steps_proposed():
    finding = only(findings(report(10_000), SMALL))
    assert all(remedy.section != "train" for remedy in finding.remedies)


def test_no_larger_model_is_proposed():
    long = TINY.changed("model", {"max_length": 2048})
    assert "Use Small" not in [remedy.label for remedy in only(findings(report(500_000), long)).remedies]


def test_less_text_than_a_few_contexts_is_too_short():
    finding = only(findings(report(520), TINY))
    assert finding.name == "too_short"
    assert "468 tokens" in finding.text
    assert "128" in finding.text
    assert [remedy.label for remedy in finding.remedies] == ["Use context 16"]
    for config in mended(finding, TINY):
        assert "too_short" not in names(findings(report(520), config))


def test_less_text_than_a_context_cannot_begin():
    finding = only(findings(report(100), TINY))
    assert finding.name == "too_short"
    assert "too little to begin" in finding.text
    assert finding.remedies == ()


def test_too_little_held_out_validates_nothing():
    data = DataConfig(validation=0.01)
    finding = only(findings(report(10_000, data), TINY.changed("train", {"steps": 50})))
    assert finding.name == "too_short"
    assert "Only 100 tokens are held out" in finding.text
    labels = [remedy.label for remedy in finding.remedies]
    assert labels == [f"Hold out 10{SPACE}%", "Use context 64"]
    more, shorter = mended(finding, TINY.changed("train", {"steps": 50}))
    assert findings(report(10_000, more.data), more) == ()
    assert findings(report(10_000, data), shorter) == ()


def test_holding_nothing_out_is_a_choice():
    assert findings(report(data=DataConfig(validation=0.0)), TINY) == ()


@given(st.integers(0, 3000), st.sampled_from((0.0, 0.01, 0.1, 0.5)), st.integers(2, 4096))
def test_too_short_is_said_exactly_when_it_is(tokens, share, context):
    held_out = report(tokens, DataConfig(validation=share))
    config = TINY.changed("model", {"max_length": context})
    nothing_to_validate = share > 0 and held_out.validation_tokens <= context
    expected = held_out.train_tokens <= FEW_CONTEXTS * context or nothing_to_validate
    found = findings(held_out, config)
    assert names(found).count("too_short") == expected
    for finding in found:
        for changed in mended(finding, config):
            assert changed.problems() == {}


# ---------------------------------------------------------------- what repeats


def test_near_duplicates_are_counted():
    finding = only(findings(report(documents=1200, near_duplicates=345, repeated=0.12), TINY))
    assert finding.name == "near_duplicates"
    assert f"345 of {number(1200)} documents" in finding.text
    assert f"12{SPACE}% of the text" in finding.text


def test_short_documents_may_be_alike():
    many = 3_600_000 // 115
    assert findings(report(documents=many, near_duplicates=4000, repeated=0.12), TINY) == ()
    found = findings(report(documents=many, near_duplicates=16_000, repeated=0.4), TINY)
    assert names(found) == ["near_duplicates"]


def test_overlap_is_said_unless_near_duplicates_say_it():
    finding = only(findings(report(near_duplicates=20, repeated=0.05, overlap=0.31), TINY))
    assert finding.name == "overlap"
    assert finding.text.startswith(f"31{SPACE}% of the text held out")
    assert names(findings(report(near_duplicates=90, repeated=0.2, overlap=0.31), TINY)) == [
        "near_duplicates"
    ]


# ---------------------------------------------------------------- characters


def test_files_in_an_older_encoding_are_named():
    finding = only(findings(report(misencoded=("a.txt",)), TINY))
    assert finding.name == "encoding"
    assert finding.text.startswith("1 file is not in UTF-8: “a.txt”.")
    many = only(findings(report(misencoded=tuple(f"{n}.txt" for n in range(12))), TINY))
    assert many.text.startswith("12 files are not in UTF-8: “0.txt”, “1.txt”, “2.txt” and 9 more.")


def test_control_characters_are_counted():
    finding = only(findings(report(control=1234), TINY))
    assert finding.name == "control_characters"
    assert f"{number(1234)} control characters" in finding.text
    assert findings(report(control=20), TINY) == ()
    little = only(findings(report(90_000, control=1), TINY.changed("train", {"steps": 100})))
    assert "1 control character," in little.text


# ---------------------------------------------------------------- one of many


def test_a_document_larger_than_all_others_together_dominates():
    finding = only(findings(report(largest=("book.txt", 0.83)), TINY))
    assert finding.name == "dominating"
    assert finding.severity == "info"
    assert f"One document (“book.txt”) is 83{SPACE}% of the text" in finding.text
    assert finding.remedies == ()


def test_one_or_two_documents_dominate_nothing():
    assert findings(report(documents=1, largest=("book.txt", 1.0)), TINY) == ()
    assert findings(report(documents=2, largest=("book.txt", 0.9)), TINY) == ()


def test_a_document_may_be_large():
    assert findings(report(documents=3, largest=("book.txt", 0.45)), TINY) == ()


def test_among_several_corpora_shares_help():
    data = DataConfig(corpora=("book.txt", "world"))
    finding = only(findings(report(data=data, largest=("book.txt", 0.83)), TINY))
    (config,) = mended(finding, TINY.changed("data", data.to_dict()))
    assert config.problems() == {}
    assert config.data.weights == (1.0, 1.0)
    assert findings(report(data=config.data, largest=("book.txt", 0.83)), config) == ()


def test_every_finding_reads_well():
    everything = report(
        465_000,
        near_duplicates=5,
        repeated=0.5,
        misencoded=("a.txt",),
        control=99,
        largest=("b.txt", 0.7),
    )
    held_out = dataclasses.replace(everything, validation_tokens=9)
    overlapping = dataclasses.replace(everything, facts=TextFacts(documents=9, overlap=0.5))
    found = {
        finding.name: finding
        for seen, config in ((everything, SMALL), (held_out, SMALL), (overlapping, TINY))
        for finding in findings(seen, config)
    }
    assert len(found) == 7
    for finding in found.values():
        assert finding.text.endswith(".")
        assert "  " not in finding.text
        assert finding.text.count(". ") <= 2
        assert any(character.isdigit() for character in finding.text)
