"""What every part of a run's config can do: be changed, be checked, become plain data and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gpt_studio.core.errors import StudioError
from gpt_studio.core.settings import Problem, settings_of, value_problem


@dataclass(frozen=True)
class Section:
    """One part of a config."""

    def changed(self, **changes: Any) -> Self:
        return dataclasses.replace(self, **changes)

    def problems(self) -> dict[str, Problem]:
        """Every field whose value cannot be used, by name."""
        found = {
            name: value_problem(described, getattr(self, name))
            for name, described in settings_of(type(self)).items()
        }
        return {name: problem for name, problem in found.items() if problem}

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build from plain data; fields a file does not know keep their defaults.

        Raises:
            StudioError: a known field has a value of the wrong kind or out of range.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        values = {name: _plain(value) for name, value in data.items() if name in known}
        config = cls(**values)
        for problem in config.problems().values():
            raise StudioError(f"The settings cannot be used: {problem.text}")
        return config


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
