"""The learning rate of every step: arithmetic, so that a plan can be drawn before it is followed."""

import math

from gpt_studio.core.config import TrainConfig

LOWEST = 0.1  # of the learning rate, where the schedules end
DECAY = 0.2  # of the steps after the warm-up, in which WSD falls (Hu et al. 2024, MiniCPM, take a tenth)


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of a step (the first is 1): up from zero, then along the schedule to the last step."""
    if step < config.warmup:
        return config.learning_rate * step / config.warmup
    done = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    shape = {
        "cosine": (1 + math.cos(math.pi * done)) / 2,
        "wsd": min(1.0, (1 - done) / DECAY),
        "linear": 1 - done,
        "constant": 1.0,
    }[config.schedule]
    return config.learning_rate * (LOWEST + (1 - LOWEST) * shape)
