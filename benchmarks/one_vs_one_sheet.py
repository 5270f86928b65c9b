"""Contact sheets of the claims on counterfactual baselines: where maps begin, and the maps.

    python benchmarks/one_vs_one_sheet.py mnist

Needs the maps of `claims_one_vs_one.py`. Green speaks for the image's class, purple for the other.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from claims_ledger import Ledger, Page
from claims_one_vs_one import BENCHMARKS, NAME, Task
from harness import ROOT
from sheets import overlay, sheet
from torch import Tensor
from torch.nn import functional as F

from rather.explainers.baselines import start

SIDE = 140  # of a picture before it is shrunk; the overlay's blur is made for photos


def large(image: Tensor) -> Tensor:
    """An image or a map at the size that overlays are made at."""
    return F.interpolate(image[None], (SIDE, SIDE))[0]


def line(task: Task, place: int, page: Page, methods: Sequence[str]) -> list[Tensor]:
    """One image: itself, and for every baseline that baseline and the maps from there."""
    image = task.bed.images.images[place]
    found = [large(image)]
    for name, baseline in task.bed.baselines.items():
        found.append(large(start(task.bed.ready(baseline), task.bed.images.images, 0)[place]))
        found += [shown(task, place, page, f"{method}, {name}") for method in methods]
    return [*found, shown(task, place, page, "EG, real images")]


def shown(task: Task, place: int, page: Page, name: str) -> Tensor:
    """A map over its image; white where there is none yet."""
    row = next((row for row in task.rows if row.name == name), None)
    heat = None if row is None else page.map_of(name, row.key(task.bed))
    if heat is None:
        return torch.ones(3, SIDE, SIDE)
    return overlay(large(task.bed.images.images[place]), large(heat[place][None])[0])


def words(task: Task, place: int) -> str:
    """Why this rather than that?"""
    asked = task.bed.question.at(torch.tensor([place]))
    classes = [asked.target, *([] if asked.foil is None else [asked.foil])]
    return " not ".join(task.bed.classifier.name_of(int(one)) for one in classes)


@torch.no_grad()
def draw(task: Task, folder: Path, count: int, methods: Sequence[str]) -> Path:
    """The sheet of one bed."""
    ledger = Ledger(folder / "ledger" / NAME, folder / f"{NAME}.numbers.gz")
    page, bed = ledger.page(task.page), task.bed
    places = [place * len(bed.images) // count for place in range(count)]
    grid = [line(task, place, page, methods) for place in places]
    columns = ["image", *(each for name in bed.baselines for each in (name, *methods)), "EG"]
    path = folder / f"{NAME}_{task.page.replace(', ', '_')}.png"
    return sheet(path, grid, columns, [words(task, place) for place in places], 84)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="+", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--count", type=int, default=10, help="images")
    parser.add_argument("--methods", nargs="*", default=["IG", "occlusion"])
    options = parser.parse_args()
    for asked_for in options.names:
        for each in BENCHMARKS[asked_for].tasks({}):
            print(draw(each, ROOT / "results", options.count, options.methods))
