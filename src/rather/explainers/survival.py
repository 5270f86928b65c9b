"""How long an answer survives while pixels turn black: the perturbation test, image by image.

Source: Chefer, Gur and Wolf, Transformer Interpretability Beyond Attention Visualization,
arXiv:2012.09838; as LTX uses it, arXiv:2310.16584.
"""

from typing import Literal

import torch

from rather.classifier import Classifier
from rather.question import Question
from rather.types import Heatmaps, Images, PerImage
from rather.variants import variants

SHARES = tuple(step / 10 for step in range(10))


def survival(
    classifier: Classifier,
    images: Images,
    question: Question,
    heat: Heatmaps,
    order: Literal["morf", "lerf"],
    seed: int = 0,
) -> PerImage:
    """Area, of at most 90, under the answer's being right while 0 to 90 % of the pixels go.

    Args:
        classifier: who is asked.
        images: what is taken apart.
        question: right is the target as the answer, or above the foil.
        heat: which pixels go first ("morf"), or last ("lerf").
        order: most, or least relevant first.
        seed: of the order of ties.
    """
    mixed = torch.randperm(heat[0].numel(), generator=torch.Generator().manual_seed(seed))
    flat = heat.flatten(1)[:, mixed.to(heat.device)]
    turns = flat.argsort(dim=1, descending=order == "morf", stable=True).argsort(dim=1)
    ranks = torch.empty_like(turns)
    ranks[:, mixed.to(heat.device)] = turns
    ranks = ranks.view_as(heat)[:, None]
    right = torch.zeros(len(images), len(SHARES), device=images.device)
    for row, point in variants(images, len(SHARES), classifier.batch, "survival"):
        gone = torch.tensor(SHARES, device=images.device)[point] * flat.shape[1]
        shown = images[row] * (ranks[row] >= gone.round()[:, None, None, None])
        right[row, point] = question.at(row).answered(classifier(shown)).to(right)
    return 100 * torch.trapezoid(right, torch.tensor(SHARES, device=images.device))
