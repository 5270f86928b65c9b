"""Trainings in one or two stretches that may be killed and started again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from rather import progress
from rather.fitting import Crop, Plan, checkpoint, fit
from rather.fitting.recipe import Source


@dataclass(frozen=True)
class Job:
    """What `fit` is called with; the source is made when it is needed.

    Args:
        then: how many steps there are in all if it goes on with a greater weight of the
            classifier's opinion, and that weight.
    """

    recipe: Any
    source: Callable[[], Source]
    plan: Plan
    crop: Crop
    then: tuple[int, float] | None = None

    @property
    def stretches(self) -> list["Job"]:
        """What is done in turn, with the same networks and optimisers."""
        if self.then is None:
            return [self]
        steps, weight = self.then
        recipe = replace(self.recipe, class_weight=weight)
        return [self, replace(self, recipe=recipe, plan=replace(self.plan, steps=steps))]


def train(job: Job, weights: Path) -> Path:
    """Follow a recipe, and say how far it is."""
    started = time.monotonic()

    def say(label: str, done: int, total: int | None) -> None:
        if label == "training" and done % 100 == 0:
            print(f"{weights.stem} {done}/{total}, {time.monotonic() - started:.0f} s", flush=True)

    with progress.listening(say):
        for before, one in pairwise([job, *job.stretches]):
            if left(one, before, weights):
                fit(one.recipe, one.source(), weights, one.plan, one.crop, "cpu")
    return weights


def left(job: Job, before: Job, weights: Path) -> bool:
    """Whether a stretch is to run; if so, the checkpoint of the one before becomes its own."""
    path = weights.with_name(f"{weights.name}.fit") / "checkpoint.pt"
    if not path.exists():
        return True
    state = checkpoint.load(path)
    if state["step"] >= job.plan.steps and weights.exists():
        return False
    if state["recipe"] == repr(before.recipe):  # any other is of another training: fit says so
        checkpoint.save(path, state | {"recipe": repr(job.recipe)})
    return True
