"""What an answer cost: classifier passes, the unit that travels between machines, and seconds."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from rather.classifier import Classifier


@dataclass
class Cost:
    """Passes of single images through the classifier, and wall time.

    `forward` (F) counts images seen without, `backward` (FB) images seen with a gradient to come.
    """

    forward: int = 0
    backward: int = 0
    seconds: float = 0.0


@contextmanager
def counting(classifier: Classifier) -> Generator[Cost]:
    """Count the classifier's passes inside the block."""
    cost, start = Cost(), time.perf_counter()

    def count(_module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled() and inputs[0].requires_grad:
            cost.backward += len(inputs[0])
        else:
            cost.forward += len(inputs[0])

    handle = classifier.register_forward_pre_hook(count)
    try:
        yield cost
    finally:
        handle.remove()
        cost.seconds = time.perf_counter() - start
