"""What changes while training, what of it a checkpoint holds, and what an interruption leaves."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from rather.fitting import checkpoint, journal
from rather.fitting.recipe import Nets, unwrapped


@dataclass
class Training:
    """Everything that changes while training; a checkpoint holds all of it but `whole`."""

    nets: Nets
    optimisers: dict[str, Optimizer]
    averaged: nn.Module
    step: int
    history: list[tuple[int, dict[str, float]]]  # step and held-out figures
    whole: bool = True  # False while a step is being made, which cannot be saved half


def state(training: Training) -> checkpoint.State:
    """What a checkpoint holds of a training."""
    return {
        "step": training.step,
        "history": training.history,
        "nets": {name: unwrapped(net).state_dict() for name, net in training.nets.items()},
        "averaged": training.averaged.state_dict(),
        "optimisers": {name: one.state_dict() for name, one in training.optimisers.items()},
    }


def restore(
    nets: Nets, optimisers: dict[str, Optimizer], averaged: nn.Module, saved: checkpoint.State
) -> None:
    """Put what a checkpoint holds into networks and optimisers."""
    for name, net in nets.items():
        net.load_state_dict(saved["nets"][name])
    for name, optimiser in optimisers.items():
        optimiser.load_state_dict(saved["optimisers"][name])
    averaged.load_state_dict(saved["averaged"])


@contextmanager
def saving(training: Training, book: journal.Journal, this: dict[str, str]) -> Generator[None]:
    """Save the steps that were made when the block is interrupted, and say what is kept."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if training.whole and training.step > book.kept:
            book.keep(lambda: this | state(training), 0.0, True)
        raise KeyboardInterrupt(book.promise()) from stop
