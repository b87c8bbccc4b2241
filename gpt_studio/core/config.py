"""What a person wants: the model, the data, the training plan and the sampling of one run.

Half-typed configs may exist; `problems()` explains them field by field. Choices are stored by name.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gpt_studio.core.chat import Template
from gpt_studio.core.errors import StudioError
from gpt_studio.core.section import Section
from gpt_studio.core.settings import Choice, Fix, Problem, Value, setting, settings_of

VERSION = 1


def _powers(low: int, high: int) -> tuple[float, ...]:
    return tuple(2**k for k in range(low.bit_length() - 1, high.bit_length()))


def _one_two_five(low: int, high: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, 50 … between two bounds."""
    values = (digit * 10**k for k in range(10) for digit in (1, 2, 5))
    return tuple(value for value in values if low <= value <= high)


@dataclass(frozen=True, kw_only=True)
class GPTConfig(Section):
    """The shape of a GPT. With no argument: GPT-2 small, 124 439 808 parameters."""

    num_layers: int = setting(
        12, "Layers", low=1, high=96, stops=(1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 30, 36, 48, 64, 96),
        help="How many transformer blocks the text passes through, one after the other.",
        cost="Each layer adds the same parameters, memory and time.",
    )  # fmt: skip
    heads: int = setting(
        12, "Heads", low=1, high=128, stops=(1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 25, 32, 48, 64, 96, 128),
        help="Each head looks back at the text in its own way; together they share the embedding.",
        cost="More heads cost almost nothing, but each becomes narrower.",
    )  # fmt: skip
    embed_size: int = setting(
        768, "Embedding", low=1, high=16384,
        stops=(32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 1600, 2048, 3072, 4096),
        help="How many numbers describe each token inside the model.",
        cost="Twice as wide is about four times the parameters and time per layer.",
    )  # fmt: skip
    forward_expansion: int = setting(
        4, "Feed-forward", low=1, high=16, prefix="× ", stops=(1, 2, 3, 4, 5, 6, 8),
        help="How much wider than the embedding the hidden layer of each block is.",
        cost="At × 4 it holds two thirds of a block's parameters.",
    )  # fmt: skip
    max_length: int = setting(
        1024, "Context", low=2, high=131072, stops=_powers(16, 8192),
        help="How many tokens the model can look back on, and how long the training texts are.",
        cost="Memory grows with it, attention with its square.",
    )  # fmt: skip
    dropout: float = setting(
        0.0, "Dropout", low=0.0, high=0.9, decimals=2, stops=tuple(k / 20 for k in range(11)),
        help="The share of values dropped at random while training; helps when there is little text.",
        cost="Learning takes longer; masks take a little memory.",
    )  # fmt: skip
    vocab_size: int = setting(
        50257, "Vocabulary", low=2, high=1_000_000, shown=False,
        help="How many different tokens there are. It follows the tokenizer chosen on the Data page.",
        cost="Each token adds a row to the embedding and to the logits.",
    )  # fmt: skip
    gradient_checkpointing: bool = setting(
        False, "Gradient checkpointing",
        help="Keep only each block's input and compute the rest again on the way back.",
        cost="Far less activation memory for about a third more time.",
    )  # fmt: skip
    tie_embeddings: bool = setting(
        True, "Tied embeddings",
        help="Use one table both to read tokens and to predict them, as GPT-2 does.",
        cost="Untied adds vocabulary × embedding parameters.",
    )  # fmt: skip
    bias: bool = setting(
        True, "Bias terms",
        help="Give linear layers and layer norms an offset, as GPT-2 does.",
        cost="Almost nothing either way.",
    )  # fmt: skip

    def problems(self) -> dict[str, Problem]:
        found = super().problems()
        if not found.keys() & {"embed_size", "heads"} and self.embed_size % self.heads:
            found["embed_size"] = self._indivisible()
        return found

    def _indivisible(self) -> Problem:
        below = self.embed_size // self.heads * self.heads
        high = settings_of(GPTConfig)["embed_size"].high or 0
        sizes = [size for size in (below, below + self.heads) if 0 < size <= high]
        fixes = tuple(Fix(f"Use {size}", {"embed_size": size}) for size in sizes)
        text = f"Embedding size {self.embed_size} is not divisible by {self.heads} heads."
        return Problem(text, fixes, "Nearest sizes that work:")

    def nearest_valid(self) -> GPTConfig:
        """This config with the first fix of every problem applied; itself when it has none."""
        config = self
        for _ in range(len(settings_of(GPTConfig)) + 1):
            problems = config.problems()
            if not problems:
                break
            problem = next(iter(problems.values()))
            config = config.changed(**problem.fixes[0].changes)
        return config


TOKENIZERS = (
    Choice("characters", "Characters"),
    Choice("bytes", "Bytes"),
    Choice("bpe", "Own BPE"),
    Choice("gpt2", "GPT-2 BPE"),
    Choice("file", "From a file"),
)


@dataclass(frozen=True, kw_only=True)
class DataConfig(Section):
    """Which texts are learned and how they become tokens. Corpora are built-in names or paths."""

    corpora: tuple[str, ...] = setting(
        ("world",), "Corpora", shown=False, help="The texts the model learns from.",
    )  # fmt: skip
    weights: tuple[float, ...] = setting(
        (), "Shares", items="float", shown=False,
        help="How much of what the model reads comes from each corpus. None: as much as there is.",
    )  # fmt: skip
    tokenizer: str = setting(
        "characters", "Tokenizer", choices=TOKENIZERS, shown=False, help="How text becomes numbers.",
    )  # fmt: skip
    tokenizer_file: str = setting(
        "", "Tokenizer file", shown=False, help="A .tiktoken file, or a Hugging Face tokenizer.json.",
    )  # fmt: skip
    bpe_size: int = setting(
        4096, "BPE vocabulary", low=256, high=65536, stops=_powers(256, 65536), shown=False,
        help="How many pieces of text the own BPE learns; the 256 bytes are among them.",
        cost="A larger one makes texts shorter and the model's tables larger.",
    )  # fmt: skip
    user_prefix: str = setting(
        "Q: ", "Before a question", shown=False, help="The text a dialogue has before what a person says.",
    )  # fmt: skip
    model_prefix: str = setting(
        "A: ", "Before an answer", shown=False, help="The text a dialogue has before what the model says.",
    )  # fmt: skip
    turn_end: str = setting(
        "\n", "After each", shown=False, help="The text a dialogue has after each question and answer.",
    )  # fmt: skip
    validation: float = setting(
        0.1, "Held out", low=0.0, high=0.5, decimals=2, shown=False,
        help="The share of documents never trained on, to see whether the model learns or memorizes.",
    )  # fmt: skip

    @property
    def template(self) -> Template:
        """How the dialogues among the texts are written down."""
        return Template(self.user_prefix, self.model_prefix, self.turn_end)

    def problems(self) -> dict[str, Problem]:
        found = super().problems()
        if found:
            return found
        if self.weights and (
            len(self.weights) != len(self.corpora)
            or not all(0 < weight < math.inf for weight in self.weights)
        ):
            mend = (Fix("Mix by size", {"weights": ()}),)
            found["weights"] = Problem("Each corpus needs a share above zero.", mend)
        if self.tokenizer == "file" and not self.tokenizer_file:
            mend = (Fix("Use characters", {"tokenizer": "characters"}),)
            found["tokenizer"] = Problem("No tokenizer file is chosen.", mend)
        if not self.template.stop.strip():
            mend = (Fix("Use “Q: ”", {"user_prefix": "Q: "}),)
            found["user_prefix"] = Problem("A dialogue needs a text before each question.", mend)
        return found


# Of characters and files only once they have been read; these are usual.
_VOCAB_SIZES = {"characters": 340, "bytes": 257, "gpt2": 50257, "file": 50257}


def expected_vocab_size(data: DataConfig) -> int:
    """The vocabulary a tokenizer comes to, before it is made."""
    return _VOCAB_SIZES.get(data.tokenizer, data.bpe_size + 1)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Section):
    """The plan of a training run."""

    steps: int = setting(
        1000, "Steps", low=1, high=10_000_000, stops=_one_two_five(10, 1_000_000),
        live=True, help="How many times the weights are improved.",
        cost="Time grows with it, memory does not.",
    )  # fmt: skip
    batch_size: int = setting(
        16, "Batch size", low=1, high=4096, stops=_powers(1, 512),
        help="How many texts are looked at together.", cost="Activation memory grows with it.",
    )  # fmt: skip
    accumulation: int = setting(
        1, "Accumulation", low=1, high=1024, prefix="× ", stops=_powers(1, 64),
        help="Batches added up before the weights change: a larger batch without more memory.",
        cost="A step takes this many times longer.",
    )  # fmt: skip
    learning_rate: float = setting(
        1e-3, "Learning rate", low=1e-8, high=1.0, scientific=True,
        stops=tuple(digit * 10.0**k for k in range(-6, 0) for digit in (1, 2, 3, 6)),
        live=True, help="How far the weights move at each step. Too high diverges, too low crawls.",
    )  # fmt: skip
    warmup: int = setting(
        100, "Warm-up", low=0, high=1_000_000, stops=(0, *_one_two_five(10, 10_000)),
        live=True, help="Steps over which the learning rate rises from zero.",
    )  # fmt: skip
    schedule: str = setting(
        "cosine", "Schedule",
        choices=(
            Choice("cosine", "Cosine"), Choice("wsd", "WSD"),
            Choice("linear", "Linear"), Choice("constant", "Flat"),
        ),
        live=True,
        help="How the learning rate falls after the warm-up. WSD (warm-up, stable, decay) stays at its "
        "height and falls in the last fifth: steps can be added before that.",
    )  # fmt: skip
    optimizer: str = setting(
        "adamw", "Optimizer", choices=(Choice("adamw", "AdamW"), Choice("muon", "Muon")),
        help="How gradients become changes. Muon moves the blocks' matrices in all directions alike and "
        "learns more from each step; AdamW scales every weight on its own.",
        cost="Muon remembers half as much and takes a little longer per step.",
    )  # fmt: skip
    weight_decay: float = setting(
        0.1, "Weight decay", low=0.0, high=10.0, decimals=2, stops=(0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
        live=True, help="Pulls the matrices gently towards zero, against memorizing.",
    )  # fmt: skip
    gradient_clip: float = setting(
        1.0, "Gradient clip", low=0.0, high=1000.0, decimals=2, optional=True,
        stops=(0, 0.1, 0.25, 0.5, 1, 2, 5),
        live=True, help="Shortens gradients longer than this, so that one odd batch does no harm. 0 is off.",
    )  # fmt: skip
    precision: str = setting(
        "fp32", "Precision", choices=(Choice("fp32", "fp32"), Choice("bf16", "bf16"), Choice("fp16", "fp16")),
        help="bf16 halves activation memory and is faster where the device has it; weights stay fp32. "
        "fp16 is for GPUs too old for bf16.",
    )  # fmt: skip
    attention: str = setting(
        "auto", "Attention",
        choices=(Choice("auto", "Auto"), Choice("plain", "Plain"), Choice("fused", "Fused")),
        help="Plain writes out a table of every token looking at every other; fused works through it in "
        "pieces. Auto takes the one that is faster on this device.",
        cost="Plain tables grow with the square of the context; fused attention keeps none.",
    )  # fmt: skip
    chunked_loss: bool = setting(
        False, "Chunked loss",
        help="Score the vocabulary for a part of the texts at a time: never are all scores there at once.",
        cost="Far less memory where the vocabulary is large, for about the same time.",
    )  # fmt: skip
    compile: bool = setting(
        False, "Compile the model",
        help="Let torch.compile make kernels for just this model. Where that is not possible, training "
        "goes on without.",
        cost="A minute or so before the first step; then each step is faster, most of all on a GPU.",
    )  # fmt: skip
    evaluate_every: int = setting(
        100, "Validate every", low=1, high=1_000_000, stops=_one_two_five(10, 10_000),
        live=True, help="Steps between two looks at the texts held out.",
    )  # fmt: skip
    patience: int = setting(
        0, "Stop early after", low=0, high=1000, stops=(0, 1, 2, 3, 5, 8, 10, 15, 20), optional=True,
        live=True,
        help="Stop when so many looks at the texts held out in a row found nothing better; the best weights "
        "are kept. 0 is off.",
    )  # fmt: skip
    sample_every: int = setting(
        100, "Sample every", low=0, high=1_000_000, stops=(0, *_one_two_five(10, 10_000)), optional=True,
        live=True, help="Steps between two samples while learning. 0 is off.",
    )  # fmt: skip
    sample_prompt: str = setting(
        "The", "Sample prompt", live=True,
        help="The text each sample while learning begins with; several with | between them.",
    )  # fmt: skip
    save_every: int = setting(
        1000, "Checkpoint every", low=0, high=1_000_000, stops=(0, *_one_two_five(10, 10_000)), optional=True,
        live=True,
        help="Steps between two numbered checkpoints, to fork from. The last and the best are kept anyway. "
        "0 is off.",
        cost="A file each: three times the weights with AdamW, twice with Muon.",
    )  # fmt: skip
    keep: int = setting(
        3, "Checkpoints kept", low=1, high=1000, stops=(1, 2, 3, 5, 10, 20, 50),
        live=True, help="How many numbered checkpoints stay; older ones are removed.",
    )  # fmt: skip
    tensorboard: bool = setting(
        False, "TensorBoard files",
        help="Write the curves for TensorBoard too, into the run's folder. Needs: pip install "
        "gpt-studio[tensorboard].",
    )  # fmt: skip
    seed: int = setting(
        1337, "Seed", low=0, high=2**31 - 1,
        help="The same seed gives the same weights at the start and the same order of texts.",
    )  # fmt: skip

    @property
    def effective_batch(self) -> int:
        """Texts per step."""
        return self.batch_size * self.accumulation


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Section):
    """How the next token is drawn from the model's probabilities."""

    temperature: float = setting(
        0.8, "Temperature", low=0.0, high=5.0, decimals=2, stops=tuple(k / 20 for k in range(31)),
        help="Below 1 plays safe, above 1 takes risks. 0 always takes the likeliest token.",
    )  # fmt: skip
    top_k: int = setting(
        50, "Top-k", low=0, high=1_000_000, stops=(0, 1, 2, 3, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200),
        optional=True, help="Draw only from this many likeliest tokens. 0 is off.",
    )  # fmt: skip
    top_p: float = setting(
        0.95, "Top-p", low=0.01, high=1.0, decimals=2, stops=tuple(k / 20 for k in range(1, 21)),
        help="Draw only from the likeliest tokens that together reach this probability. 1 is off.",
    )  # fmt: skip
    repetition: float = setting(
        1.0, "Repetition", low=0.5, high=2.0, decimals=2, stops=tuple(k / 20 for k in range(16, 31)),
        help="Above 1 makes tokens already in the text less likely.",
    )  # fmt: skip
    max_tokens: int = setting(
        256, "Max tokens", low=1, high=100_000, stops=(16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024),
        help="The longest answer.",
    )  # fmt: skip
    precision: str = setting(
        "fp32", "Weights", choices=(Choice("fp32", "fp32"), Choice("bf16", "bf16"), Choice("int8", "int8")),
        help="How exactly the weights are read while writing. Fewer bits write faster, larger models most; "
        "the model itself keeps all of them.",
    )  # fmt: skip
    fixed_seed: bool = setting(
        False, "Fixed seed", shown=False, help="Draw the same answer to the same prompt every time.",
    )  # fmt: skip
    seed: int = setting(1337, "Seed", low=0, high=2**31 - 1, shown=False, help="Which fixed draw.")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything a run needs; what a checkpoint stores and the form edits."""

    model: GPTConfig = field(default_factory=GPTConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)

    def changed(self, section: str, changes: Mapping[str, Value]) -> RunConfig:
        """A copy with some fields of one section replaced. The vocabulary follows the tokenizer."""
        config = dataclasses.replace(self, **{section: getattr(self, section).changed(**changes)})
        size = expected_vocab_size(config.data)
        if size != expected_vocab_size(self.data) or config.data.tokenizer != self.data.tokenizer:
            config = dataclasses.replace(config, model=config.model.changed(vocab_size=size))
        return config

    def problems(self) -> dict[str, Problem]:
        """Every unusable value, under "section.field"."""
        return {
            f"{section}.{name}": problem
            for section in SECTIONS
            for name, problem in getattr(self, section).problems().items()
        }

    def to_dict(self) -> dict[str, Any]:
        return {"version": VERSION, **{name: getattr(self, name).to_dict() for name in SECTIONS}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunConfig:
        """Build from `to_dict()`'s plain data.

        Raises:
            StudioError: it is not a config, a newer version wrote it, or a value cannot be used.
        """
        version = data.get("version")
        if not isinstance(version, int) or not all(isinstance(data.get(name), dict) for name in SECTIONS):
            raise StudioError("The settings in this file cannot be read.")
        if version > VERSION:
            raise StudioError(
                "A newer GPT Studio wrote this file.", tries="Update GPT Studio, then open the file again."
            )
        sections: dict[str, Any] = {name: kind.from_dict(data[name]) for name, kind in SECTIONS.items()}
        return cls(**sections)


SECTIONS: dict[str, type[Section]] = {
    "model": GPTConfig,
    "data": DataConfig,
    "train": TrainConfig,
    "sample": SampleConfig,
}
