"""What removal takes over the passes that it needs: LIME, RISE, occlusion, MP and FIDO.

The unit is the wall time of the same number of raw passes at torch's best, as in `passes.py`; where
the shipped in-painter fills, that of its passes too, with holes of the size that the method makes:
copying costs nothing where no place is shown whole. Rivals run in a second process, with malloc as
it comes, on the network as it was loaded. With `--memory`, which a busy machine does not disturb:
by how much a fresh process grows at most over what it holds after LIME with a few samples, for
1,000 samples and for 10,000.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from elsewhere import Elsewhere
from harness import record
from passes import HEAVY, Case, measured, raw
from passes_rivals import Scene, scenery
from removal_rivals import captum_lime

from rather import Explainer, Question
from rather.explainers import Fido, Lime, MeaningfulPerturbation, Occlusion, Rise
from rather.infillers import MeanColour, default
from rather.memory import ENVIRONMENT, keep_memory

# Images of a mask optimisation together: as many as fill the best batch with their masks.
TOGETHER = {"MP": 16, "FIDO": 8}
BARS = {"cheap": 1.10, "optimised": 1.15}
SPARE = 32  # MiB that ten times the samples may take more, of several hundred
CELLS = {"LIME": 32, "FIDO": 4}  # about what is hidden at once, in pixels
MEMORY = "--memory-of"
DRAWN = (1_000, 10_000)  # samples of LIME whose memory is compared


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer passes and rounds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000, help="of LIME and RISE")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory", action="store_true", help="memory in place of time")
    parser.add_argument(MEMORY, type=int, default=0, help="LIME with so many samples, once")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.memory_of:
        print(peak(options.memory_of))
        return 0
    if options.memory:
        return grown((64, 640) if options.quick else DRAWN, options)
    samples, rounds, tries = (options.samples, options.rounds, 3)
    if options.quick:
        samples, rounds, tries = 64, 1, 1
    scene = scenery(quick=options.quick)
    said = ["--samples", str(samples), "--threads", str(options.threads)]
    with Elsewhere(Path(__file__).with_name("removal_rivals.py"), said) as users:
        every = cases(scene, users, samples)
        rows = [row for case in every for row in measured(case, rounds, tries)]
    settings = {"rounds": rounds, "images together": TOGETHER, "photo": "skimage chelsea"}
    name = "removal-quick" if options.quick else "removal"
    record(name, "Wall time over the raw passes, Lite0 at 224", rows, settings)
    return 0


def grown(drawn: Sequence[int], options: argparse.Namespace) -> int:
    """How much memory LIME takes with each number of samples; whether it grows with them."""
    rows = [{"LIME's samples": count, "MiB more": held_by(count)} for count in drawn]
    added = rows[-1]["MiB more"] - rows[0]["MiB more"]
    passes = "passes" if added <= SPARE else f"MISSES {SPARE} MiB"
    name = "removal_memory-quick" if options.quick else "removal_memory"
    settings = {"photo": "skimage chelsea", "verdict": passes}
    record(name, "Memory over a run of 32 samples, Lite0 at 224", rows, settings)
    return 0


def cases(scene: Scene, users: Elsewhere, samples: int) -> list[Case]:
    """What is timed, and beside what."""
    lime, rise, cheap = Lime(samples=samples), Rise(samples=samples), BARS["cheap"]
    steps = max(1, samples // 50)
    one, two = (repeated(scene, count) for count in TOGETHER.values())
    mp, masks = (steps * TOGETHER["MP"], 2 * steps * TOGETHER["FIDO"])
    mask = MeaningfulPerturbation(steps=steps)
    fido = Fido(MeanColour(), steps=steps, samples=2)
    return [
        Case(
            f"LIME, {samples} F",
            {
                "raw, 16 a batch": raw(scene, samples, 16),
                HEAVY: raw(scene, samples, 16, lean=False),
                "ours": lambda: scene.ours(lime, scene.fast),
                "ours, OpenVINO": lambda: scene.ours(lime, scene.openvino),
                "captum, defaults": users.job("LIME"),
                "captum, 16 a batch, our malloc": lambda: captum_lime(scene, samples, 16),
            },
            cheap,
        ),
        Case(
            f"RISE, {samples} F",
            {
                "raw, 16 a batch": raw(scene, samples, 16),
                HEAVY: raw(scene, samples, 16, lean=False),
                "ours": lambda: scene.ours(rise, scene.fast),
                "ours, OpenVINO": lambda: scene.ours(rise, scene.openvino),
                "a user's loop, defaults": users.job("RISE"),
            },
            cheap,
        ),
        alone(scene, Occlusion(), "Occlusion, 196 F", 196, cheap),
        optimised(one, mask, f"MP, {mp} FB", mp),
        optimised(two, fido, f"FIDO, {masks} FB", masks),
        painted(scene, Lime(default(), samples=samples), samples),
        painted_optimised(two, replace(fido, infiller=default()), masks),
    ]


def repeated(scene: Scene, count: int) -> Scene:
    """The photo, its mirror image and both again: several images at once."""
    one = scene.batch
    images = torch.cat([one.images, one.images.flip(3)]).repeat(count // 2, 1, 1, 1)
    names = tuple(f"{one.names[0]} {number}" for number in range(count))
    labels = one.labels.repeat(count)
    return replace(scene, batch=replace(one, images=images, labels=labels, names=names))


def alone(scene: Scene, method: Explainer, title: str, passes: int, bar: float) -> Case:
    """A method beside nothing but its raw passes."""
    jobs = {
        "raw, 16 a batch": raw(scene, passes, 16),
        HEAVY: raw(scene, passes, 16, lean=False),
        "ours": lambda: scene.ours(method, scene.fast),
        "ours, OpenVINO": lambda: scene.ours(method, scene.openvino),
    }
    return Case(title, jobs, bar)


def optimised(scene: Scene, method: Explainer, title: str, passes: int) -> Case:
    """A mask optimiser, which needs gradients, beside its raw passes."""
    first = replace(scene, batch=scene.batch.at(torch.tensor([0])))
    jobs = {
        "raw, 16 a batch": raw(first, passes, 16, gradient=True),
        "ours": lambda: method(scene.fast, scene.batch.images, asked(scene)),
    }
    return Case(title, jobs, BARS["optimised"])


def asked(scene: Scene) -> Question:
    return Question(scene.batch.labels)


def painted(scene: Scene, method: Lime, passes: int) -> Case:
    """LIME with the shipped in-painter; its passes count as raw ones too."""
    net, fills = raw(scene, passes, 16), filling(scene, passes, CELLS["LIME"])
    jobs = {
        "raw, both networks": lambda: (net(), fills()),
        "ours": lambda: scene.ours(method, scene.fast),
    }
    return Case(f"LIME in-painted, {passes} F + {passes} G", jobs, BARS["cheap"])


def painted_optimised(scene: Scene, method: Fido, passes: int) -> Case:
    """FIDO with the shipped in-painter."""
    first = replace(scene, batch=scene.batch.at(torch.tensor([0])))
    net, fills = raw(first, passes, 16, gradient=True), filling(first, passes, CELLS["FIDO"])
    jobs = {
        "raw, both networks": lambda: (net(), fills()),
        "ours": lambda: method(scene.fast, scene.batch.images, asked(scene)),
    }
    return Case(f"FIDO in-painted, {passes} FB + {passes} G", jobs, BARS["optimised"])


def filling(scene: Scene, passes: int, cell: int) -> Callable[[], None]:
    """A loop of bare passes through the shipped in-painter: half of all cells hidden."""
    images, infiller = scene.batch.images[:1].repeat(16, 1, 1, 1), default()
    coarse = torch.zeros(16, 1, *(side // cell for side in images.shape[2:]))
    drawn = coarse.bernoulli(0.5, generator=torch.Generator().manual_seed(0))
    keep = torch.nn.functional.interpolate(drawn, images.shape[2:])

    def fill() -> None:
        for start in range(0, passes, 16):
            size = min(16, passes - start)
            infiller(images[:size], keep[:size], torch.Generator())

    return fill


def held_by(samples: int) -> float:
    """MiB by which a fresh process grew at most while LIME drew so many samples."""
    command = [sys.executable, __file__, MEMORY, str(samples)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak(samples: int) -> float:
    """MiB by which this process grew at most, over a run of few samples."""
    keep_memory()
    scene = scenery(alone=True)
    fast = scene.plain.prepare()
    scene.ours(Lime(samples=32), fast)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = held_now("VmRSS")
    scene.ours(Lime(samples=samples), fast)
    return held_now("VmHWM") - before


def held_now(which: str) -> float:
    """MiB of this process, as Linux counts them."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (found,) = (line for line in lines if line.startswith(f"{which}:"))
    return int(found.split()[1]) / 1024


if __name__ == "__main__":
    if not ENVIRONMENT.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ENVIRONMENT})
    sys.exit(main())
