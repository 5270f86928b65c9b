"""How long and how carefully a recipe is followed."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How long and how carefully a recipe is followed.

    Args:
        steps: length of the training; may be changed on resume, the learning rate then falls to
            its end at the new last step.
        batch: pictures a step, over all devices together.
        seed: of networks, crops and losses.
        warmup: steps over which the learning rate rises.
        clip: largest length of a network's gradient.
        average: weight of the past in the running mean of the weights, which is what is kept.
        held: held-out pictures that validation looks at.
        validate_every: steps between validations and sheets of samples.
        patience: validations without a better leading figure after which to stop; 0 never stops.
        save_seconds: time between checkpoints; 0 saves after every step.
        workers: threads that decode pictures ahead.
        half: store float16 weights.
    """

    steps: int = 5000
    batch: int = 16
    seed: int = 0
    warmup: int = 200
    clip: float = 1.0
    average: float = 0.999
    held: int = 32
    validate_every: int = 500
    patience: int = 0
    save_seconds: float = 120.0
    workers: int = 1
    half: bool = True

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.validate_every, self.held) < 1:
            raise ValueError(f"steps, batch, validate_every, held must be at least 1: {self}")

    def rate(self, step: int) -> float:
        """Scale of the learning rates: a linear rise, then half a cosine down to 2 %."""
        rise = min(1.0, (step + 1) / max(self.warmup, 1))
        return rise * (0.02 + 0.49 * (1 + math.cos(math.pi * step / self.steps)))
