"""Train the classifiers and the counterfactual generators that are shipped, one by name.

    lane 0 .venv/bin/python benchmarks/train_counterfactuals.py mnist --out RUN

Each may be killed and started again; the same command goes on. `--ship` copies the weights into
the package. Test images are never looked at here.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import DATA

from rather import progress
from rather.fitting import Arrays, ClassifierRecipe, Crop, GanmexRecipe, Plan, fit
from rather.fitting.recipe import Source

SHIPPED = Path(__file__).parents[1] / "src/rather/weights"
DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Job:
    """What `fit` is called with; the source is made when it is needed."""

    recipe: Any
    source: Callable[[], Source]
    plan: Plan
    crop: Crop


def mnist() -> Source:
    return Arrays.from_npz(DATA / "mnist.npz", held=0.05)


STILL = Crop(size=28, zoom=1.0, rare_zoom=1.0, flip=False)
MOVED = Crop(size=28, zoom=1.15, rare_zoom=1.25, flip=False)
LEARN = Plan(steps=4000, batch=100, clip=5.0, held=3000, validate_every=500)

JOBS = {
    "mnist": Job(ClassifierRecipe(DIGITS), mnist, LEARN, MOVED),
    "mnist-judge": Job(
        ClassifierRecipe(DIGITS, "vgg", widths=(12, 24, 48, 48), shrink=(2, 2, 1, 2), hidden=128),
        mnist,
        Plan(steps=1500, batch=100, seed=1, clip=5.0, held=3000, validate_every=500),
        MOVED,
    ),
    "ganmex-mnist": Job(
        GanmexRecipe(
            "mnist",
            tuple(range(10)),
            channels=1,
            width=24,
            blocks=3,
            critic_width=32,
            class_weight=10.0,
            similarity=10.0,
            cycle=5.0,
            rate=2e-4,
            critic_rate=2e-4,
            momentum=0.5,
        ),
        mnist,
        Plan(steps=1600, batch=30, warmup=50, clip=100.0, held=100, validate_every=200),
        STILL,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(JOBS))
    parser.add_argument("--out", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--ship", action="store_true", help="copy the weights into the package")
    options = parser.parse_args()
    job, started = JOBS[options.name], time.monotonic()

    def say(label: str, done: int, total: int | None) -> None:
        if done % 100 == 0:
            print(f"{label} {done}/{total}, {time.monotonic() - started:.0f} s", flush=True)

    with progress.listening(say):
        weights = options.out / f"{options.name}.safetensors"
        fit(job.recipe, job.source(), weights, job.plan, job.crop, "cpu")
    if options.ship:
        (SHIPPED / weights.name).write_bytes(weights.read_bytes())


if __name__ == "__main__":
    main()
