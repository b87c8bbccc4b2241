"""Why training stopped before its last step, in words, and the clicks to go on with."""

from __future__ import annotations

from gpt_studio.core import units
from gpt_studio.core.config import TrainConfig
from gpt_studio.core.errors import Remedy, StudioError
from gpt_studio.core.plan_changes import smaller_batch

Good = tuple[str, int]  # path and step of a checkpoint


def out_of_memory(plan: TrainConfig, current: int, done: int, device: str) -> StudioError:
    """Memory ran out in step `current`, or after it if that is `done`."""
    place = "this machine" if device == "cpu" else "the GPU"
    less = smaller_batch(plan)
    label = f"Resume with batch size {less.get('batch_size')}"
    tries = "a smaller batch with more accumulation" if less else "a shorter context, a smaller model"
    return StudioError(
        f"Training stopped at step {units.number(current)} — {place} ran out of memory",
        kept=f"The weights of step {units.number(done)} and the charts.",
        tries=f"Use {tries}, or gradient checkpointing.",
        remedies=(Remedy(label, "train", less, train=True),) if less else (),
    )


def not_finite(what: str, plan: TrainConfig, done: int, good: Good | None) -> StudioError:
    """The loss or a gradient of the step after `done` is not finite; no weights changed."""
    slower = plan.learning_rate / 2
    label = f"Resume with rate {units.rate(slower)}"
    return StudioError(
        f"Training stopped at step {units.number(done + 1)} — {what} became infinite",
        kept=f"The weights as they were after step {units.number(done)}, and the charts.",
        tries="Halve the learning rate, or make the warm-up longer.",
        remedies=(
            *_back(good, slower),
            Remedy(label, "train", {"learning_rate": slower}, train=True),
        ),
    )


def spoiled(plan: TrainConfig, done: int, good: Good | None) -> StudioError:
    """The weights themselves are not finite: nothing can be learned with them any more."""
    return StudioError(
        f"Training stopped at step {units.number(done + 1)} — the weights are not finite",
        kept="The charts, and the checkpoints from before.",
        tries="Go back to a checkpoint, with half the learning rate.",
        remedies=_back(good, plan.learning_rate / 2),
    )


def _back(good: Good | None, rate: float) -> tuple[Remedy, ...]:
    """Going on from the last good checkpoint, if there is one, at another rate."""
    if good is None:
        return ()
    path, step = good
    label = f"Go back to step {units.number(step)} with half the rate"
    return (Remedy(label, "train", {"learning_rate": rate}, train=True, checkpoint=path),)
