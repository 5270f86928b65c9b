"""Train the in-painter that is shipped, or export a training that still runs.

    nice -n 15 .venv/bin/python benchmarks/train_inpainter.py --out RUN/inpainter.safetensors
    .venv/bin/python benchmarks/train_inpainter.py --out RUN/inpainter.safetensors --export

The first may be killed and started again; `--steps` may be changed on the way, and the learning
rate then falls to its end at the new last step. The second writes the shipped file.
"""

import argparse
import time
from pathlib import Path

from harness import DATA, ROOT, digest

from rather import progress
from rather.data.holes import HoleMixture
from rather.fitting import InpainterRecipe, Pictures, Plan, export, fit

SHIPPED = Path(__file__).parents[1] / "src/rather/weights/rather-inpainter-v2.safetensors"
START = ROOT / "results/inpainter/rather-inpainter-v1.safetensors"
NOTE = (
    "Goes on from rather-inpainter-v1 (sha256 {start}), which saw 78,400 crops of the same "
    "pictures under changing recipes, with a critic, and copied nothing; the images seen that are "
    "named here come on top, and the training was stopped there. See "
    "benchmarks/results/inpainter/README.md."
)
HOLES = HoleMixture(
    boxes=0.22, strokes=0.10, segments=0.35, pixels=0.12, complements=0.18, nothing=0.03
)
RECIPE = InpainterRecipe(
    features=str(DATA / "weights/squeezenet1_1_fp16.pth"),
    start=str(START),
    adversarial=0.0,
    rate=4e-4,
    holes=HOLES,
)
PICTURES = Pictures((str(DATA / "imagenette_144.zip"), str(DATA / "imagewoof_144.zip")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="weights; the run lies beside it")
    parser.add_argument("--steps", type=int, default=2500, help="8 crops of 128 px each")
    parser.add_argument("--export", action="store_true", help="write the shipped file instead")
    options = parser.parse_args()
    if options.export:
        run = options.out.with_name(options.out.name + ".fit")
        print(export(RECIPE, run, SHIPPED, note=NOTE.format(start=digest(START))))
        return
    started = time.monotonic()

    def say(label: str, done: int, total: int | None) -> None:
        if done % 100 == 0:
            print(f"{label} {done}/{total}, {time.monotonic() - started:.0f} s", flush=True)

    plan = Plan(
        steps=options.steps, batch=8, warmup=100, average=0.995, held=48, validate_every=250
    )
    with progress.listening(say):
        print(fit(RECIPE, PICTURES, options.out, plan))


if __name__ == "__main__":
    main()
