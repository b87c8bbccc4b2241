"""Ready-made model sizes: partial configs read from `resources/presets/*.json`, smallest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gpt_studio.core.config import RunConfig, expected_vocab_size
from gpt_studio.core.paths import resources


@dataclass(frozen=True)
class Preset:
    """A name for people, a size caption, and the fields it sets, by section."""

    name: str
    label: str
    caption: str
    sections: Mapping[str, Mapping[str, Any]]

    def apply(self, config: RunConfig) -> RunConfig:
        """The config with this preset's fields; everything it does not mention stays."""
        for section in ("data", "model", "train"):  # the tokenizer first: it sets the vocabulary
            config = config.changed(section, self.sections.get(section, {}))
        return config

    def alone(self) -> RunConfig:
        """The config it makes by itself, with as many tokens as its tokenizer is expected to have."""
        config = self.apply(RunConfig())
        return config.changed("model", {"vocab_size": expected_vocab_size(config.data)})

    def matches(self, config: RunConfig) -> bool:
        """Whether the model is this preset's; how many tokens there are is for the texts to say."""
        applied = self.apply(config)
        same_shape = applied.model.changed(vocab_size=config.model.vocab_size) == config.model
        return same_shape and applied.data.tokenizer == config.data.tokenizer


@cache
def presets() -> tuple[Preset, ...]:
    """All presets."""
    files = sorted((resources() / "presets").glob("*.json"))
    read = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return tuple(Preset(**data) for data in sorted(read, key=lambda data: data.pop("order")))


def first_config() -> RunConfig:
    """What the first launch has set: the smallest preset."""
    return presets()[0].alone()
