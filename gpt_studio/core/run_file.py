"""What a run file may say: a preset and any settings, in JSON, to be trained again and again."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpt_studio.core.config import SECTIONS, VERSION, RunConfig
from gpt_studio.core.corpora import is_built_in
from gpt_studio.core.errors import StudioError
from gpt_studio.core.presets import first_config, presets
from gpt_studio.core.settings import Value, settings_of, value_problem

SECTION_ORDER = ("data", "model", "train", "sample")  # the tokenizer first: it sets the vocabulary


def read_run_file(path: Path, base: RunConfig | None = None) -> RunConfig:
    """The config a run file asks for: its preset, else `base` or that of the first launch, changed.

    Paths in it are relative to its own folder. "about" may tell of the run it comes from.

    Raises:
        StudioError: it cannot be read, or says something that cannot be used.
    """
    data = read_json(path)
    _check_names(path, data, (*SECTIONS, "version", "preset", "about"))
    version = data.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise StudioError(f"A newer GPT Studio wrote “{path.name}”.", tries="Update GPT Studio.")
    config = preset_config(data["preset"]) if "preset" in data else base or first_config()
    for section in SECTION_ORDER:
        if section in data:
            config = config.changed(section, _section(path, section, data[section]))
    return located(config, path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """A file with one JSON object.

    Raises:
        StudioError: it is none.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudioError(f"“{path}” cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise StudioError(f"“{path.name}” is not a JSON file: {error}.") from error
    if not isinstance(data, dict):
        raise StudioError(f"“{path.name}” is not a run file: it holds no settings.")
    return data


def preset_config(name: object) -> RunConfig:
    """The config of a preset.

    Raises:
        StudioError: there is none of this name.
    """
    for preset in presets():
        if preset.name == name:
            return preset.alone()
    names = ", ".join(preset.name for preset in presets())
    raise StudioError(f"There is no preset “{name}”.", tries=f"Use one of: {names}.")


def located(config: RunConfig, folder: Path) -> RunConfig:
    """The config with whole paths, so that it means the same wherever it is read again."""

    def whole(path: str) -> str:
        return os.path.normpath(folder.absolute() / Path(path).expanduser())

    corpora = tuple(name if is_built_in(name) else whole(name) for name in config.data.corpora)
    file = config.data.tokenizer_file
    return config.changed("data", {"corpora": corpora, "tokenizer_file": whole(file) if file else ""})


def check_usable(config: RunConfig) -> None:
    """Refuse a config with the first value that cannot be used.

    Raises:
        StudioError: there is one.
    """
    for name, problem in config.problems().items():
        fixes = [fix.label for fix in problem.fixes]
        tries = ", or ".join(fixes[:1] + [label[:1].lower() + label[1:] for label in fixes[1:]])
        raise StudioError(f"{name}: {problem.text}", tries=f"{tries}." if tries else "")


def _section(path: Path, section: str, data: object) -> dict[str, Value]:
    """The checked fields of one section of a run file."""
    if not isinstance(data, dict):
        raise StudioError(f"“{section}” in “{path.name}” has to be a group of settings.")
    known = settings_of(SECTIONS[section])
    _check_names(path, data, known, f"{section}.")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    for name, value in values.items():
        if problem := value_problem(known[name], value):
            raise StudioError(f"“{path.name}”, {section}.{name}: {problem.text}")
    return values


def _check_names(path: Path, data: Iterable[str], known: Iterable[str], prefix: str = "") -> None:
    """Refuse a name that means nothing: a typing error would silently train something else."""
    for name in set(data).difference(known):
        near = difflib.get_close_matches(name, list(known), 1)
        tries = f"Did you mean “{prefix}{near[0]}”?" if near else f"There are: {', '.join(known)}."
        raise StudioError(f"“{path.name}” has an unknown setting “{prefix}{name}”.", tries=tries)
