"""Is a learned explainer better than gradients and class activation maps, and for fine-tuning?

    python benchmarks/claims_ltx.py [--objects] [--photos 100] [--rows PATTERN] [--report]

The claims of Barkan et al., arXiv:2310.16584, on ImageNet validation photos that EfficientNet-Lite0
answers with their label, by the two shipped mask networks, which saw none of them: one that learned
from masks of a drawn size, and one that was trained at a price of area, as published. Each as it is
(pLTX), and fine-tuned on each photo (LTX), the step chosen by its own loss or, as published, by the
measure that is then reported. All on black, as published: how long the answer survives while pixels
go (POS, NEG), its probability on the way (DEL, INS, at the same ten shares), and on the map's part
(ADP, PIC). Deletion under fills that no method was made with stands beside them. With `--objects`:
whether the map covers the salient object, as people drew it, of photos of ECSSD that are asked why
what the classifier answers. See `claims_removal.py` for `--rows` and how runs resume.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from claims_fido import MASKER
from claims_measures import Measure, One
from claims_run import Bed, Benchmark, arguments, run
from claims_verdict import Measured, Photos, compared
from claims_work import Row, centre
from harness import ROOT
from objects import data, photos

from rather import Explainer, Infiller
from rather.explainers import (
    Fido,
    GradCam,
    InputGradient,
    IntegratedGradients,
    Ltx,
    Occlusion,
    Rise,
)
from rather.infillers import Blur, Constant, MeanColour
from rather.metrics import Adp, Deletion, Insertion, Neg, Pic, Pos, Segmentation
from rather.metrics.perturbation import TENTHS

SEED = 0
SHOWN = tuple(step / 10 for step in range(1, 11))  # what is left as the worst tenths go
BLACK = Constant(0.0)
FAIR: dict[str, Infiller] = {"mean colour": MeanColour(), "blur": Blur(sigma=10.0)}
PRICED = replace(Ltx.as_trained(MASKER), seed=SEED)
TUNED = replace(Ltx.as_trained("ltx-efficientnet-lite0-v2"), seed=SEED)
RANKINGS: dict[str, Explainer] = {
    "pLTX": replace(TUNED, steps=0),
    "LTX, step by NEG": TUNED,
    "LTX, step by POS": replace(TUNED, select="pos"),
}
MASKS: dict[str, Explainer] = {
    "pLTX, priced": replace(PRICED, steps=0),
    "LTX, priced": PRICED,
    "LTX, priced, step by POS": replace(PRICED, select="pos"),
    "FIDO, black": Fido(infiller=BLACK, seed=SEED),
}
OTHERS: dict[str, Explainer] = {
    "Grad-CAM": GradCam(),
    "gradient": InputGradient(),
    "IG, black": IntegratedGradients(baseline=BLACK),
    "occlusion, black": Occlusion(infiller=BLACK, seed=SEED),
    "RISE, black": Rise(infiller=BLACK, samples=500, seed=SEED),
}
BASELINES = ("Grad-CAM", "gradient", "IG, black")
REMOVERS = ("RISE, black", "FIDO, black")
MEASURED = (
    Measured("POS", "POS"),
    Measured("NEG", "NEG", lower=False),
    Measured("DEL", "DEL"),
    Measured("INS", "INS", lower=False),
    Measured("ADP", "ADP"),
    Measured("PIC", "PIC", lower=False),
    *(Measured(f"deletion, {fill}", f"deletion, {fill}") for fill in FAIR),
)


COVERED: dict[str, Measure] = {
    "pixel accuracy": One("pixel accuracy", Segmentation("accuracy")),
    "mean IoU": One("mean IoU", Segmentation("iou")),
    "F1": One("F1", Segmentation("f1")),
    "average precision": One("average precision", Segmentation("ap")),
}
SEGMENTED = tuple(Measured(name, name, lower=False) for name in COVERED)


def measures(keep: Any) -> dict[str, Measure]:
    """All that is measured of one map; `keep` says how it is to be read as a mask."""
    fixed = {
        "POS": Pos.as_published(),
        "NEG": Neg.as_published(),
        "DEL": Deletion(BLACK, TENTHS, seed=SEED),
        "INS": Insertion(BLACK, SHOWN, seed=SEED),
        "ADP": Adp(keep=keep),
        "PIC": Pic(keep=keep),
        **{f"deletion, {name}": Deletion(fill, seed=SEED) for name, fill in FAIR.items()},
    }
    return {name: One(name, metric) for name, metric in fixed.items()}


def rows() -> list[Row]:
    """What gives ratings, of which a drawn size makes masks, and what gives masks themselves."""
    shifted, scaled = measures("shifted"), measures("scaled")
    return [
        Row("centre", "", centre, scaled, "centre of the image"),
        *(Row(name, "black", by, shifted) for name, by in MASKS.items()),
        *(Row(name, "black", by, scaled) for name, by in (RANKINGS | OTHERS).items()),
    ]


def objects() -> list[Row]:
    """The same methods, and how well their maps cover the object."""
    return [replace(row, measures=COVERED) for row in rows() if not row.name.endswith("by POS")]


def claims(
    numbers: Mapping[str, Photos], measured: Sequence[Measured] = MEASURED
) -> list[dict[str, Any]]:
    """LTX above pLTX, pLTX above gradients and CAM; and beside what removes pixels."""
    pairs = [("LTX, step by NEG", "pLTX"), ("LTX, step by POS", "pLTX")]
    pairs += [("LTX, priced", "pLTX, priced"), ("LTX, priced, step by POS", "LTX, priced")]
    pairs += [("pLTX", other) for other in ("pLTX, priced", "centre", *BASELINES, *REMOVERS)]
    pairs += [("LTX, step by NEG", other) for other in (*BASELINES, *REMOVERS)]
    pairs += [("pLTX, priced", other) for other in ("centre", *BASELINES)]
    return [
        compared(numbers, each, one, other, flag(each.name, one))
        for one, other in pairs
        if one in numbers
        for each in measured
    ]


def flag(measure: str, row: str) -> str:
    """Whether the step was chosen by the measure itself."""
    return "chosen by it" if row.endswith(measure) else ""


TITLE = "Is a learned explainer better? Gain, with 95 % intervals over photos"
BENCHMARK = Benchmark("claims_ltx", TITLE, rows(), MEASURED, (), claims, SEED)
OBJECTS = Benchmark(
    "claims_ltx_objects",
    "Does a learned explainer cover the object better? Gain, with 95 % intervals over photos",
    objects(),
    SEGMENTED,
    (),
    partial(claims, measured=SEGMENTED),
    SEED,
    Bed(photos, data, "why what it answers?"),
)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--objects", action="store_true", help="photos with masks of the object")
    options = parser.parse_args()
    run(OBJECTS if options.objects else BENCHMARK, options, ROOT / "results")
