"""What to say where memory does not suffice: what happened, what was kept, what to try."""

from __future__ import annotations

from gpt_studio.core.errors import StudioError


def no_room_for_the_model() -> StudioError:
    return StudioError(
        "There is not enough memory for this model.",
        kept="The model there was is kept.",
        tries="Use fewer layers, a smaller embedding or another device.",
    )


def no_room_to_write() -> StudioError:
    return StudioError(
        "There is not enough memory to write an answer.",
        kept="The model is as it was.",
        tries="Stop the training first, or close other programs.",
    )


def no_room_to_save() -> StudioError:
    return StudioError(
        "The checkpoint was not saved — there is not enough memory to copy the model",
        kept="The model is still in memory, and an earlier file of this name is unchanged.",
        tries="Stop the training or close other programs, then save again.",
    )


def no_room_to_measure() -> StudioError:
    return StudioError("There is not enough memory to measure how fast this would be.")
