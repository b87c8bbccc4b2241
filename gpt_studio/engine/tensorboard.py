"""A run's curves and samples for TensorBoard too, through its own package, where that is installed.

Each is an event in a file of records; the tags are paths, and what has a path in common shares a chart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Event
from gpt_studio.core.metrics import bits_per_byte
from gpt_studio.core.run_events import Evaluated, Examined, Marked, PlanChanged, Resources, Sampled, Step

FOLDER = "tensorboard"  # in the run's
FLUSH = 5.0  # seconds after which what happened can be seen
NOT_INSTALLED = "No TensorBoard files: it is not installed (pip install gpt-studio[tensorboard])"
TAGS = {"loss": "loss/train"}  # of metrics that are not called by their names


class TensorBoard:
    """One file of events."""

    def __init__(self, run: Path, step: int, bytes_per_token: float) -> None:
        """Go on after a step: what TensorBoard knows of later ones is void.

        Raises:
            StudioError: the package is not installed, or the file cannot be written; so may `hear`.
        """
        try:
            from tensorboard.compat.proto.event_pb2 import Event as Record
            from tensorboard.compat.proto.event_pb2 import SessionLog
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise StudioError(NOT_INSTALLED) from error
        self._record, self._summary = Record, Summary
        self._bytes_per_token = bytes_per_token
        self._flushed = -math.inf
        now = time.time()
        try:
            folder = run / FOLDER
            folder.mkdir(exist_ok=True)
            self._file = (folder / f"events.out.tfevents.{now:.6f}").open("wb")
        except OSError as error:
            raise _refused(error) from error
        self._writer = RecordWriter(self._file)
        self._write(Record(wall_time=now, file_version="brain.Event:2"))
        self._write(Record(wall_time=now, step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def hear(self, event: Event) -> None:
        """Write what an event says."""
        match event:
            case Step(step, values):
                self._add_numbers(step, {TAGS.get(name, name): value for name, value in values.items()})
            case Evaluated(step, loss):
                known = self._bytes_per_token > 0
                bits = {"bits_per_byte": bits_per_byte(loss, self._bytes_per_token)} if known else {}
                self._add_numbers(step, {"loss/validation": loss, **bits})
            case Examined(exam):
                self._add_numbers(
                    exam.step, {f"exams/{skill}": score for skill, score in exam.scores.items()}
                )
            case Resources(step, values):
                self._add_numbers(step, {f"machine/{name}": value for name, value in values.items()})
            case Sampled(sample):
                self._add_text(sample.step, f"samples/{sample.prompt}", sample.prompt + sample.text)
            case Marked(mark) | PlanChanged(mark=mark):
                self._add_text(mark.step, "events", mark.text)

    def close(self) -> None:
        """Write what is not written yet, as far as that is possible."""
        try:
            self._file.close()
        except OSError as error:
            raise _refused(error) from error

    def _add_numbers(self, step: int, values: Mapping[str, float]) -> None:
        self._add(step, (self._summary.Value(tag=tag, simple_value=value) for tag, value in values.items()))

    def _add_text(self, step: int, tag: str, text: str) -> None:
        """As code, which TensorBoard shows as it is."""
        from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING

        lines = "".join(f"    {line}\n" for line in text.splitlines() or [""])
        shown = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        tensor = TensorProto(dtype=DT_STRING, string_val=[lines.encode("utf-8", "replace")])
        self._add(step, [self._summary.Value(tag=tag, metadata=shown, tensor=tensor)])

    def _add(self, step: int, values: Iterable[object]) -> None:
        self._write(self._record(wall_time=time.time(), step=step, summary=self._summary(value=values)))

    def _write(self, record: object) -> None:
        try:
            self._writer.write(record.SerializeToString())  # type: ignore[attr-defined]
            if time.monotonic() - self._flushed >= FLUSH:
                self._flushed = time.monotonic()
                self._file.flush()
        except OSError as error:
            raise _refused(error) from error


def _refused(error: OSError) -> StudioError:
    return StudioError(f"TensorBoard's files end here: {error.strerror}")
