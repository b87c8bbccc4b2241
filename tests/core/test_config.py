"""Configs: legal values pass, illegal ones are explained and mended, files round-trip."""

import contextlib
import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.config import (
    SECTIONS,
    TOKENIZERS,
    DataConfig,
    GPTConfig,
    RunConfig,
    TrainConfig,
    expected_vocab_size,
)
from gpt_studio.core.errors import StudioError
from gpt_studio.core.settings import settings_of, value_problem

ANY_INT = st.integers(-(2**40), 2**40)


def values_of(described):
    """Legal values of one setting."""
    if described.kind == "switch":
        return st.booleans()
    if described.choices:
        return st.sampled_from([choice.value for choice in described.choices])
    if described.kind == "int":
        return st.integers(int(described.low), int(described.high))
    if described.kind == "float":
        return st.floats(described.low, described.high)
    if described.kind == "list":
        items = st.text() if described.items == "str" else st.floats(0.01, 100)
        return st.lists(items).map(tuple)
    return st.text()


def configs(section):
    return st.builds(
        SECTIONS[section], **{name: values_of(d) for name, d in settings_of(SECTIONS[section]).items()}
    )


def test_the_default_model_is_gpt2_small():
    config = GPTConfig()
    shape = (config.num_layers, config.heads, config.embed_size, config.max_length, config.vocab_size)
    assert shape == (12, 12, 768, 1024, 50257)
    assert config.problems() == {}


@pytest.mark.parametrize("section", SECTIONS)
def test_defaults_are_legal_and_every_field_is_described(section):
    config = SECTIONS[section]()
    assert config.problems() == {}
    described = settings_of(SECTIONS[section])
    assert list(described) == [field.name for field in dataclasses.fields(config)]
    assert all(d.label and d.help.endswith(".") for d in described.values())


@pytest.mark.parametrize("section", SECTIONS)
def test_stops_are_legal_values(section):
    for described in settings_of(SECTIONS[section]).values():
        for stop in described.stops:
            value = int(stop) if described.kind == "int" else float(stop)
            assert value_problem(described, value) is None, (described.name, stop)


@given(embed_size=ANY_INT, heads=ANY_INT, num_layers=ANY_INT, max_length=ANY_INT)
def test_any_half_typed_model_is_mended(embed_size, heads, num_layers, max_length):
    config = GPTConfig(embed_size=embed_size, heads=heads, num_layers=num_layers, max_length=max_length)
    assert config.nearest_valid().problems() == {}


@given(embed_size=st.integers(1, 16384), heads=st.integers(1, 128))
def test_each_offered_size_really_works(embed_size, heads):
    problem = GPTConfig(embed_size=embed_size, heads=heads).problems().get("embed_size")
    assert (problem is None) == (embed_size % heads == 0)
    for fix in problem.fixes if problem else ():
        assert GPTConfig(embed_size=embed_size, heads=heads).changed(**fix.changes).problems() == {}


def test_an_indivisible_size_is_explained_with_both_neighbors():
    problem = GPTConfig(embed_size=100, heads=12).problems()["embed_size"]
    assert problem.text == "Embedding size 100 is not divisible by 12 heads."
    assert problem.hint == "Nearest sizes that work:"
    assert [fix.label for fix in problem.fixes] == ["Use 96", "Use 108"]


@pytest.mark.parametrize("value", [0, 97, 4.0, "4", True, None])
def test_values_out_of_range_or_of_another_kind_are_problems(value):
    assert "num_layers" in GPTConfig(num_layers=value).problems()


def test_a_rate_that_is_no_number_is_a_problem():
    assert "learning_rate" in TrainConfig(learning_rate=float("nan")).problems()


@given(st.builds(RunConfig, **{section: configs(section) for section in SECTIONS}))
def test_every_legal_run_survives_a_file(config):
    if not config.problems():
        assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["version", *SECTIONS]), JSON))
def test_any_plain_data_is_a_config_or_a_clear_error(data):
    with contextlib.suppress(StudioError):
        assert RunConfig.from_dict(data).problems() == {}


@given(
    section=st.sampled_from(list(SECTIONS)),
    value=JSON,
    data=st.data(),
)
def test_one_spoiled_field_is_a_clear_error_or_legal(section, value, data):
    plain = RunConfig().to_dict()
    plain[section][data.draw(st.sampled_from(list(plain[section])))] = value
    with contextlib.suppress(StudioError):
        config = RunConfig.from_dict(plain)
        assert all(isinstance(corpus, str) for corpus in config.data.corpora)
        assert config.changed(section, {}).model.nearest_valid().problems() == {}


def test_a_newer_file_is_refused_with_a_way_out():
    with pytest.raises(StudioError, match="newer GPT Studio"):
        RunConfig.from_dict({**RunConfig().to_dict(), "version": 99})


def test_fields_of_a_later_version_are_left_out():
    plain = RunConfig().to_dict()
    plain["model"]["mixture_of_experts"] = 8
    assert RunConfig.from_dict(plain) == RunConfig()


@pytest.mark.parametrize("tokenizer", [choice.value for choice in TOKENIZERS])
def test_the_vocabulary_follows_the_tokenizer(tokenizer):
    before = RunConfig().changed("data", {"tokenizer": "bytes" if tokenizer != "bytes" else "gpt2"})
    config = before.changed("data", {"tokenizer": tokenizer})
    assert config.model.vocab_size == expected_vocab_size(config.data)


def test_the_vocabulary_follows_the_size_of_the_own_bpe():
    config = RunConfig().changed("data", {"tokenizer": "bpe"}).changed("data", {"bpe_size": 512})
    assert config.model.vocab_size == 513


def test_a_vocabulary_that_is_known_stays_when_the_same_tokenizer_is_chosen_again():
    config = RunConfig().changed("data", {"tokenizer": "characters"}).changed("model", {"vocab_size": 71})
    assert config.changed("data", {"tokenizer": "characters"}).model.vocab_size == 71


@pytest.mark.parametrize(
    "weights", [(1.0,), (1.0, 0.0), (1.0, -1.0), (1.0, float("nan")), (1.0, float("inf"))]
)
def test_shares_that_cannot_be_mixed_are_mended(weights):
    data = DataConfig(corpora=("world", "python-reference"), weights=weights)
    problem = data.problems()["weights"]
    assert data.changed(**problem.fixes[0].changes).problems() == {}


def test_a_dialogue_needs_to_tell_who_speaks():
    problem = DataConfig(user_prefix=" ", turn_end="\n").problems()["user_prefix"]
    assert DataConfig().changed(**problem.fixes[0].changes).problems() == {}


def test_problems_are_named_by_section():
    config = RunConfig(train=TrainConfig(steps=0), data=DataConfig(tokenizer="nope"))
    assert list(config.problems()) == ["data.tokenizer", "train.steps"]
