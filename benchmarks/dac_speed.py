"""What hybrid curves and DAC take over the passes that they need, and over the published way.

    python benchmarks/dac_speed.py [--rounds 7] [--threads 2]

The unit is the wall time of the same number of raw passes at torch's best, as in `passes.py`, run
side by side in one process. A curve has 100 hybrids of a photo and its mirror image, besides the
two themselves; their masks are cut from the map, closed, blurred and measured in the time that is
taken. DAC judges several maps of one pair, one after another. The published way asks three times
for each of 201 thresholds, one image at a time, where ours asks once: its passes are timed raw.
"""

import argparse
import os
import sys
from collections.abc import Callable

import torch
from harness import record
from passes import Case, measured, raw
from passes_rivals import Scene, scenery

from rather import Batch, Counterfactual, Explanation, Question, edit, explain, measure
from rather.cost import counting
from rather.memory import ENVIRONMENT
from rather.metrics import Dac, Hybrids

BAR = 1.15  # at most so much of the raw passes' time
MAPS, OTHER = 3, 285  # maps that DAC judges; the foil
PUBLISHED = 201 * 3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer passes and rounds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    scene = scenery(quick=options.quick)
    steps, maps = (4, 1) if options.quick else (100, MAPS)
    rounds, tries = (1, 1) if options.quick else (options.rounds, 3)
    found = cases(scene, Hybrids(steps=steps), maps, PUBLISHED if not options.quick else 6)
    rows = [row for case in found for row in measured(case, rounds, tries)]
    record(
        "dac_speed-quick" if options.quick else "dac_speed",
        "Hybrid curves and DAC over the raw passes, EfficientNet-Lite0 at 224",
        rows,
        {
            "rounds": rounds,
            "engine": scene.openvino.engine,
            "photo": "skimage chelsea and its mirror image",
            "hybrids": repr(Hybrids(steps=steps)),
            "bar": BAR,
            "seed": 0,
        },
    )
    return 0


def cases(scene: Scene, hybrids: Hybrids, maps: int, published: int) -> list[Case]:
    """What is timed, and beside what."""
    results, pair = judged(scene, maps)
    dac = Dac(hybrids, pair)

    def curve(openvino: bool = False) -> object:
        return hybrids(scene.openvino if openvino else scene.fast, results[0], pair)

    def scores() -> object:
        return [measure(dac, scene.fast, result) for result in results]

    count = passes(scene, curve)
    return [
        Case(
            f"Hybrid curve, {count} F",
            {
                "raw, 16 a batch": raw(scene, count, 16),
                "raw, 32 a batch": raw(scene, count, 32),
                "ours": curve,
                "ours, OpenVINO": lambda: curve(openvino=True),
                f"published, {published} raw passes one by one": raw(scene, published, 1),
            },
            BAR,
        ),
        Case(
            f"DAC of {maps} maps, {maps * count} F",
            {
                "raw, 16 a batch": raw(scene, maps * count, 16),
                "raw, 32 a batch": raw(scene, maps * count, 32),
                "ours": scores,
            },
            BAR,
        ),
    ]


def passes(scene: Scene, job: Callable[[], object]) -> int:
    """How many passes of single images a job makes."""
    with counting(scene.fast) as cost:
        job()
    return cost.forward


def judged(scene: Scene, maps: int) -> tuple[list[Explanation], Counterfactual]:
    """Smooth random maps of the photo against its mirror image."""
    photo = scene.batch.images
    foil = torch.full_like(scene.batch.labels, OTHER)
    pair = edit(lambda *_: photo.flip(3), scene.fast, photo, foil)
    coarse = torch.rand(maps, 1, 14, 14, generator=torch.Generator().manual_seed(0))
    heats = torch.nn.functional.interpolate(coarse, photo.shape[2:], mode="bicubic")
    batch = Batch(photo, scene.batch.labels, ("chelsea",))
    asked = Question(scene.batch.labels, foil)
    return [explain(lambda *_, h=heat: h, scene.fast, batch, asked) for heat in heats], pair


if __name__ == "__main__":
    if not ENVIRONMENT.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ENVIRONMENT})
    sys.exit(main())
