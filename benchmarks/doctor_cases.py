"""The runs the training doctor is tried on: which illness each was given, by what cause.

`held_out` cases have other texts and seeds than those the rules were made with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.presets import presets

HEALTHY = "healthy"
WIDTH = 64  # of the models; all are tiny, so that an hour of one core is more than enough
STEPS = 400


@dataclass(frozen=True)
class Case:
    """One run to make: `harm` is done to the model first, and `later` changes its plan after a step."""

    name: str
    label: str  # HEALTHY or one of core.doctor.NAMES
    text: str  # a corpus, or a name of benchmarks.doctor_runs.texts
    train: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    harm: str = ""  # "zeros": every weight is 0; "frozen": nothing reaches the logits
    later: tuple[int, Mapping[str, Any]] | None = None
    held_out: bool = False

    def config(self, text: str, seed: int) -> RunConfig:
        """The whole config, with the place of the text."""
        shape = {"num_layers": 2, "heads": 4, "embed_size": WIDTH, "max_length": 64, **self.model}
        plan = {
            "steps": STEPS, "batch_size": 16, "learning_rate": 2e-3, "warmup": 20, "evaluate_every": 20,
            "sample_every": 0, "seed": seed, **self.train,
        }  # fmt: skip
        data = {"tokenizer": "characters", **self.data}
        return RunConfig(
            model=GPTConfig(**shape), data=DataConfig(corpora=(text,), **data), train=TrainConfig(**plan)
        )


def cases() -> list[Case]:
    """All of them: those the rules were made with, and those held out."""
    return [*_diverging(), *_dead(), *_rate_high(), *_rate_low(), *_plateau(), *_overfitting(),
            *_little_data(), *_presets(), *_healthy()]  # fmt: skip


def _diverging() -> list[Case]:
    """Worse than guessing blindly, or what was learned is lost again."""
    muon = {"optimizer": "muon", "warmup": 0}
    flat = {"schedule": "constant"}
    raised = (160, {"learning_rate": 0.5, "gradient_clip": 0.0})
    return [
        Case("rate 1, no clipping", "diverging", "world", {"learning_rate": 1.0, "gradient_clip": 0.0}),
        Case("Muon at rate 1, no warm-up", "diverging", "world", {"learning_rate": 1.0, **muon}),
        Case("no warm-up with Muon at 0.3", "diverging", "python-reference", {"learning_rate": 0.3, **muon}),
        Case("raised to 0.5 half way", "diverging", "python-reference", flat, later=raised),
        Case("Muon at rate 0.7", "diverging", "docstrings", {"learning_rate": 0.7, **muon}, held_out=True),
        Case("raised to 0.5 half way, names", "diverging", "names", flat, later=raised, held_out=True),
    ]  # fmt: skip


def _dead() -> list[Case]:
    return [
        Case("rate 1e-8", "dead", "world", {"learning_rate": 1e-8}),
        Case("all weights 0", "dead", "python-reference", harm="zeros"),
        Case("gradients clipped to 1e-10", "dead", "world", {"gradient_clip": 1e-10}),
        Case("last norm frozen at 0", "dead", "python-library", {"steps": 250}, harm="frozen"),
        Case("all weights 0, Muon", "dead", "docstrings", {"optimizer": "muon"}, harm="zeros", held_out=True),
        Case("rate 1e-8, own BPE", "dead", "names", {"learning_rate": 1e-8, "schedule": "linear"},
             data={"tokenizer": "bpe", "bpe_size": 512}, held_out=True),
    ]  # fmt: skip


def _rate_high() -> list[Case]:
    return [
        Case("rate × 30", "rate_high", "world", {"learning_rate": 0.06}),
        Case("rate × 30, reference", "rate_high", "python-reference", {"learning_rate": 0.06}),
        Case("rate × 15", "rate_high", "world", {"learning_rate": 0.03}),
        Case("rate × 40, flat", "rate_high", "world", {"learning_rate": 0.08, "schedule": "constant"}),
        Case("rate × 50, four layers", "rate_high", "python-library", {"learning_rate": 0.1},
             {"num_layers": 4}),
        Case("rate 0.5 after a long warm-up", "rate_high", "world", {"learning_rate": 0.5, "warmup": 200}),
        Case("rate 0.4 after a long warm-up, docstrings", "rate_high", "docstrings",
             {"learning_rate": 0.4, "warmup": 200, "schedule": "constant"}, held_out=True),
        Case("rate 0.5", "rate_high", "python-reference", {"learning_rate": 0.5}),
        Case("deep at rate 0.3, flat", "rate_high", "python-reference",
             {"learning_rate": 0.3, "warmup": 100, "schedule": "constant"}, {"num_layers": 4}),
        Case("rate 0.4, no clipping", "rate_high", "names", {"learning_rate": 0.4, "gradient_clip": 0.0},
             held_out=True),
        Case("rate × 30, docstrings", "rate_high", "docstrings", {"learning_rate": 0.06}, held_out=True),
        Case("rate × 40, names", "rate_high", "names", {"learning_rate": 0.08, "schedule": "wsd"},
             held_out=True),
        Case("rate × 30, large batch", "rate_high", "docstrings", {"learning_rate": 0.06, "batch_size": 32},
             held_out=True),
    ]  # fmt: skip


def _rate_low() -> list[Case]:
    return [
        Case("rate / 100", "rate_low", "world", {"learning_rate": 2e-5}),
        Case("rate / 100, reference", "rate_low", "python-reference", {"learning_rate": 2e-5}),
        Case("rate / 200, flat", "rate_low", "world", {"learning_rate": 1e-5, "schedule": "constant"}),
        Case("rate / 20", "rate_low", "world", {"learning_rate": 1e-4}),
        Case("rate / 20, Muon", "rate_low", "python-reference", {"learning_rate": 1e-4, "optimizer": "muon"}),
        Case("rate / 100, own BPE", "rate_low", "python-library", {"learning_rate": 2e-5},
             data={"tokenizer": "bpe", "bpe_size": 1024}),
        Case("rate / 100, docstrings", "rate_low", "docstrings", {"learning_rate": 2e-5}, held_out=True),
        Case("rate / 100, Muon", "rate_low", "names", {"learning_rate": 2e-5, "optimizer": "muon"},
             held_out=True),
    ]  # fmt: skip


def _plateau() -> list[Case]:
    flat = {"schedule": "constant", "steps": 600}
    cut = (200, {"learning_rate": 1e-7})
    small = {**flat, "learning_rate": 5e-3}, {"num_layers": 1, "heads": 1, "embed_size": 2}
    return [
        Case("letters in no order", "plateau", "letters", flat),
        Case("rate cut to nothing", "plateau", "python-reference", flat, later=cut),
        Case("no room: 2 wide", "plateau", "world", *small),
        Case("letters in no order, Muon", "plateau", "letters", {**flat, "optimizer": "muon"}, held_out=True),
        Case("rate cut to nothing, names", "plateau", "names", flat, later=cut, held_out=True),
        Case("no room: 2 wide, names", "plateau", "names", *small, held_out=True),
    ]  # fmt: skip


def _overfitting() -> list[Case]:
    fast = {"optimizer": "muon", "learning_rate": 3e-3, "steps": 600}
    roomy = {"num_layers": 3, "embed_size": 96}
    return [
        Case("24 kB, Muon", "overfitting", "reference-24k", fast, roomy),
        Case("20 kB of the library, Muon, flat", "overfitting", "library-20k",
             {**fast, "steps": 500, "schedule": "constant"}, roomy),
        Case("12 kB, Muon, linear", "overfitting", "reference-12k",
             {**fast, "steps": 400, "schedule": "linear"}, roomy),
        Case("22 kB of docstrings, Muon", "overfitting", "docstrings-22k", fast, roomy, held_out=True),
        Case("18 kB of docstrings, Muon, WSD", "overfitting", "docstrings-18k",
             {**fast, "steps": 500, "schedule": "wsd"}, roomy, held_out=True),
    ]  # fmt: skip


def _little_data() -> list[Case]:
    large = {"num_layers": 4, "embed_size": 96}
    aside = {"validation": 0.2}
    return [
        Case("2 kB, large model", "little_data", "reference-2k", {"steps": 300}, large, aside),
        Case("3 kB, large model, Muon", "little_data", "library-3k", {"steps": 300, "optimizer": "muon"},
             large, aside),
        Case("2 kB, nothing held out", "little_data", "reference-2k", {"steps": 300}, large,
             {"validation": 0.0}),
        Case("2 kB of docstrings", "little_data", "docstrings-2k", {"steps": 300}, large, aside,
             held_out=True),
        Case("4 kB of docstrings, linear", "little_data", "docstrings-4k",
             {"steps": 300, "schedule": "linear"}, large, aside, held_out=True),
    ]  # fmt: skip


def _presets() -> list[Case]:
    """All presets with a narrower model, fewer steps and, as width asks for, a higher rate.

    The rate that suits a model falls about with the root of its width between the sizes of the presets (as in
    Brown et al. 2020, table 2.1), so it is raised by that root; warm-up keeps its share of the steps.
    """
    texts = ("world", "python-reference", "docstrings")
    return [
        Case(f"{preset.label} made small, {text}", HEALTHY, text, _scaled(preset.sections), held_out=held)
        for number, preset in enumerate(presets())
        for text, held in ((texts[number % 2], False), (texts[2], True))
    ]


def _scaled(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    plan, width = sections["train"], sections["model"]["embed_size"]
    return {
        "steps": STEPS,
        "learning_rate": float(f"{plan['learning_rate'] * (width / WIDTH) ** 0.5:.2g}"),
        "warmup": max(5, round(plan["warmup"] * STEPS / plan["steps"])),
        "optimizer": plan["optimizer"],
    }


def _healthy() -> list[Case]:
    muon = {"optimizer": "muon", "learning_rate": 3e-3}
    often = {"learning_rate": 3e-3, "steps": 600}
    roomy = {"num_layers": 3, "embed_size": 96}
    known = [
        Case("linear", HEALTHY, "world", {"schedule": "linear"}),
        Case("flat", HEALTHY, "python-reference", {"schedule": "constant", "learning_rate": 1e-3}),
        Case("WSD", HEALTHY, "python-library", {"schedule": "wsd"}),
        Case("Muon, flat", HEALTHY, "world", {**muon, "schedule": "constant"}),
        Case("Muon, linear", HEALTHY, "python-reference", {**muon, "schedule": "linear"}),
        Case("dropout 0.2", HEALTHY, "python-reference", {}, {"dropout": 0.2}),
        Case("two texts a step", HEALTHY, "world", {"batch_size": 2, "steps": 600}),
        Case("64 texts a step", HEALTHY, "python-reference", {"batch_size": 64, "steps": 200}),
        Case("accumulation", HEALTHY, "world", {"batch_size": 8, "accumulation": 4, "steps": 200}),
        Case("bf16", HEALTHY, "python-library", {"precision": "bf16"}),
        Case("own BPE", HEALTHY, "world", {}, data={"tokenizer": "bpe", "bpe_size": 1024}),
        Case("bytes, untied", HEALTHY, "python-reference", {}, {"tie_embeddings": False},
             {"tokenizer": "bytes"}),
        Case("went on after a break", HEALTHY, "world", {}, later=(180, {})),
        Case("went on at half the rate", HEALTHY, "python-reference", {"schedule": "constant"},
             later=(200, {"learning_rate": 1e-3})),
        Case("long warm-up", HEALTHY, "world", {"warmup": 200}),
        Case("150 steps", HEALTHY, "python-reference", {"steps": 150}),
        Case("longer", HEALTHY, "world", {"steps": 1200, "evaluate_every": 50}),
        Case("as long as Tiny", HEALTHY, "world",
             {**muon, "steps": 4000, "warmup": 100, "evaluate_every": 250}),
        Case("flat, 3 000 steps", HEALTHY, "python-reference",
             {"schedule": "constant", "learning_rate": 1e-3, "steps": 3000, "evaluate_every": 100}),
        Case("nothing held out", HEALTHY, "python-library", {}, data={"validation": 0.0}),
        Case("careful rate", HEALTHY, "world", {"learning_rate": 5e-4}),
        Case("rate / 10", HEALTHY, "world", {"learning_rate": 2e-4}),
        Case("rate / 10, Muon", HEALTHY, "python-reference", {"learning_rate": 2e-4, "optimizer": "muon"}),
        Case("rate × 6", HEALTHY, "world", {"learning_rate": 0.012}),
        Case("rate × 15, Muon", HEALTHY, "python-reference", {"learning_rate": 0.03, "optimizer": "muon"}),
        Case("any word after any other: it still falls", HEALTHY, "dice",
             {"schedule": "constant", "steps": 600}),
        Case("lively rate", HEALTHY, "world", {"learning_rate": 6e-3}),
        Case("16 kB, large model, validation still falls", HEALTHY, "reference-16k",
             {"learning_rate": 4e-3, "steps": 500}, {"num_layers": 4, "embed_size": 128}),
        Case("24 kB, validation still falls", HEALTHY, "reference-24k", often, roomy),
        Case("30 kB of the library, validation still falls", HEALTHY, "library-30k",
             {**often, "schedule": "constant"}, roomy),
    ]  # fmt: skip
    others = [
        Case("linear, names", HEALTHY, "names", {"schedule": "linear"}),
        Case("Muon, names", HEALTHY, "names", muon),
        Case("WSD, docstrings", HEALTHY, "docstrings", {"schedule": "wsd"}),
        Case("Muon, WSD, docstrings", HEALTHY, "docstrings", {**muon, "schedule": "wsd"}),
        Case("dropout 0.1, names", HEALTHY, "names", {}, {"dropout": 0.1}),
        Case("two texts a step, docstrings", HEALTHY, "docstrings", {"batch_size": 2, "steps": 600}),
        Case("bf16, own BPE, docstrings", HEALTHY, "docstrings", {"precision": "bf16"},
             data={"tokenizer": "bpe", "bpe_size": 512}),
        Case("went on after a break, docstrings", HEALTHY, "docstrings", muon, later=(160, {})),
        Case("flat, longer, docstrings", HEALTHY, "docstrings",
             {"schedule": "constant", "learning_rate": 1e-3, "steps": 1000, "evaluate_every": 50}),
        Case("careful rate, names", HEALTHY, "names", {"learning_rate": 6e-4}),
        Case("any word after any other, Muon: it still falls", HEALTHY, "dice",
             {"schedule": "constant", "steps": 600, "optimizer": "muon"}),
        Case("24 kB of docstrings, validation still falls", HEALTHY, "docstrings-24k", often, roomy),
        Case("4 kB of names, validation still falls", HEALTHY, "names-4k",
             {"steps": 300, "schedule": "linear"}, {"num_layers": 4, "embed_size": 96}, {"validation": 0.2}),
    ]  # fmt: skip
    return known + [dataclasses.replace(case, held_out=True) for case in others]
