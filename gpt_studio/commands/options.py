"""Every setting as an option, by itself: `--train.steps 100` sets `steps` of the section `train`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gpt_studio.core.config import SECTIONS, RunConfig, SampleConfig
from gpt_studio.core.presets import first_config, presets
from gpt_studio.core.run_file import SECTION_ORDER, located, preset_config, read_run_file
from gpt_studio.core.settings import Setting, Value, number_text, settings_of, value_problem

TITLES = {"model": "model", "data": "texts and tokenizer", "train": "training", "sample": "sampling"}
YES, NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Where the config comes from: a run file or a preset, else that of the first launch."""
    parser.usage = "%(prog)s [RUN.json | --preset NAME] [OPTION …] [--SECTION.SETTING VALUE …]"
    names = ", ".join(preset.name for preset in presets())
    source = parser.add_mutually_exclusive_group()
    source.add_argument("run", nargs="?", type=Path, metavar="RUN.json", help="a run file: settings in JSON")
    source.add_argument(
        "--preset",
        choices=[preset.name for preset in presets()],
        metavar="NAME",
        help=f"a ready-made model: {names}",
    )
    add_settings(parser, SECTIONS)


def add_settings(parser: argparse.ArgumentParser, sections: Iterable[str]) -> None:
    """An option for every setting of some sections."""
    for section in sections:
        group = parser.add_argument_group(TITLES[section])
        for setting in settings_of(SECTIONS[section]).values():
            group.add_argument(
                f"--{section}.{setting.name}",
                type=str if setting.choices else _reader(setting),
                action="append" if setting.kind == "list" else "store",
                choices=[choice.value for choice in setting.choices] or None,
                metavar=None if setting.choices else _metavar(setting),
                default=argparse.SUPPRESS,
                help=_help(setting),
            )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .safetensors file")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="", help="cpu, cuda or cuda:1; without it a GPU if there is one")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="write JSON for programs")


def positive(text: str) -> int:
    """A whole number above zero."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def config_of(chosen: argparse.Namespace, base: RunConfig | None = None) -> RunConfig:
    """The whole config: run file, preset, `base` or that of the first launch, then the options.

    Raises:
        StudioError: the run file cannot be used.
    """
    if chosen.run:
        config = read_run_file(chosen.run, base)
    elif chosen.preset:
        config = preset_config(chosen.preset)
    else:
        config = base or first_config()
    for section in SECTION_ORDER:
        config = config.changed(section, changes(chosen, section))
    return located(config, Path.cwd())


def changes(chosen: argparse.Namespace, section: str) -> dict[str, Value]:
    """The fields of a section that options set."""
    given = vars(chosen)
    names = [name for name in settings_of(SECTIONS[section]) if f"{section}.{name}" in given]
    values = {name: given[f"{section}.{name}"] for name in names}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _reader(setting: Setting) -> Callable[[str], Any]:
    """Text to a value of the setting, refused where it cannot be used."""

    def read(text: str) -> Any:
        if setting.kind == "switch":
            return _switch(text)
        value = _value(setting, text)
        problem = value_problem(setting, (value,) if setting.kind == "list" else value)
        if problem:
            raise argparse.ArgumentTypeError(problem.text)
        return value

    return read


def _switch(text: str) -> bool:
    if text.lower() not in YES + NO:
        raise argparse.ArgumentTypeError(f"“{text}” is neither yes nor no.")
    return text.lower() in YES


def _value(setting: Setting, text: str) -> Any:
    """A value of the setting's kind; the text itself where it is none."""
    try:
        if setting.kind == "int":
            return int(text)
        if setting.kind == "float" or setting.items == "float":
            return float(text)
    except ValueError:
        pass
    return text


def _metavar(setting: Setting) -> str:
    named = {"switch": "yes|no", "int": "N", "float": "X", "text": "TEXT"}
    return named.get(setting.kind, "X" if setting.items == "float" else "NAME")


def _help(setting: Setting) -> str:
    """Label and help of the setting, and what it may be."""
    text = f"{setting.label}. {setting.help}"
    if setting.kind == "list":
        text += " Repeat the option for more than one."
    if setting.low is not None and setting.high is not None:
        low, high = number_text(setting, setting.low), number_text(setting, setting.high)
        text += f" {low} to {high}."
    return text.replace("%", "%%")


seed = _reader(settings_of(SampleConfig)["seed"])
