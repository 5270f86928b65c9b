"""Do generative fills improve sliding patch, LIME and meaningful perturbation?

    python benchmarks/claims_removal.py [--photos 100] [--rows PATTERN] [--report]

The claims of Agarwal and Nguyen, arXiv:1910.04256: each method with its ad-hoc fill (mean colour;
blur for MP) and with the shipped in-painter, all else equal, on ImageNet validation photos that
EfficientNet-Lite0 answers with their label. Localisation errors (thresholds chosen on the other
half of the photos), the saliency metric, and deletion under three fills, of which one is always
that of one of the two (`same_fill`). A photo is done by all methods before the next one begins.
`--rows` takes only the rows that match, so that rows without the in-painter can come first. Every
number is kept in `results/claims_removal.numbers.gz`; a repeated run computes what is missing.
"""

import argparse
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from claims_ledger import Ledger
from claims_measures import BoxGrid, Heat, Measure, One, SaliencyGrid, SamGrid
from claims_verdict import Measured, compared, summary, thresholds
from claims_work import Row, centre, data, judge, photos, work
from harness import ROOT, record, show

from rather import Infiller
from rather.explainers import Lime, MeaningfulPerturbation, Occlusion
from rather.infillers import Blur, MeanColour, default
from rather.metrics import BoxError, Concentration, Deletion

FILLS: dict[str, Infiller] = {
    "mean colour": MeanColour(),
    "blur": Blur(sigma=10.0),
    "in-painter": default(),
}
AD_HOC = {"SP": "mean colour", "LIME": "mean colour", "MP": "blur"}
SEED = 0


def explainer(method: str, fill: Infiller) -> Any:
    """Each method as its default is, but for LIME's samples, of which the paper took 500."""
    if method == "SP":
        return Occlusion(infiller=fill, seed=SEED)
    if method == "LIME":
        return Lime(infiller=fill, samples=500, seed=SEED)
    return MeaningfulPerturbation(infiller=fill, seed=SEED)


def measures(fills: Sequence[str]) -> dict[str, Measure]:
    """All that is measured of one map."""
    found: dict[str, Measure] = {
        "boxes": BoxGrid(),
        "box": One("box", BoxError()),
        "sam": SamGrid(),
        "saliency": SaliencyGrid(),
        "gini": One("gini", Concentration()),
        "mean": Heat("mean"),
        "peak": Heat("peak"),
    }
    for fill in fills:
        found[f"deletion {fill}"] = One(f"deletion, {fill}", Deletion(FILLS[fill], seed=SEED))
    return found


def rows(fills: Sequence[str]) -> list[Row]:
    """Every method with every fill it is asked with; deletion under the same fills."""
    found = [Row("centre", "", centre, measures(fills), "centre of the image")]
    for method, ad_hoc in AD_HOC.items():
        for fill in (ad_hoc, "in-painter"):
            if fill in fills:
                made = explainer(method, FILLS[fill])
                found.append(Row(f"{method}, {fill}", fill, made, measures(fills)))
    return found


MEASURED = (
    Measured("box error", "box"),
    Measured("box error, best threshold", "box", choose=True),
    Measured("SAM localisation error", "sam", choose=True),
    Measured("saliency metric", "saliency 1.0"),
    Measured("saliency metric, best threshold", "saliency", choose=True),
    *(Measured(f"deletion, {fill}", f"deletion, {fill}", same_fill=fill) for fill in FILLS),
)
BESIDE = (
    Measured("Gini", "gini", lower=False),
    Measured("mean heat", "mean heat"),
    Measured("peak heat", "peak heat"),
)


def claims(numbers: Any) -> list[dict[str, Any]]:
    """Is each method better with the in-painter, by each measure?"""
    return [
        compared(
            numbers,
            each,
            f"{method}, in-painter",
            f"{method}, {ad_hoc}",
            flag(each.same_fill, ad_hoc),
        )
        for each in MEASURED
        for method, ad_hoc in AD_HOC.items()
    ]


def flag(fill: str, ad_hoc: str) -> str:
    """Whose fill the measure hides with, if it is either's."""
    if fill == "in-painter":
        return "favours the generative"
    return "favours the ad-hoc" if fill and fill == ad_hoc else ""


def report(every: Sequence[Row], ledger: Ledger, classifier: str, folder: Path) -> None:
    """Tables, JSON, and the numbers of every photo in one file."""
    numbers = ledger.numbers({row.name: row.key(classifier) for row in every})
    means = summary(numbers, MEASURED + BESIDE)
    show("means", means)
    settings = {
        "seed": SEED,
        "data": data(max((len(found) for found in numbers.values()), default=0)),
        "question": "why the labelled class?",
        "classifier": classifier,
        "rows": {row.name: row.label or repr(row.explainer) for row in every},
        "measures": {name: repr(each) for name, each in every[0].measures.items()},
        "numbers per photo": ledger.pack().name,
        "same_fill": "the measure hides with the fill of one of the two methods",
    }
    record(
        "claims_removal",
        "Is X-G better than X? Gain, with 95 % intervals over photos",
        claims(numbers),
        settings,
        folder,
        means=means,
        thresholds=thresholds(numbers, MEASURED),
    )


def run(options: argparse.Namespace, folder: Path) -> None:
    """The whole benchmark, or the report of what is there."""
    classifier = judge(options.engine)
    fills = [fill for fill in FILLS if fill != "in-painter" or not options.without]
    ledger = Ledger(folder / "ledger" / "claims_removal", folder / "claims_removal.numbers.gz")
    if not options.report:
        batches = list(islice(photos(classifier), options.skip, options.photos))
        wanted = [row for row in rows(fills) if re.search(options.rows, row.name)]
        work(wanted, classifier, batches[::-1] if options.backwards else batches, ledger)
    report(rows(list(FILLS)), ledger, classifier.name, folder)


def arguments(text: str | None) -> argparse.ArgumentParser:
    """The command line that both benchmarks of claims share."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0] if text else "")
    parser.add_argument("--photos", type=int, default=100, help="how many photos (at most 360)")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first so many")
    parser.add_argument("--backwards", action="store_true", help="begin with the last photo")
    parser.add_argument("--rows", default="", help="only rows that match this pattern")
    parser.add_argument("--without", action="store_true", help="nothing that needs the in-painter")
    parser.add_argument("--report", action="store_true", help="compute nothing")
    parser.add_argument("--engine", choices=("torch", "openvino"), default="openvino")
    return parser


if __name__ == "__main__":
    run(arguments(__doc__).parse_args(), ROOT / "results")
