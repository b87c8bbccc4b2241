"""A run in one .safetensors file: tensors plus JSON, nothing that can run code.

Tensors: `model.<parameter>`, `optimizer.<parameter>.<moment>`, `history.<column>`, and the samples' JSON as
bytes in `history.samples`. Metadata: format, step, config, tokenizer, exams, marks, bytes per token, the
fingerprint of the texts and the scale of an fp16 loss; the last five may be missing, as in older files, which
have the samples here and nothing of the machine's resources. A file without `optimizer.` tensors has weights
alone; training it further starts the optimizer anew.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.metrics import METRICS, RESOURCES, Exam, History, Mark, Sample
from gpt_studio.engine.device import is_out_of_memory
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import moment_shapes
from gpt_studio.engine.saving import Saving
from gpt_studio.engine.tokenizers import Tokenizer, tokenizer_from_dict

FORMAT = "gpt-studio/1"
KEPT = "Nothing was changed."
TRIES = "Open a .safetensors file that GPT Studio saved."


@dataclass
class Checkpoint:
    """A run at one step. `moments` are the optimizer's, under "<parameter>.<moment>"; they may be missing.

    `fingerprint` is that of the texts learned from, empty where it is not known; `scale` is that of an fp16
    loss, 0 where there is none.
    """

    config: RunConfig
    step: int
    tokenizer: Tokenizer
    model: GPT
    history: History = field(default_factory=History)
    moments: Mapping[str, Tensor] = field(default_factory=dict)
    fingerprint: str = ""
    scale: float = 0.0

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a file by name. A tied head is the token embedding: stored once."""
        parts = {
            "model": dict(self.model.named_parameters()),
            "optimizer": self.moments,
            "history": _columns(self.history),
        }
        return {f"{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()}

    def metadata(self) -> dict[str, str]:
        """What a file says beside its tensors."""
        history = self.history
        return {
            "format": FORMAT,
            "step": str(self.step),
            "config": json.dumps(self.config.to_dict()),
            "tokenizer": json.dumps(self.tokenizer.to_dict()),
            "exams": json.dumps([[exam.step, dict(exam.scores)] for exam in history.exams]),
            "marks": json.dumps([[mark.step, mark.kind, mark.text] for mark in history.marks]),
            "bytes_per_token": repr(history.bytes_per_token),
            "fingerprint": self.fingerprint,
            "scale": repr(self.scale),
        }

    def weights_only(self) -> Checkpoint:
        """The model to hand on, without what only its training and its charts need."""
        history = History()
        history.bytes_per_token = self.history.bytes_per_token
        return replace(self, history=history, moments={})


def save(path: str | Path, checkpoint: Checkpoint) -> int:
    """Write a checkpoint beside its place, flush it to disk, then rename it; return its bytes.

    Whatever goes wrong, an earlier file of this name stays as it was and no partial file is left.

    Raises:
        StudioError: the place cannot be written, or the disk is full.
    """
    return Saving(path, checkpoint).wait()


def _columns(history: History) -> dict[str, Tensor]:
    """The curves as they are now, and the texts."""
    columns: dict[str, array[Any]] = {
        "steps": history.steps,
        "validation_steps": history.validation_steps,
        "validation_losses": history.validation_losses,
        "resource_steps": history.resource_steps,
        **history.columns,
        **history.resources,
        "samples": array("B", _texts(history.samples)),  # too much for a header
    }
    return {name: torch.from_numpy(np.array(column)) for name, column in columns.items()}


def _texts(samples: Sequence[Sample]) -> bytes:
    rows = [[sample.step, sample.prompt, sample.text, sample.tokens] for sample in samples]
    return json.dumps(rows).encode()


# ---------------------------------------------------------------- opening


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint onto the CPU and check all of it; nothing keeps the file open.

    Raises:
        StudioError: there is no such file, it is damaged, or it is something else.
    """
    path = Path(path)
    try:
        _check_file(path)
        with _opened(path) as file:
            return _read(file)
    except StudioError as error:
        raise StudioError(error.what, kept=KEPT, tries=error.tries or TRIES) from error
    except OSError as error:
        raise StudioError(f"The file cannot be read: {error.strerror}.", kept=KEPT, tries=TRIES) from error
    except Exception as error:  # there is no list of what a damaged file may provoke
        if is_out_of_memory(error):
            tries = "Close other programs, or open a smaller model."
            raise StudioError("There is not enough memory to open it.", kept=KEPT, tries=tries) from error
        raise _damaged() from error


def step_of(path: Path) -> int:
    """The step a checkpoint says it holds; 0 where there is none that can be read."""
    try:
        with safe_open(path, "pt") as file:
            return int((file.metadata() or {})["step"])
    except Exception:  # there is no list of what a damaged file may provoke
        return 0


def _foreign() -> StudioError:
    return StudioError("This file is not a GPT Studio checkpoint.", kept=KEPT, tries=TRIES)


def _damaged(what: str = "it cannot be read to its end") -> StudioError:
    return StudioError(f"This checkpoint is damaged: {what}.", kept=KEPT, tries="Open another checkpoint.")


def _check_file(path: Path) -> None:
    if not path.exists():
        raise StudioError(f"There is no file “{path.name}”.", tries="Open another checkpoint.")
    if path.is_dir():
        raise StudioError(f"“{path.name}” is a folder, not a checkpoint.")
    if not path.is_file() or path.stat().st_size == 0:
        raise _foreign()


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, "pt")
    except SafetensorError as error:  # cut short, or no safetensors file at all
        raise _foreign() from error


def _read(file: Any) -> Checkpoint:
    """Check and read an open safetensors file."""
    metadata = file.metadata() or {}
    _check_format(metadata.get("format", ""))
    config = RunConfig.from_dict(json.loads(metadata["config"]))
    tokenizer = tokenizer_from_dict(json.loads(metadata["tokenizer"]))
    if tokenizer.vocab_size != config.model.vocab_size:
        raise _damaged("its tokenizer does not fit its model")
    step = int(metadata["step"])
    if step < 0:
        raise _damaged("it has no step")
    model = _read_model(file, config)
    moments = _read_moments(file, model, config.train.optimizer)
    history = _read_history(file, metadata)
    _check_history(history, step)
    fingerprint = metadata.get("fingerprint", "")
    scale = float(metadata.get("scale", "0"))
    if not 0 <= scale < math.inf:
        raise _damaged("its loss has no scale")
    return Checkpoint(config, step, tokenizer, model, history, moments, fingerprint, scale)


def _check_format(format: str) -> None:
    if not format.startswith("gpt-studio/"):
        raise _foreign()
    if format != FORMAT:
        raise StudioError(
            "A newer GPT Studio wrote this file.", tries="Update GPT Studio, then open the file again."
        )


def _read_model(file: Any, config: RunConfig) -> GPT:
    """The model, made of the file's own tensors; a config that lies takes no memory."""
    with torch.device("meta"):
        model = GPT(config.model)
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    model.load_state_dict(_read_tensors(file, "model", shapes), assign=True)
    return model


def _read_moments(file: Any, model: GPT, optimizer: str) -> dict[str, Tensor]:
    """The optimizer's memory; empty when the file has none."""
    if not any(key.startswith("optimizer.") for key in file.keys()):  # noqa: SIM118 (no mapping)
        return {}
    return _read_tensors(file, "optimizer", moment_shapes(dict(model.named_parameters()), optimizer))


def _read_tensors(file: Any, part: str, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """The tensors of one part, which must be exactly these, in float32 and finite."""
    held = {key.removeprefix(f"{part}.") for key in file.keys() if key.startswith(f"{part}.")}  # noqa: SIM118
    if held != shapes.keys():
        raise _damaged("its tensors are not those of its model")
    tensors = {}
    for name, shape in shapes.items():
        stored = file.get_slice(f"{part}.{name}")
        if tuple(stored.get_shape()) != tuple(shape) or stored.get_dtype() != "F32":
            raise _damaged("its tensors do not fit its model")
        tensors[name] = file.get_tensor(f"{part}.{name}").clone()  # not a view of the file
        if not tensors[name].isfinite().all():
            raise _damaged("some of its numbers are not finite")
    return tensors


def _read_history(file: Any, metadata: Mapping[str, str]) -> History:
    history = History()
    history.steps = _read_column(file, "steps", "q")
    history.columns = {metric.name: _read_column(file, metric.name, "d") for metric in METRICS}
    history.validation_steps = _read_column(file, "validation_steps", "q")
    history.validation_losses = _read_column(file, "validation_losses", "d")
    if "history.resource_steps" in file.keys():  # noqa: SIM118 (no mapping)
        history.resource_steps = _read_column(file, "resource_steps", "q")
        history.resources = {metric.name: _read_column(file, metric.name, "d") for metric in RESOURCES}
    history.samples = [_read_sample(*fields) for fields in _read_samples(file, metadata)]
    history.marks = [
        Mark(int(step), str(kind), str(text)) for step, kind, text in json.loads(metadata.get("marks", "[]"))
    ]
    history.exams = [_read_exam(step, scores) for step, scores in json.loads(metadata.get("exams", "[]"))]
    history.bytes_per_token = float(metadata.get("bytes_per_token", "0"))
    if not 0 <= history.bytes_per_token < math.inf:
        raise _damaged("its texts have no length")
    for steps, columns in (
        (history.steps, history.columns.values()),
        (history.validation_steps, [history.validation_losses]),
        (history.resource_steps, history.resources.values()),
    ):
        if any(len(column) != len(steps) for column in columns):
            raise _damaged("its curves are of different lengths")
    return history


def _read_samples(file: Any, metadata: Mapping[str, str]) -> Any:
    if "history.samples" not in file.keys():  # noqa: SIM118 (no mapping)
        return json.loads(metadata["samples"])
    return json.loads(file.get_tensor("history.samples").numpy().tobytes())


def _read_sample(step: Any, prompt: Any, text: Any, tokens: Any = ()) -> Sample:
    return Sample(
        int(step), str(prompt), str(text), tuple((str(token), float(share)) for token, share in tokens)
    )


def _read_exam(step: Any, scores: Any) -> Exam:
    found = {str(skill): float(share) for skill, share in scores.items()}
    if not all(0 <= share <= 1 for share in found.values()):
        raise _damaged("its exams have impossible results")
    return Exam(int(step), found)


def _check_history(history: History, step: int) -> None:
    """Training goes on from the last row: after no step that is still to come, with numbers that can grow."""
    for steps in (history.steps, history.validation_steps, [exam.step for exam in history.exams]):
        if any(later <= earlier for earlier, later in pairwise((0, *steps, step + 1))):
            raise _damaged("the steps of its curves are out of order")
    if history and not all(0 <= history.row(-1)[name] < math.inf for name in ("tokens", "seconds")):
        raise _damaged("its curves do not end in numbers")


def _read_column(file: Any, name: str, typecode: str) -> array[Any]:
    tensor = file.get_tensor(f"history.{name}")
    dtype = torch.int64 if typecode == "q" else torch.float64
    if tensor.dtype != dtype or tensor.dim() != 1:
        raise _damaged("its curves cannot be read")
    return array(typecode, tensor.numpy().tobytes())
