"""Trainings in one or two stretches that may be killed and started again."""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rather import progress
from rather.fitting import Crop, Plan, checkpoint, fit
from rather.fitting.recipe import Source

SHIPPED = Path(__file__).parents[1] / "src/rather/weights"


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


def command(jobs: Mapping[str, Job], text: str | None) -> None:
    """The command line: trainings by name, one after the other."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("names", nargs="+", help=f"of {', '.join(jobs)}")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--ship", action="store_true", help="copy the weights into the package")
    options = parser.parse_args()
    for name in options.names:
        weights = train(jobs[name], options.out / f"{name}.safetensors")
        if options.ship:
            (SHIPPED / weights.name).write_bytes(weights.read_bytes())


def train(job: Job, weights: Path) -> Path:
    """Follow a recipe, and say how far it is."""
    started = time.monotonic()

    def say(label: str, done: int, total: int | None) -> None:
        if label == "training" and done % 100 == 0:
            print(f"{weights.stem} {done}/{total}, {time.monotonic() - started:.0f} s", flush=True)

    with progress.listening(say):
        first, *more = job.stretches
        if not any(begun(one, weights) for one in more):
            follow(first, weights)
        for one in more:
            if begun(first, weights):
                path = kept(weights)
                checkpoint.save(path, checkpoint.load(path) | {"recipe": repr(one.recipe)})
            follow(one, weights)
    return weights


def follow(job: Job, weights: Path) -> None:
    """Train, or go on; a folder that holds another training is refused."""
    fit(job.recipe, job.source(), weights, job.plan, job.crop, "cpu")


def kept(weights: Path) -> Path:
    """Where `fit` keeps what it needs to go on."""
    return weights.with_name(f"{weights.name}.fit") / "checkpoint.pt"


def begun(job: Job, weights: Path) -> bool:
    """Whether this is the stretch that the checkpoint is of."""
    path = kept(weights)
    return path.exists() and checkpoint.load(path)["recipe"] == repr(job.recipe)
