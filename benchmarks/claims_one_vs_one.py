"""Do counterfactuals make better baselines? Attributions of one class against another.

    python benchmarks/claims_one_vs_one.py [mnist disc dogs composite randomised] [--report]

The claims of Shih, Tien and Karnin, arXiv:2011.06015, for integrated gradients, DeepLIFT and
occlusion that begin at black, blur, the nearest training image of the foil (MDTS), or a GANMEX
edit, and for expected gradients over real images of the foil:

- `mnist`, `disc`, `dogs`: the lead of an image's class over another while its best-rated pixels are
  filled, by fills that are the same for all; by the two edits apart, which is circular for their
  own maps.
- `composite`: of dogs pasted on scenes, is the heat on the dog if dogs are asked about, and on the
  scene if scenes are?
- `randomised`: how much maps change as the network of MNIST forgets what it learnt, with the
  generator kept, and trained on for a while at each depth.

Numbers of every image are kept row by row; a run goes on where it stopped, and makes again what
other weights have made stale. `--report` only writes tables.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from claims_ledger import Ledger
from claims_verdict import Measured, summary
from harness import ROOT, digest, record
from one_vs_one_beds import DELETED, Bed, composite, mnist
from one_vs_one_refit import KEPT, Refit, refitted
from one_vs_one_refit import rows as kept
from one_vs_one_tables import Every, begins, claims, compact, joined
from one_vs_one_work import (
    Forgetting,
    Measure,
    One,
    Row,
    deletions,
    numbers,
    perturbed,
    rows,
    work,
)

from rather.metrics import InverseLocalisation
from rather.networks.weights import located

NAME = "claims_one_vs_one"
OTHERS = (
    ("IG, GANMEX", "EG, real images"),
    ("IG, GANMEX", "residual, GANMEX"),
    ("IG, GANMEX, blurred 1 px", "IG, GANMEX"),
    ("IG, GANMEX, blurred 1 px", "IG, blur"),
    ("IG, GANMEX, blurred 1 px", "EG, real images"),
)
METHODS = ("IG", "DeepLIFT", "occlusion")


@dataclass(frozen=True)
class Task:
    """Rows of a bed, and what is measured of them; `page` is where numbers are kept."""

    page: str
    bed: Bed
    rows: Sequence[Row]
    measures: Sequence[Measure]


@dataclass(frozen=True)
class Benchmark:
    """What is run, and how the numbers become tables.

    Args:
        title: of the table.
        tasks: what is run, from the number of images of a class.
        measured: what claims are about, by what is seen in the first bed.
        beside: what is only shown.
        methods: whose baselines are compared.
        others: further pairs of rows, better first.
    """

    title: str
    tasks: Callable[[Mapping[str, int]], list[Task]]
    measured: Callable[[Bed], list[Measured]]
    beside: Callable[[Every], list[Measured]] = lambda _: []
    methods: Sequence[str] = METHODS
    others: Sequence[tuple[str, str]] = OTHERS


def deletion(name: str) -> Benchmark:
    """One-versus-one deletion on one bed."""

    def tasks(count: Mapping[str, int]) -> list[Task]:
        bed = DELETED[name](**count)
        wanted = [*rows(bed), *(perturbed(bed) if bed.steps == 20 else [])]
        return [Task(name, bed, wanted, deletions(bed))]

    def measured(bed: Bed) -> list[Measured]:
        columns = [each.name for each in deletions(bed)]
        return [Measured(name, name, same_fill=name.split()[0].strip(",")) for name in columns]

    return Benchmark(f"One-versus-one deletion on {name}: area of the lead", tasks, measured)


def localised(count: Mapping[str, int]) -> list[Task]:
    inside = One("inside", InverseLocalisation())
    return [Task(name, bed, rows(bed), [inside]) for name, bed in composite(**count).items()]


def density(_: Bed) -> list[Measured]:
    names = {"gap": False, "objects": False, "scenes": True}
    return [Measured(name, name, lower) for name, lower in names.items()]


def cascade(count: Mapping[str, int]) -> list[Task]:
    bed, again = mnist(**{"each": 12, **count}), Refit()
    measures = [Forgetting(one.likeness, again) for one in KEPT]
    return [Task("randomised", bed, kept(bed), KEPT), Task("refit", bed, refitted(bed), measures)]


def likeness(_: Bed) -> list[Measured]:
    names = [one.likeness for one in KEPT]
    falls = [Measured(f"{name}, fall", f"{name}, fall", lower=False) for name in names]
    return [*(Measured(name, name) for name in names), *falls]


def depths(every: Every) -> list[Measured]:
    columns = {column for found in every.values() for own in found.values() for column in own}
    names = sorted(name for name in columns if name[-1].isdigit() and name[:4] != "ssim")
    return [Measured(name, name) for name in names]


REFITTED = [
    (f"{m}, GANMEX, refitted", f"{m}, {b}") for m in METHODS[:2] for b in ("zero", "GANMEX")
]
BENCHMARKS: Mapping[str, Benchmark] = {
    **{name: deletion(name) for name in DELETED},
    "composite": Benchmark(
        "Inverse localisation: density of heat on the object", localised, density
    ),
    "randomised": Benchmark(
        "Likeness of maps while the network forgets",
        cascade,
        likeness,
        depths,
        METHODS[:2],
        REFITTED,
    ),
}


def run(name: str, count: Mapping[str, int], folder: Path, report: bool = False) -> Path:
    """One benchmark: what is missing, then its tables."""
    benchmark = BENCHMARKS[name]
    ledger = Ledger(folder / "ledger" / NAME, folder / f"{NAME}.numbers.gz")
    tasks, parts = benchmark.tasks(count), {}
    for task in tasks:
        page = ledger.page(task.page)
        if not report:
            work(task.bed, task.rows, task.measures, page)
        parts[task.page] = numbers(task.bed, task.rows, task.measures, page)
    every, bed = joined(parts), tasks[0].bed
    measured = benchmark.measured(bed)
    plain = [each for each in measured if not each.name.endswith(", logits")]
    logits = [each for each in measured if each not in plain]
    found = claims(every, measured, benchmark.methods, benchmark.others)
    settings = {
        "seed": 0,
        "data": f"{len(bed.images)} held-out images, digest {bed.about}",
        "rows": {row.name: repr(row.explainer) for task in tasks for row in task.rows},
        "measures": [repr(each) for task in tasks for each in task.measures],
        "weights": {name: digest(located(name)) for name in bed.weights},
        "numbers per photo": ledger.pack().name,
    }
    also = {
        "means": summary(every, plain),
        "depths": summary(every, benchmark.beside(every)),
        "logit_means": summary(every, logits),
        "logits": compact(found, logits),
        "claims": found,
        "baselines": [{"bed": task.page, **row} for task in tasks for row in begins(task.bed)],
    }
    return record(
        f"{NAME}_{name}", benchmark.title, compact(found, plain), settings, folder, **also
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; by default mnist")
    parser.add_argument("--each", type=int, help="images of a class, other than usual")
    parser.add_argument("--report", action="store_true", help="compute nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    for name in options.names or ["mnist"]:
        run(name, {"each": options.each} if options.each else {}, options.out, options.report)


if __name__ == "__main__":
    main()
