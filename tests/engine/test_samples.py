"""Samples while learning: every prompt each time, alike, with the probability of each token."""

import pytest
import torch

from gpt_studio.core.config import GPTConfig, RunConfig, SampleConfig, TrainConfig
from gpt_studio.core.requests import Generate
from gpt_studio.core.run_events import Sampled
from gpt_studio.engine.generator import generate
from gpt_studio.engine.model import GPT
from gpt_studio.engine.samples import prompts, samples
from gpt_studio.engine.tokenizers import tokenizer

BYTES = tokenizer("bytes")
CONFIG = RunConfig(
    model=GPTConfig(num_layers=1, heads=2, embed_size=16, max_length=64, vocab_size=257),
    train=TrainConfig(seed=5, sample_prompt="The cat | Once"),
)


@pytest.fixture
def model():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    return GPT(CONFIG.model)


def told(model, config=CONFIG, step=7, **more):
    return [
        event.sample for event in samples(model, BYTES, config, step, **more) if isinstance(event, Sampled)
    ]


def test_every_prompt_is_continued(model):
    assert [(sample.step, sample.prompt) for sample in told(model)] == [(7, "The cat"), (7, "Once")]


def test_tokens_add_up_to_the_text_and_have_their_probabilities(model):
    for sample in told(model):
        assert "".join(text for text, _ in sample.tokens) == sample.text
        settings = CONFIG.sample.changed(max_tokens=128, fixed_seed=True, seed=5)
        said = list(generate(model, BYTES, Generate(sample.prompt, settings)))[:-1]
        assert list(sample.tokens) == [(token.text, token.p) for token in said]
        assert all(0 < p <= 1 for _, p in sample.tokens)
    assert any(not text for text, _ in sample.tokens)  # characters of several bytes


def test_they_are_the_same_each_time_whatever_chat_is_set_to(model):
    torch.manual_seed(1)
    first = told(model)
    torch.manual_seed(2)
    assert told(model) == first
    chat = SampleConfig(seed=77, fixed_seed=False, max_tokens=3)
    assert told(model, CONFIG.changed("sample", chat.to_dict()))[0].text == first[0].text


def test_others_have_a_turn_between_tokens(model):
    events = list(samples(model, BYTES, CONFIG, 1))
    assert events.count(None) == sum(len(sample.tokens) for sample in told(model)) + 2


def test_weights_that_change_in_between_are_noticed(model):
    """As a run goes on while a sample is written: every token comes from the weights there are."""

    def first(changes):
        versions = [0]
        torch.manual_seed(3)
        learning = GPT(CONFIG.model)
        events = samples(learning, BYTES, CONFIG, 1, version=lambda: versions[-1])
        assert [next(events) for _ in range(4)] == [None] * 4
        if changes:
            torch.nn.init.zeros_(learning.norm.weight)  # all tokens are as likely now
            versions.append(1)
        sample = next(event.sample for event in events if isinstance(event, Sampled))
        return [p for _, p in sample.tokens]

    before, after = first(changes=False), first(changes=True)
    assert after[:4] == before[:4]
    assert after[4:] == pytest.approx([1 / 257] * len(after[4:]), rel=1e-5)
    assert before[4:] != after[4:]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The", ["The"]),
        ("", [""]),
        (" The ", [" The "]),
        ("One|Two", ["One", "Two"]),
        ("One | Two |", ["One", "Two"]),
        ("|", [""]),
    ],
)
def test_a_bar_is_between_two_prompts(text, found):
    assert prompts(text) == found
