"""Contact sheets of the benchmark of DAC: maps of some pairs, and the hybrids that they make."""

from pathlib import Path

import torch
from dac_beds import Bed
from dac_methods import DISCRIMINATIVE, PLAIN, methods
from dac_work import at
from sheets import SCALE, sheet
from torch import Tensor

from rather.metrics import Hybrids
from rather.types import Heatmaps

SHOWN = 10  # pairs
BOTH = ("residual", "random", "greedy, restore")


def draw(folder: Path, name: str, network: str, bed: Bed, cell: int = 56) -> list[Path]:
    """One sheet of maps, and one of the smallest hybrids that flip.

    Maps are green where they speak for the target; hybrids are the counterfactual with the original
    pasted, each with the smallest share of it that brings the target back.
    """
    classifier = bed.networks[network]
    rows = torch.linspace(0, len(bed.batch) - 1, min(SHOWN, len(bed.batch))).round().long()
    pair, asked = bed.judged(network)
    pair, asked, batch = at(pair, rows), asked.at(rows), bed.batch.at(rows)
    every = methods(bed.across, 0)
    names = [*PLAIN, *DISCRIMINATIVE, *BOTH]
    maps, hybrids = [], []
    for method in names:
        explanation = every[method].explained(classifier, batch, pair, asked)
        maps.append(explanation.heatmaps)
        hybrids.append(Hybrids()(classifier, explanation, pair).flip.images)
    words = [
        f"{one}>{other}"
        for one, other in zip(asked.target.tolist(), pair.target.tolist(), strict=True)
    ]
    columns = ["original", "edited", *(method.split(",")[0] for method in names)]
    ends = [pair.images, pair.edited]
    found = []
    for part, shown in (("maps", [painted(heat) for heat in maps]), ("hybrids", hybrids)):
        grid = [[column[row] for column in (*ends, *shown)] for row in range(len(rows))]
        path = folder / f"claims_dac_{name}_{part}.png"
        found.append(sheet(path, grid, columns, words, cell))
    return found


def painted(heats: Heatmaps) -> Tensor:
    """Maps as pictures: green for the target, purple against it, white where nothing is said."""
    most = heats.abs().flatten(1).quantile(0.995, dim=1).clamp(min=1e-12)[:, None, None]
    share = (heats / most).clamp(-1, 1)[:, None]
    against, nothing, towards = (colour[:, None, None] for colour in SCALE)
    return torch.lerp(nothing, torch.where(share > 0, towards, against), share.abs())
