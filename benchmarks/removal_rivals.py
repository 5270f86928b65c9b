"""The scene of `removal.py`: how users call captum's Lime and write a loop of RISE.

Run as a script it does these on demand, for `removal.py` to time: with malloc as it comes, on a
network as it was loaded.
"""

import argparse
from collections.abc import Callable

import captum.attr
import torch
from elsewhere import serve
from passes_rivals import Scene, grey, scenery
from torch import Tensor
from torch.nn import functional as F

from rather.explainers import Slic

CELLS, SHARE = 7, 0.5


def captum_lime(scene: Scene, samples: int, batch: int) -> Tensor:
    """captum's Lime on the same segments; its defaults but for the number of samples."""
    segments = Slic()(scene.batch.images)[:, None]
    method = captum.attr.Lime(scene.plain.net)
    return method.attribute(
        scene.normalised,
        baselines=grey(scene),
        target=scene.target,
        feature_mask=segments,
        n_samples=samples,
        perturbations_per_eval=batch,
    ).mean(1)


def user_rise(scene: Scene, samples: int, batch: int = 64) -> Tensor:
    """RISE as its users write it: masks one by one, softmax, one sum over batches."""
    side = scene.normalised.shape[-1]
    cell = -(-side // CELLS)
    masks = torch.empty(samples, 1, side, side)
    for number in range(samples):
        grid = (torch.rand(1, 1, CELLS, CELLS) < SHARE).float()
        wide = F.interpolate(grid, (CELLS + 1) * cell, mode="bilinear", align_corners=False)
        top, left = (int(torch.randint(cell, ())) for _ in range(2))
        masks[number] = wide[0, :, top : top + side, left : left + side]
    heat = torch.zeros(side, side)
    with torch.no_grad():
        for part in masks.split(batch):
            chances = scene.plain.net(part * scene.normalised).softmax(1)[:, scene.target]
            heat += (chances[:, None, None] * part[:, 0]).sum(0)
    return heat / (samples * SHARE)


def defaults(scene: Scene, samples: int) -> dict[str, Callable[[], Tensor]]:
    """What users get who set nothing."""
    return {
        "LIME": lambda: captum_lime(scene, samples, 1),
        "RISE": lambda: user_rise(scene, samples),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    serve(defaults(scenery(alone=True), options.samples))
