"""How good an optimum of FIDO is: its objective under fresh noise, to compare schedules by.

Source: Chang et al., ICLR 2019, arXiv:1807.08024, the objective of section 3.
"""

from dataclasses import replace

import torch

from rather.classifier import Classifier
from rather.explainers.fido import Fido
from rather.question import Question
from rather.types import Heatmaps, Images, PerImage


@torch.no_grad()
def fido_loss(
    fido: Fido,
    classifier: Classifier,
    images: Images,
    question: Question,
    heatmaps: Heatmaps,
    samples: int = 64,
    seed: int = 1_000,
) -> PerImage:
    """What FIDO minimises, at full price; lower is a better optimum.

    The noise is drawn per pixel, and is the same for all schedules.
    """
    drop = 0.5 + (heatmaps if fido.objective == "sdr" else -heatmaps)[:, None]
    drop = drop.clamp(1e-6, 1 - 1e-6)
    gain = torch.zeros_like(drop[:, 0, 0, 0])
    judge = replace(fido, noise="pixel", antithetic=False, seed=seed)
    for number in range(samples):
        masks = judge.sampled(drop, drop, 1, number)
        proposal = judge.proposed(images, masks, number)
        gain += judge.scores(classifier, images, question, masks, proposal[:1])[0]
        if fido.objective == "joint":
            gain -= judge.scores(classifier, images, question, 1 - masks, proposal[-1:])[0]
    return fido.price(drop) - (-gain if fido.objective == "sdr" else gain) / samples
