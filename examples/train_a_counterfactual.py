"""What would my picture look like as the other class? Train GANMEX on a folder of your own.

python examples/train_a_counterfactual.py FOLDER [--side 64] [--steps 1500] [--out run]

FOLDER (or a zip file) holds one folder of pictures for each class. A small classifier is trained
first; to explain one of your own, give its name to `GanmexRecipe(classifier=...)` instead, as
`rather.models.load` takes it. Killed and started again, it goes on where it stopped.
"""

import argparse
from pathlib import Path

import torch

from rather import edit
from rather.editors import Ganmex
from rather.fitting import ClassFolders, ClassifierRecipe, Crop, GanmexRecipe, Plan, fit
from rather.fitting.journal import picture
from rather.models import load


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", help="of class folders, or a zip file of them")
    parser.add_argument("--side", type=int, default=64, help="of the pictures, in pixels")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--width", type=int, default=24, help="of the generator; published: 64")
    parser.add_argument("--out", type=Path, default=Path("run"))
    options = parser.parse_args()

    source, crop = ClassFolders((options.folder,), held=0.1), Crop(size=options.side, zoom=1.1)
    names, length = source.known, options.steps
    plan = Plan(steps=length, batch=8 * len(names), clip=100.0, warmup=50, validate_every=length)

    recipe = ClassifierRecipe(names, "vgg", options.side, 3, (16, 32, 64), shrink=(2, 2, 2))
    classifier = fit(recipe, source, options.out / "classifier.safetensors", plan, crop)
    ganmex = GanmexRecipe(
        classifier=str(classifier),
        labels=tuple(range(len(names))),
        side=options.side,
        width=options.width,
        blocks=3,
        class_weight=10.0,
        similarity=50.0,
        rate=2e-4,
        critic_rate=2e-4,
        momentum=0.5,
        shaken=0.1,  # an edit must hold when it is moved a little: less noise that deceives
    )
    weights = fit(ganmex, source, options.out / "ganmex.safetensors", plan, crop)

    held = source.held_out(8, crop)
    wanted = (held.labels + 1) % len(names)
    pair = edit(Ganmex(str(weights)), load(str(classifier)), held.images, wanted)
    for name, label, flipped in zip(held.names, wanted.tolist(), pair.flipped, strict=True):
        print(f"{name} as {names[label]}: {'flipped' if flipped else 'not flipped'}")
    change = (0.5 + (pair.edited - pair.images) / 2).clamp(0, 1)
    picture((pair.images, pair.edited, change)).save(options.out / "edits.png")
    moved = float(torch.mean(pair.change))
    print(f"mean change {moved:.3f}; image, edit and change: {options.out / 'edits.png'}")


if __name__ == "__main__":
    main()
