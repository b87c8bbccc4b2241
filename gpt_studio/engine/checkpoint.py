"""A run in one .safetensors file: tensors plus JSON, nothing that can run code.

Tensors: `model.<parameter>`, `optimizer.<parameter>.<moment>`, `history.<column>`. Metadata: format,
step, config, tokenizer, samples, exams, bytes per token and the fingerprint of the texts; the last three
may be missing. A file without `optimizer.` tensors has weights alone; training it further starts the
optimizer anew.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
import shutil
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.metrics import METRICS, Exam, History, Sample
from gpt_studio.engine.device import is_out_of_memory
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import moment_shapes
from gpt_studio.engine.tokenizers import Tokenizer, tokenizer_from_dict

FORMAT = "gpt-studio/1"
KEPT = "Nothing was changed."
TRIES = "Open a .safetensors file that GPT Studio saved."
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
WINDOWS = {5: errno.EACCES, 19: errno.EROFS, 39: errno.ENOSPC, 112: errno.ENOSPC}  # its own error numbers


@dataclass
class Checkpoint:
    """A run at one step. `moments` are the optimizer's, under "<parameter>.<moment>"; they may be missing.

    `fingerprint` is that of the texts learned from, empty where it is not known.
    """

    config: RunConfig
    step: int
    tokenizer: Tokenizer
    model: GPT
    history: History = field(default_factory=History)
    moments: Mapping[str, Tensor] = field(default_factory=dict)
    fingerprint: str = ""

    def weights_only(self) -> Checkpoint:
        """The model to hand on, without what only its training and its charts need."""
        history = History()
        history.bytes_per_token = self.history.bytes_per_token
        return replace(self, history=history, moments={})


# ---------------------------------------------------------------- saving


def save(path: str | Path, checkpoint: Checkpoint) -> int:
    """Write a checkpoint beside its place, flush it to disk, then rename it; return its bytes.

    Whatever goes wrong, an earlier file of this name stays as it was and no partial file is left.

    Raises:
        StudioError: the place cannot be written, or the disk is full.
    """
    tensors, metadata = _tensors(checkpoint), _metadata(checkpoint)
    need = _header_size(tensors, metadata) + sum(t.nbytes for t in tensors.values())
    try:
        target = Path(os.path.realpath(path))  # a link stays a link
        _check_place(target)
        _remove_partials(target)
        _check_room(target.parent, need)
        _write(target, tensors, metadata)
        return target.stat().st_size
    except (OSError, SafetensorError) as error:
        raise _not_saved(error, Path(path), need) from error


def _check_place(target: Path) -> None:
    if not target.parent.is_dir():
        raise _unsaved(f"there is no folder “{target.parent}”")
    if target.exists() and not target.is_file():
        raise _unsaved(f"“{target.name}” is a folder" if target.is_dir() else f"“{target.name}” is no file")


def _check_room(folder: Path, need: int) -> None:
    if lack := _lack_of_room(folder, need):
        raise _unsaved(lack)


def _lack_of_room(folder: Path, need: int) -> str:
    """Say how much of a disk is free if that is too little; empty where there is enough, or nobody knows."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    return f"{units.memory(free, like=need)} free, {units.memory(need)} needed" if free < need else ""


def _write(target: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    partial = target.with_name(f"{_partial_stem(target)}.{secrets.token_hex(4)}.partial")
    try:
        save_file(tensors, partial, metadata)
        with partial.open("rb+") as file:
            _flush(file.fileno())
        partial.chmod(0o666 & ~_umask())  # as any new file: others in a shared folder may read it
        partial.replace(target)
        _flush_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _partial_stem(target: Path) -> str:
    return target.stem[:40]  # names have a greatest length


def _remove_partials(target: Path) -> None:
    """Remove what a save to this place left when the program was killed."""
    ours = re.compile(re.escape(_partial_stem(target)) + r"\.[0-9a-f]{8}\.partial")
    for file in target.parent.iterdir():
        if ours.fullmatch(file.name):
            with contextlib.suppress(OSError):
                file.unlink()


def _umask() -> int:
    """What new files do not allow; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _flush(descriptor: int) -> None:
    """Make a file outlive a power cut; a Mac's fsync does not wait for the disk itself."""
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # some network disks cannot
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself outlive a power cut; Windows has no such call."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """All tensors of a file by name, on the CPU. A tied head is the token embedding: stored once."""
    parts = {
        "model": dict(checkpoint.model.named_parameters()),
        "optimizer": checkpoint.moments,
        "history": _columns(checkpoint.history),
    }
    return {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def _header_size(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> int:
    """Bytes that the header takes at most: JSON, in which the texts are quoted once more."""
    far = 10**15
    entries = {
        name: {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [far, far]}
        for name, tensor in tensors.items()
    }
    return len(json.dumps({"__metadata__": metadata, **entries})) + 16


def _columns(history: History) -> dict[str, Tensor]:
    columns: dict[str, array[Any]] = {
        "steps": history.steps,
        "validation_steps": history.validation_steps,
        "validation_losses": history.validation_losses,
        **history.columns,
    }
    return {name: torch.from_numpy(np.array(column)) for name, column in columns.items()}


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    history = checkpoint.history
    samples = [[sample.step, sample.prompt, sample.text] for sample in history.samples]
    exams = [[exam.step, dict(exam.scores)] for exam in history.exams]
    return {
        "format": FORMAT,
        "step": str(checkpoint.step),
        "config": json.dumps(checkpoint.config.to_dict()),
        "tokenizer": json.dumps(checkpoint.tokenizer.to_dict()),
        "samples": json.dumps(samples),
        "exams": json.dumps(exams),
        "bytes_per_token": repr(history.bytes_per_token),
        "fingerprint": checkpoint.fingerprint,
    }


def _not_saved(error: OSError | SafetensorError, path: Path, need: int) -> StudioError:
    code = _error_number(error)
    if code in NO_ROOM:
        return _unsaved(_lack_of_room(path.parent, need) or f"the disk did not take {units.memory(need)}")
    if code in FORBIDDEN:
        return _unsaved(f"the folder “{path.parent}” may not be written to")
    return _unsaved(os.strerror(code) if code else str(error))


def _error_number(error: OSError | SafetensorError) -> int:
    """The POSIX number of an error, 0 if unknown. The safetensors library has it in its text alone."""
    if isinstance(error, OSError):
        return error.errno or 0
    found = re.search(r"os error (\d+)", str(error))
    number = int(found[1]) if found else 0
    return WINDOWS.get(number, 0) if os.name == "nt" else number


def _unsaved(reason: str) -> StudioError:
    return StudioError(
        f"The checkpoint was not saved — {reason}",
        kept="The model is still in memory, and an earlier file of this name is unchanged.",
        tries="Choose another folder or name.",
    )


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
    return Checkpoint(config, step, tokenizer, model, history, moments, fingerprint)


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
    history.samples = [
        Sample(int(step), str(prompt), str(text)) for step, prompt, text in json.loads(metadata["samples"])
    ]
    history.exams = [_read_exam(step, scores) for step, scores in json.loads(metadata.get("exams", "[]"))]
    history.bytes_per_token = float(metadata.get("bytes_per_token", "0"))
    if not 0 <= history.bytes_per_token < math.inf:
        raise _damaged("its texts have no length")
    rows = {len(history.steps), *map(len, history.columns.values())}
    if len(rows) != 1 or len(history.validation_steps) != len(history.validation_losses):
        raise _damaged("its curves are of different lengths")
    return history


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
