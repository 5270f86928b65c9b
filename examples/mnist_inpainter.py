"""Train an in-painter on a folder of your own: handwritten digits, 28 pixels wide and grey.

python examples/mnist_inpainter.py [--steps 2000] [--out mnist]    (minutes on two cores)

MNIST is read from RATHER_DATA/mnist.npz. The script writes its digits as grey PNGs, trains on
that folder as `rather fit` would, and restores hidden strokes of digits it has never seen. Start it
again after a kill and it goes on where it stopped.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rather import fill
from rather.data.holes import HoleMixture
from rather.fitting import Crop, InpainterRecipe, Plan, fit
from rather.fitting.journal import picture
from rather.infillers import Harmonic, Inpainter, MeanColour
from rather.types import Images, Keep

HOLES = HoleMixture(0.4, 0.4, 0.1, 0.05, 0.05, 0.0)  # mostly boxes and strokes
DATA = Path(os.environ.get("RATHER_DATA", "../shared/data"))


def some(digits: np.ndarray, count: int) -> np.ndarray:
    """Pick digits of all kinds; the files are sorted by digit."""
    return digits[np.random.default_rng(0).permutation(len(digits))[:count]]


def written(digits: np.ndarray, folder: Path) -> Path:
    """Write digits as PNGs, once."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, digit in enumerate(digits):
        file = folder / f"{number:05d}.png"
        if not file.exists():
            Image.fromarray(digit).save(file)
    return folder


def error(filled: Images, images: Images, keep: Keep) -> float:
    """Mean absolute difference of the hidden pixels."""
    hidden = (1 - keep).expand_as(images)
    return ((filled - images).abs() * hidden).sum().item() / hidden.sum().item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--digits", type=int, default=20_000, help="to train on")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--unseen", type=int, default=256, help="to judge by")
    parser.add_argument("--out", type=Path, default=Path("mnist"))
    options = parser.parse_args()
    mnist = np.load(DATA / "mnist.npz")

    folder = written(some(mnist["x_train"], options.digits), options.out / "digits")
    recipe = InpainterRecipe(
        widths=(16, 32, 64), blocks=3, copies=False, adversarial=0.0, rate=2e-3, holes=HOLES
    )
    plan = Plan(steps=options.steps, batch=options.batch, validate_every=500)
    crop = Crop(size=28, zoom=1.0, rare_zoom=1.0, flip=False)
    weights = fit(recipe, folder, options.out / "mnist.safetensors", plan, crop)

    grey = torch.from_numpy(some(mnist["x_test"], options.unseen)).float() / 255
    images = grey[:, None].expand(-1, 3, -1, -1).contiguous()
    keep = HOLES(images, torch.Generator().manual_seed(0))
    mean = float(mnist["x_train"].mean() / 255)
    methods = {
        "mean colour": MeanColour((mean, mean, mean)),
        "harmonic": Harmonic(),
        "trained": Inpainter(str(weights)),
    }
    fills = {n: fill(m, images, keep, torch.Generator()) for n, m in methods.items()}
    for name, filled in fills.items():
        print(f"{name:12} L1 on hidden pixels of unseen digits: {error(filled, images, keep):.4f}")
    columns = (images.where(keep > 0, 0.5), *fills.values(), images)
    sheet = picture(tuple(column[:16] for column in columns))
    sheet.resize((3 * sheet.width, 3 * sheet.height)).save(options.out / "restored.png")
    print("hole,", ", ".join(fills), "and truth:", options.out / "restored.png")


if __name__ == "__main__":
    main()
