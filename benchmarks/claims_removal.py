"""Do generative fills improve sliding patch, LIME and meaningful perturbation?

    python benchmarks/claims_removal.py [--photos 100] [--rows PATTERN] [--without] [--report]

The claims of Agarwal and Nguyen, arXiv:1910.04256: each method with its ad-hoc fill (mean colour;
blur for MP) and with the shipped in-painter, all else equal, on ImageNet validation photos that
EfficientNet-Lite0 answers with their label. Localisation errors (thresholds chosen on the other
half of the photos), the saliency metric, and deletion under three fills, of which two are those of
the methods (`same_fill`). A photo is done by all methods before the next one begins. `--rows` takes
only the rows that match, `--without` only what needs no in-painter, so that it can come first.
Numbers are kept in `results/claims_removal.numbers.gz`; a repeated run computes what is missing.
"""

from collections.abc import Mapping
from typing import Any

from claims_measures import BoxGrid, Heat, Measure, One, SaliencyGrid, SamGrid
from claims_run import Benchmark, arguments, run
from claims_verdict import Measured, Photos, compared
from claims_work import Row, centre
from harness import ROOT

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
MEASURES: dict[str, Measure] = {
    "boxes": BoxGrid(),
    "box": One("box", BoxError()),
    "sam": SamGrid(),
    "saliency": SaliencyGrid(),
    "gini": One("gini", Concentration()),
    "mean": Heat("mean"),
    "peak": Heat("peak"),
    **{
        f"deletion {name}": One(f"deletion, {name}", Deletion(fill, seed=SEED))
        for name, fill in FILLS.items()
    },
}
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


def explainer(method: str, fill: Infiller) -> Any:
    """Each method as its default is, but for LIME's samples, of which the paper took 500."""
    if method == "SP":
        return Occlusion(infiller=fill, seed=SEED)
    if method == "LIME":
        return Lime(infiller=fill, samples=500, seed=SEED)
    return MeaningfulPerturbation(infiller=fill, seed=SEED)


def rows() -> list[Row]:
    """Every method with both of its fills, and a rival that looks at nothing."""
    return [
        Row("centre", "", centre, MEASURES, "centre of the image"),
        *(
            Row(f"{method}, {fill}", fill, explainer(method, FILLS[fill]), MEASURES)
            for method, ad_hoc in AD_HOC.items()
            for fill in (ad_hoc, "in-painter")
        ),
    ]


def claims(numbers: Mapping[str, Photos]) -> list[dict[str, Any]]:
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


TITLE = "Is X-G better than X? Gain, with 95 % intervals over photos"
BENCHMARK = Benchmark("claims_removal", TITLE, rows(), MEASURED, BESIDE, claims, SEED)


if __name__ == "__main__":
    run(BENCHMARK, arguments(__doc__).parse_args(), ROOT / "results")
