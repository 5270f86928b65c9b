"""Train the in-painter that is shipped, or export a training that still runs.

    nice -n 15 .venv/bin/python benchmarks/train_inpainter.py --out RUN/inpainter.safetensors
    .venv/bin/python benchmarks/train_inpainter.py --out RUN/inpainter.safetensors --export

The first may be killed and started again; `--steps` may be changed on the way, and the learning
rate then falls to its end at the new last step. The second writes the shipped file.
"""

import argparse
import time
from pathlib import Path

from harness import DATA

from rather import progress
from rather.fitting import InpainterRecipe, Pictures, Plan, export, fit

SHIPPED = Path(__file__).parents[1] / "src/rather/weights/rather-inpainter-v1.safetensors"
NOTE = (
    "The recipe was changed while these weights were trained, at steps 1852, 1905, 2625, 3399 and "
    "4258; it names the last one. See benchmarks/results/inpainter/README.md."
)
RECIPE = InpainterRecipe(features=str(DATA / "weights/squeezenet1_1_fp16.pth"))
PICTURES = Pictures((str(DATA / "imagenette_144.zip"), str(DATA / "imagewoof_144.zip")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="weights; the run lies beside it")
    parser.add_argument("--steps", type=int, default=7000, help="16 crops of 128 px each")
    parser.add_argument("--export", action="store_true", help="write the shipped file instead")
    options = parser.parse_args()
    if options.export:
        run = options.out.with_name(options.out.name + ".fit")
        print(export(RECIPE, run, SHIPPED, note=NOTE))
        return
    started = time.monotonic()

    def say(label: str, done: int, total: int | None) -> None:
        if done % 100 == 0:
            print(f"{label} {done}/{total}, {time.monotonic() - started:.0f} s", flush=True)

    with progress.listening(say):
        print(fit(RECIPE, PICTURES, options.out, Plan(steps=options.steps, held=48)))


if __name__ == "__main__":
    main()
