"""Presets: complete, legal, smallest first."""

import pytest

from gpt_studio.core.config import RunConfig, expected_vocab_size
from gpt_studio.core.presets import first_config, presets
from gpt_studio.core.run_file import preset_config


def test_all_six_are_there_smallest_first():
    assert [preset.label for preset in presets()] == [
        "Tiny",
        "Small",
        "GPT-2",
        "GPT-2 Medium",
        "GPT-2 Large",
        "GPT-2 XL",
    ]


def test_each_is_legal_and_recognizes_itself_alone():
    for preset in presets():
        config = preset.apply(RunConfig())
        assert config.problems() == {}
        assert [other for other in presets() if other.matches(config)] == [preset]


def test_a_preset_keeps_what_it_does_not_mention():
    config = RunConfig().changed("data", {"corpora": ("mine",)})
    assert presets()[2].apply(config).data.corpora == ("mine",)


def test_the_first_launch_is_tiny():
    assert presets()[0].matches(first_config())


def test_the_first_config_has_the_vocabulary_of_its_tokenizer() -> None:
    config = first_config()
    assert config.model.vocab_size == expected_vocab_size(config.data)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_alone_it_has_the_vocabulary_of_its_tokenizer(preset):
    """Else the estimate of a small model would count the table of GPT-2."""
    config = preset_config(preset.name)
    assert config.model.vocab_size == expected_vocab_size(config.data)
    assert preset.matches(config)
