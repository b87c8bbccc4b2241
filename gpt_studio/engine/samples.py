"""The texts a model writes while it learns: the same prompts in the same way each time, to be compared."""

from __future__ import annotations

from collections.abc import Callable, Generator

from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import Event, Token
from gpt_studio.core.metrics import Sample
from gpt_studio.core.requests import Generate
from gpt_studio.core.run_events import Sampled
from gpt_studio.core.speed import SAMPLE_TOKENS
from gpt_studio.engine.generator import generate
from gpt_studio.engine.model import GPT
from gpt_studio.engine.tokenizers import Tokenizer

BETWEEN = "|"  # two prompts


def samples(
    model: GPT,
    tokenizer: Tokenizer,
    config: RunConfig,
    step: int,
    version: Callable[[], object] = lambda: None,
) -> Generator[Event | None, None, None]:
    """Continue each of the run's prompts; yield Sampled for each, and None between two tokens.

    `version` tells the weights apart where they may change in between, as for `generate`.
    """
    settings = config.sample.changed(max_tokens=SAMPLE_TOKENS, fixed_seed=True, seed=config.train.seed)
    for prompt in prompts(config.train.sample_prompt):
        said = []
        for event in generate(model, tokenizer, Generate(prompt, settings), version, packs=False):
            if isinstance(event, Token):
                said.append((event.text, event.p))
            yield None
        text = "".join(text for text, _ in said)
        yield Sampled(Sample(step, prompt, text, tuple(said)))


def prompts(text: str) -> list[str]:
    """Several with a bar between them; one alone is taken as it is, with the blanks around it."""
    if BETWEEN not in text:
        return [text]
    return [prompt.strip() for prompt in text.split(BETWEEN) if prompt.strip()] or [""]
