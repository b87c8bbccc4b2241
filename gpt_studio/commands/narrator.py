"""Training in words: one calm line for each look at how well it goes, and a status line in between."""

from __future__ import annotations

import time
from collections.abc import Callable

from gpt_studio.commands.output import StatusLine
from gpt_studio.core import units
from gpt_studio.core.events import Event
from gpt_studio.core.metrics import bits_per_byte
from gpt_studio.core.run_events import Evaluated, Examined, Step


class Narrator:
    """Gathers what is known about a step; says it when the next one begins."""

    def __init__(
        self,
        steps: int,
        done: int,
        bytes_per_token: float,
        status: StatusLine,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps = steps
        self._first = self._step = done
        self._bytes_per_token = bytes_per_token
        self._status = status
        self._tell = tell
        self._clock = clock
        self._begun = clock()
        self._losses: list[float] = []  # since the last line
        self._speed = 0.0
        self._facts: list[str] = []

    def hear(self, event: Event) -> None:
        match event:
            case Step(step, values):
                self.finish()
                self._step = step
                self._losses.append(values["loss"])
                self._speed = values["tokens_per_second"]
                self._status.show(self._line([f"loss {units.loss(values['loss'])}"]))
            case Evaluated(_, loss):
                self._facts.append(f"validation {units.loss(loss)}")
                if self._bytes_per_token:
                    bits = bits_per_byte(loss, self._bytes_per_token)
                    self._facts.append(f"{units.number(bits, 3)} bits/byte")
            case Examined(exam):
                self._facts.append(f"exams {units.percent(exam.mean)}")

    def finish(self) -> None:
        """Say what is left to say."""
        if self._facts:
            mean = sum(self._losses) / len(self._losses)
            self._status.clear()
            self._tell(self._line([f"loss {units.loss(mean)}", *self._facts]))
            self._losses, self._facts = [], []

    def _line(self, facts: list[str]) -> str:
        total = units.number(self._steps)
        step = units.number(self._step).rjust(len(total))
        seconds = self._clock() - self._begun
        to_come = self._steps - self._step
        left = f"{units.duration(to_come * seconds / max(1, self._step - self._first))} left"
        time = left if to_come else f"took {units.duration(seconds)}"
        return " · ".join([f"step {step} of {total}", *facts, f"{units.short(self._speed)} tokens/s", time])
