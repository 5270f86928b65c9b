"""How good are counterfactuals? Editors side by side on held-out images, into every other class.

    .venv/bin/python benchmarks/counterfactuals.py [mnist disc ...] [--each 50]

An edit is judged by the classifier that it was made for (validity, confidence), by another one that
was trained apart from it (transfer validity: falls far below where the first was merely deceived),
by its distance to the original, and by how its features are distributed (KID, against real images
of the class, in the judge's features). 95 % intervals are over images; those of KID over classes.
Images and classifiers are those of `beds.py`.

Source: Shih, Tien and Karnin, arXiv:2011.06015, section 5 of the specification of metrics; KID:
Binkowski et al., arXiv:1801.01401.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from beds import BEDS, Bed
from harness import ROOT, bootstrap, record, show
from sheets import sheet
from torch import Tensor

from rather import Counterfactual, Editor, edit
from rather.editors.layer import answer_of
from rather.types import PerImage

SUBSETS, SUBSET = 50, 200


@dataclass(frozen=True, eq=False)
class Edits:
    """All edits of one editor, target by target, and what the judge says of them."""

    pairs: list[Counterfactual]
    verdicts: list[Tensor]
    seconds: float

    def mean(self, rate: Callable[[Counterfactual, Tensor], PerImage]) -> PerImage:
        """A figure of each edit, averaged over what an image was to become."""
        rates = [rate(*both) for both in zip(self.pairs, self.verdicts, strict=True)]
        return torch.stack(rates).mean(0)


def edited(bed: Bed, editor: Editor) -> Edits:
    """Turn every image into every other class."""
    started, pairs, said = time.perf_counter(), [], []
    for turn in range(1, bed.classes):
        target = (bed.images.labels + turn) % bed.classes
        pairs.append(edit(editor, bed.classifier, bed.images.images, target))
    seconds = time.perf_counter() - started
    with torch.no_grad():
        said = [bed.judge(pair.edited) for pair in pairs]
    return Edits(pairs, said, seconds / len(pairs) / len(bed.images))


def chance(pair: Counterfactual, _verdict: Tensor) -> PerImage:
    return pair.after.softmax(1).gather(1, pair.target[:, None])[:, 0]


FIGURES: dict[str, Callable[[Counterfactual, Tensor], PerImage]] = {
    "validity": lambda pair, _: pair.flipped.float(),
    "transfer validity": lambda pair, said: (said.argmax(1) == pair.target).float(),
    "confidence": chance,
    "L1": lambda pair, _: pair.change.mean((1, 2)),
}


def kid(one: Tensor, other: Tensor) -> float:
    """Unbiased squared distance of means under a cubic kernel, averaged over random subsets."""
    generator = torch.Generator().manual_seed(0)
    size, found = min(SUBSET, len(one), len(other)), []
    for _ in range(SUBSETS):
        a, b = (x[torch.randperm(len(x), generator=generator)[:size]] for x in (one, other))
        aa, bb, ab = ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
        apart = [(k.sum() - k.diagonal().sum()) / size / (size - 1) for k in (aa, bb)]
        found.append(apart[0] + apart[1] - 2 * ab.mean())
    return torch.stack(found).mean().item()


def realism(bed: Bed, edits: Edits) -> list[float]:
    """KID between edits and real images of each class, in the judge's features."""
    made = torch.cat([pair.edited for pair in edits.pairs])
    wanted = torch.cat([pair.target for pair in edits.pairs])
    found = []
    for label in range(bed.classes):
        rows = (bed.bank.labels == label).nonzero()[:1000, 0]
        real = (bed.bank.images[rows].float() / 255).expand(-1, 3, -1, -1)
        sets = (made[wanted == label], real)
        features = [answer_of(bed.judge, "", images).flatten(1) for images in sets]
        unit = features[1].square().mean().sqrt()
        found.append(kid(features[0] / unit, features[1] / unit))
    return found


def figures(bed: Bed, edits: Edits) -> dict[str, list[float]]:
    """Every figure, an image at a time; KID a class at a time."""
    found = {name: edits.mean(rate).tolist() for name, rate in FIGURES.items()}
    return found | {"KID": realism(bed, edits)}


def row(name: str, found: Mapping[str, list[float]], edits: Edits) -> dict[str, str]:
    """One line of the table."""
    line = {"editor": name}
    for figure, values in found.items():
        line[figure] = "{:.3f} [{:.3f}, {:.3f}]".format(*bootstrap(values))
    return line | {"ms an edit": f"{1000 * edits.seconds:.0f}"}


CLAIMS = (
    ("GANMEX stays closer than the nearest sample", "L1", "nearest sample", "GANMEX"),
    ("GANMEX stays closer than the class mean", "L1", "class mean", "GANMEX"),
    ("GANMEX is more real than pixel ascent", "KID", "pixel ascent", "GANMEX"),
    ("GANMEX is more real than the class mean", "KID", "class mean", "GANMEX"),
    (
        "GANMEX convinces another classifier, pixel ascent does not",
        "transfer validity",
        "GANMEX",
        "pixel ascent",
    ),
    (
        "GANMEX convinces another classifier more than the nearest sample",
        "transfer validity",
        "GANMEX",
        "nearest sample",
    ),
    ("pixel ascent stays closer than GANMEX", "L1", "GANMEX", "pixel ascent"),
    ("GANMEX flips more than a CycleGAN", "validity", "GANMEX", "CycleGAN"),
    ("GANMEX stays closer than a CycleGAN", "L1", "CycleGAN", "GANMEX"),
    ("GANMEX is more real than a CycleGAN", "KID", "CycleGAN", "GANMEX"),
)


def claims(every: Mapping[str, Mapping[str, list[float]]]) -> list[dict[str, Any]]:
    """Paired differences, positive where the claim holds; confirmed if the interval is above 0."""
    found = []
    for words, figure, more, less in CLAIMS:
        if not {more, less} <= every.keys():
            continue
        pairs = zip(every[more][figure], every[less][figure], strict=True)
        mean, low, high = bootstrap([a - b for a, b in pairs])
        verdict = "confirmed" if low > 0 else "not confirmed" if high < 0 else "undecided"
        about = {"claim": words, "figure": figure, "by": mean, "low": low, "high": high}
        found.append(about | {"verdict": verdict})
    return found


def by_pair(bed: Bed, edits: Edits) -> list[list[float | None]]:
    """Validity from each class (row) into each other (column)."""
    table: list[list[float | None]] = [[None] * bed.classes for _ in range(bed.classes)]
    for pair in edits.pairs:
        for own in range(bed.classes):
            rows = bed.images.labels == own
            table[own][int(pair.target[rows][0])] = pair.flipped[rows].float().mean().item()
    return table


def of_right(bed: Bed, edits: Edits) -> dict[str, float]:
    """How many images were answered right at first, and validity among these alone."""
    right = edits.pairs[0].before.argmax(1) == bed.images.labels
    valid = edits.mean(FIGURES["validity"])[right]
    return {"right": right.float().mean().item(), "validity": valid.mean().item()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("beds", nargs="*", help=f"of {sorted(BEDS)}; by default mnist")
    parser.add_argument("--each", type=int, default=50, help="held-out images of each class")
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    for name in options.beds or ["mnist"]:
        bed = BEDS[name](options.each)
        edits = {title: edited(bed, editor) for title, editor in bed.editors.items()}
        found = {title: figures(bed, each) for title, each in edits.items()}
        rows = [row(title, found[title], each) for title, each in edits.items()]
        tables = {title: by_pair(bed, each) for title, each in edits.items()}
        editors = list(map(repr, bed.editors.values()))
        settings = {"images of each class": options.each, "editors": editors}
        about = f"Counterfactuals on held-out {name}, into every other class"
        right = {title: of_right(bed, each) for title, each in edits.items()}
        also = {"claims": claims(found), "validity": tables, "of those right": right}
        record(f"counterfactuals_{name}", about, rows, settings, options.out, **also)
        show("Claims", also["claims"])
        sheets(bed, edits, options.out, name)


def sheets(bed: Bed, edits: Mapping[str, Edits], out: Path, name: str) -> None:
    """From each class into each by GANMEX, and one image by all editors."""
    first = [int((bed.images.labels == own).nonzero()[0, 0]) for own in range(bed.classes)]
    names = [f"into {label}" for label in range(bed.classes)]
    grid = [into_all(bed, edits["GANMEX"], one) for one in first]
    words = [str(label) for label in range(bed.classes)]
    sheet(out / f"counterfactuals_{name}.png", grid, names, words, 64)
    one = first[min(3, bed.classes - 1)]
    compared = [into_all(bed, each, one) for each in edits.values()]
    sheet(out / f"counterfactuals_{name}_editors.png", compared, names, list(edits), 64)


def into_all(bed: Bed, edits: Edits, place: int) -> list[Tensor]:
    """One image in every class; its own shows the original."""
    own = int(bed.images.labels[place])
    shown = {int(pair.target[place]): pair.edited[place] for pair in edits.pairs}
    return [bed.images.images[place] if k == own else shown[k] for k in range(bed.classes)]


if __name__ == "__main__":
    main()
