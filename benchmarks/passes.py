"""What an explanation takes over the passes that it needs: ours, captum's and grad-cam's.

The unit is the wall time of the same number of raw passes at their best: batch norm folded,
channels last, parameters frozen, layers lean (`rather.lean`), inference mode, the better of 16 and
32 images a batch, nothing else in the loop; beside it, the same with torch's and timm's own layers.
All run side by side, in turn, with malloc set as the command line sets it; the defaults of captum
and grad-cam run in a second process with malloc as it comes, and once more in the first.
EfficientNet-Lite0 at 224 pixels, Occlusion by 16-pixel squares every 8 pixels (784 of them; captum
leaves out the clipped ones, 729), integrated gradients of 50 steps, Grad-CAM.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from elsewhere import Elsewhere
from harness import record
from passes_rivals import (
    GREY,
    SIZE,
    Scene,
    captum_cam,
    captum_occlusion,
    captum_path,
    equalities,
    grad_cam,
    scenery,
)
from quiet import Sample, in_turn

from rather.explainers import GradCam, IntegratedGradients, Occlusion
from rather.memory import ENVIRONMENT
from rather.optional import need

HEAVY = "torch's layers, 16 a batch"  # raw passes of the network before it was made lean
OPENVINO = 0.70  # at most this share of their time
QUIET = 0.1  # cores that others may keep busy
Jobs = Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Case:
    """A method with the passes that it needs, who does it, and how long ours may take over raw."""

    method: str
    jobs: Jobs
    bar: float = 1.10


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer passes and rounds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    for package in ("captum", "pytorch_grad_cam"):  # before ten minutes of measuring, not after
        need(package, "compare", "this comparison")
    torch.set_num_threads(options.threads)
    scene = scenery(quick=options.quick)
    rounds, tries = (1, 1) if options.quick else (options.rounds, 3)
    said = ["--threads", str(options.threads), *(["--quick"] if options.quick else [])]
    with Elsewhere(Path(__file__).with_name("passes_rivals.py"), said) as users:
        rows = [row for case in cases(scene, users) for row in measured(case, rounds, tries)]
    same = equalities(scene)
    print("largest differences between maps:", same)
    record(
        "passes-quick" if options.quick else "passes",
        "Wall time over the raw passes, EfficientNet-Lite0 at 224",
        rows,
        {"rounds": rounds, "engine": scene.openvino.engine, "photo": "skimage chelsea"},
        same_maps=same,
    )
    return 0


def cases(scene: Scene, users: Elsewhere) -> list[Case]:
    """What is timed, and beside what."""
    squares = (-(-224 // scene.stride)) ** 2
    occlusion = Occlusion(GREY, SIZE, scene.stride)
    path, cam = IntegratedGradients(GREY, scene.steps, limit=scene.steps), GradCam()
    return [
        Case(
            f"Occlusion, {squares} F",
            {
                "raw, 16 a batch": raw(scene, squares, 16),
                "raw, 32 a batch": raw(scene, squares, 32),
                HEAVY: raw(scene, squares, 16, lean=False),
                "ours": lambda: scene.ours(occlusion, scene.fast),
                "ours, OpenVINO": lambda: scene.ours(occlusion, scene.openvino),
                "captum, defaults": users.job("Occlusion"),
                "captum, defaults, our malloc": lambda: captum_occlusion(scene, 1),
                "captum, 16 a batch": lambda: captum_occlusion(scene, 16),
            },
        ),
        Case(
            f"Integrated gradients, {scene.steps} FB",
            {
                "raw, 16 a batch": raw(scene, scene.steps, 16, gradient=True),
                "raw, 32 a batch": raw(scene, scene.steps, 32, gradient=True),
                HEAVY: raw(scene, scene.steps, 16, gradient=True, lean=False),
                "ours": lambda: scene.ours(path, scene.fast),
                "captum, defaults": users.job("Integrated gradients"),
                "captum, defaults, our malloc": lambda: captum_path(scene, None),
                "captum, 16 a batch": lambda: captum_path(scene, 16),
            },
        ),
        Case(
            "Grad-CAM, 1 FB",
            {
                "raw, 1 a batch": raw(scene, 1, 1, gradient=True),
                "ours": lambda: scene.ours(cam, scene.fast),
                "ours, with the answer": lambda: scene.explained(cam),
                "captum, defaults": users.job("Grad-CAM"),
                "captum, defaults, our malloc": lambda: captum_cam(scene),
                "grad-cam, defaults": users.job("Grad-CAM by grad-cam"),
                "grad-cam, frozen, our malloc": lambda: grad_cam(scene, frozen=True),
            },
        ),
    ]


def raw(
    scene: Scene, count: int, batch: int, gradient: bool = False, lean: bool = True
) -> Callable[[], None]:
    """A loop of bare passes through the prepared network, and nothing else."""
    net, images = (scene.fast if lean else scene.heavy).net, scene.normalised.repeat(batch, 1, 1, 1)
    images = images.contiguous(memory_format=torch.channels_last)
    sizes = [min(batch, count - start) for start in range(0, count, batch)]

    def forward() -> None:
        with torch.inference_mode():
            for size in sizes:
                net(images[:size])

    def backward() -> None:
        for size in sizes:
            leaf = images[:size].detach().requires_grad_()
            torch.autograd.grad(net(leaf)[:, scene.target].sum(), leaf)

    return backward if gradient else forward


def measured(case: Case, rounds: int, tries: int) -> list[dict[str, Any]]:
    """A row for each job, over the better raw loop in the same round."""
    samples = in_turn(case.jobs, rounds, tries=tries)
    raws = [name for name in samples if name.startswith("raw")]
    best = min(raws, key=lambda name: median(each.wall for each in samples[name]))
    ours = median(each.wall for each in samples["ours"])
    return [
        {
            "method": case.method,
            "by": name,
            "ms": 1e3 * median(each.wall for each in taken),
            **over(taken, samples[best]),
            "over ours": median(each.wall for each in taken) / ours,
            "others' cores": max(each.others for each in taken),
            "verdict": verdict(case, name, over(taken, base(samples, name, best)), taken, ours),
        }
        for name, taken in samples.items()
    ]


def base(samples: Mapping[str, list[Sample]], name: str, best: str) -> list[Sample]:
    """What a bar is about: the better raw loop; for OpenVINO, that of torch's own layers."""
    return samples[HEAVY if "OpenVINO" in name and HEAVY in samples else best]


def over(taken: list[Sample], base: list[Sample]) -> dict[str, float]:
    """Ratios to the raw passes: of wall time with the extremes of all rounds, and of work."""
    ratios = sorted(one.wall / two.wall for one, two in zip(taken, base, strict=True))
    work = median(one.cpu / two.cpu for one, two in zip(taken, base, strict=True))
    return {"over raw": median(ratios), "least": ratios[0], "most": ratios[-1], "cpu": work}


def verdict(
    case: Case, name: str, ratios: Mapping[str, float], taken: list[Sample], ours: float
) -> str:
    """Whether the bar is passed; no verdict where others were at work."""
    if max(each.others for each in taken) > QUIET:
        return "disturbed"
    bars = {"ours": case.bar, "ours, OpenVINO": OPENVINO}
    if name in bars:
        return f"{'passes' if ratios['over raw'] <= bars[name] else 'MISSES'} {bars[name]}"
    if not name.endswith("defaults"):
        return ""
    return "passes 2.0" if median(each.wall for each in taken) / ours >= 2 else "MISSES 2.0"


if __name__ == "__main__":
    if not ENVIRONMENT.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ENVIRONMENT})
    sys.exit(main())
