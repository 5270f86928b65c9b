"""What `fit` costs beside a bare loop over the same networks, losses and optimisers.

    .venv/bin/python benchmarks/training_speed.py [--steps 20] [--rounds 3]

The bare loop has its batches in memory, keeps no average and writes nothing. Both are measured in
turn, in seconds of the processor, so that a busy machine disturbs the ratio little.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from harness import record
from train_counterfactuals import JOBS, Job

from rather.data.folder import stepped
from rather.fitting import fit


def bare(job: Job, steps: int) -> None:
    """The loop that anyone would write."""
    source, nets = job.source(), job.recipe.networks()
    optimisers = job.recipe.optimisers(nets)
    batch = source.batch(job.plan.batch, job.crop, 0, 0, slice(None))
    for step in range(steps):
        for part, loss in job.recipe.losses(nets, batch, stepped(0, step), step):
            optimisers[part].zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(nets[part].parameters(), job.plan.clip)
            optimisers[part].step()


def fitted(job: Job, steps: int) -> None:
    plan = replace(job.plan, steps=steps, held=1, validate_every=steps + 1, save_seconds=1e9)
    with tempfile.TemporaryDirectory() as folder:
        fit(job.recipe, job.source(), Path(folder) / "w.safetensors", plan, job.crop, "cpu")


def seconds(run: Callable[[Job, int], None], job: Job, steps: int) -> float:
    """Seconds of the processor a step; starting up does not count."""
    few = max(2, steps // 5)
    times = []
    for count in (few, steps):
        started = time.process_time()
        run(job, count)
        times.append(time.process_time() - started)
    return (times[1] - times[0]) / (steps - few)


def row(name: str, steps: int, rounds: int) -> dict[str, Any]:
    """One line of the table."""
    job = JOBS[name]
    times = [(seconds(fitted, job, steps), seconds(bare, job, steps)) for _ in range(rounds)]
    ratios = [round(one / other, 3) for one, other in times]
    ours, theirs = (statistics.median(each) for each in zip(*times, strict=True))
    found: dict[str, Any] = {"recipe": name, "fit, s a step": ours, "bare, s a step": theirs}
    return found | {"ratio": statistics.median(ratios), "ratios": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    names = ("ganmex-mnist", "cyclegan-mnist-3-8")
    rows = [row(name, options.steps, options.rounds) for name in names]
    record("training_speed", "fit against a bare loop", rows, vars(options))


if __name__ == "__main__":
    main()
