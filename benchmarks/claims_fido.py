"""Does FIDO gain by generative fills, and is it better than BBMP?

    python benchmarks/claims_fido.py [--photos 100] [--rows PATTERN] [--without] [--report]
        [--vae FILE] [--attention FILE] [--masker FILE]

The claims of Chang et al., arXiv:1807.08024, on ImageNet validation photos that EfficientNet-Lite0
answers with their label: FIDO (`Fido()`, the fast schedule) for both objectives and BBMP, with mean
colour, blur, noise, local mean, the shipped in-painter, and small forms of the VAE and the
contextual attention of the paper. Compactness and artefacts at equal log-odds (0, a probability of
one half), under the method's own fill and under fills that are the same for all; saliency metric;
box error (thresholds chosen on the other half of the photos); removal curves under the in-painter
and the mean colour. With `--masker`, the weights of a `MaskRecipe`, also an amortised mask network,
as it is and fine-tuned. See `claims_removal.py` for `--rows` and `--without`, and how runs resume.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from claims_measures import BoxGrid, Compact, Measure, One, SaliencyGrid
from claims_run import Benchmark, arguments, run
from claims_verdict import Measured, Photos, compared
from claims_work import Row
from harness import ROOT
from train_small import JOBS

from rather import Infiller
from rather.explainers import Bbmp, Fido, Ltx
from rather.infiller import uses_keep
from rather.infillers import (
    Blur,
    ColourNoise,
    ContextualAttention,
    LocalMean,
    MeanColour,
    VaeInpainter,
    default,
)
from rather.metrics import BoxError, Concentration, KeptArea, RemovalCurve, TotalVariation

AD_HOC: dict[str, Infiller] = {
    "mean colour": MeanColour(),
    "blur": Blur(sigma=10.0),
    "noise": ColourNoise(sigma=0.2),
    "local mean": LocalMean(window=15),
}
COMMON = ("mean colour", "in-painter")
MASKER, VAE, ATTENTION = "ltx-efficientnet-lite0", "rather-vae-v1", "rather-contextual-v1"
MASKS = ("mask network", "mask network, tuned")
# What the mask network was trained for, to be fine-tuned alike.
TRAINED: dict[str, Any] = {
    name: getattr(JOBS[MASKER].recipe, name) for name in ("temperature", "area", "area_penalty")
}
SEED = 0
Objective = Literal["ssr", "sdr"]
COMPACT = [
    Measured(f"{what}, {fill}", f"{what}, {fill}", same_fill=fill)
    for what in ("area", "border")
    for fill in ("own fill", *COMMON)
]
LOCAL = (
    Measured("variation of the map", "variation"),
    Measured("saliency metric", "saliency 1.0"),
    Measured("saliency metric, best threshold", "saliency", choose=True),
    Measured("box error", "box"),
    Measured("box error, best threshold", "box", choose=True),
)
CURVES = [
    Measured(f"removal curve, {fill}", f"removal curve, {fill}", lower=False, same_fill=fill)
    for fill in COMMON
]


def generative(vae: str, attention: str) -> dict[str, Infiller]:
    """Fills that draw what could stand there; the two published ones where there are weights."""
    found: dict[str, Infiller] = {"in-painter": default()}
    if vae:
        found["VAE"] = VaeInpainter(vae)
    if attention:
        found["attention"] = ContextualAttention(attention)
    return found


def local() -> dict[str, Measure]:
    """What is measured of every map."""
    return {
        "boxes": BoxGrid(),
        "box": One("box", BoxError()),
        "saliency": SaliencyGrid(),
        "gini": One("gini", Concentration()),
        "variation": One("variation", TotalVariation()),
    }


def measures(objective: Objective, fill: Infiller) -> dict[str, Measure]:
    """All that is measured of one map: regions of what suffices, curves of what destroys."""
    every, found = {**AD_HOC, **generative("", "")}, local()
    if objective == "ssr":
        hidden = {"own fill": fill, **{name: every[name] for name in COMMON}}
        areas = {name: KeptArea(each, "kept", areas=15, seed=SEED) for name, each in hidden.items()}
        found["compact own"] = Compact("own fill", areas.pop("own fill"))
        return found | {f"compact {name}": Compact(name, each) for name, each in areas.items()}
    curves = {name: RemovalCurve(every[name], draws=1, seed=SEED) for name in COMMON}
    return found | {
        f"curve {name}": One(f"removal curve, {name}", each) for name, each in curves.items()
    }


def rows(fills: Mapping[str, Infiller]) -> list[Row]:
    """FIDO for both objectives; BBMP for what destroys, where its fill draws or hides for all.

    `warmup` and `noise` are what the default comes to, under the name that older maps have.
    """
    found = []
    for objective in ("ssr", "sdr"):
        for name, fill in fills.items():
            measured = measures(objective, fill)
            plain: dict[str, Any] = {} if uses_keep(fill) else {"warmup": 8, "noise": "pixel"}
            fido = Fido(infiller=fill, objective=objective, seed=SEED, **plain)
            found.append(Row(f"FIDO {objective}, {name}", name, fido, measured))
            if objective == "sdr" and (name in COMMON or name not in AD_HOC):
                bbmp = Bbmp(infiller=fill, objective=objective, seed=SEED)
                found.append(Row(f"BBMP {objective}, {name}", name, bbmp, measured))
    return found


def masks(masker: str) -> list[Row]:
    """A mask network that was trained once, and what it comes to when it is fine-tuned."""
    if not masker:
        return []
    tuned = Ltx(masker, **TRAINED, seed=SEED)
    once = replace(tuned, steps=0)
    area = KeptArea(AD_HOC["mean colour"], "kept", areas=15, seed=SEED)
    measured = {**local(), "compact mean colour": Compact("mean colour", area)}
    return [Row(name, "black", by, measured) for name, by in zip(MASKS, (once, tuned), strict=True)]


def claims(numbers: Mapping[str, Photos]) -> list[dict[str, Any]]:
    """Generative against every ad-hoc fill, and FIDO against BBMP."""
    fills = [name.removeprefix("FIDO ssr, ") for name in numbers if name.startswith("FIDO ssr")]
    drawn = [name for name in fills if name not in AD_HOC]
    found = []
    for new in drawn:
        for old in AD_HOC:
            for each in (*COMPACT, *LOCAL):
                one, other = f"FIDO ssr, {new}", f"FIDO ssr, {old}"
                flag = each.same_fill if each.same_fill in (new, old, "own fill") else ""
                found.append(compared(numbers, each, one, other, flag))
            for each in (*LOCAL, *CURVES):
                one, other = f"FIDO sdr, {new}", f"FIDO sdr, {old}"
                flag = each.same_fill if each.same_fill in (new, old) else ""
                found.append(compared(numbers, each, one, other, flag))
    for fill in (*COMMON, *(name for name in drawn if name not in COMMON)):
        for each in (*CURVES, *LOCAL):
            flag = each.same_fill if each.same_fill == fill else ""
            one, other = f"FIDO sdr, {fill}", f"BBMP sdr, {fill}"
            found.append(compared(numbers, each, one, other, flag))
    return found + amortised(numbers)


def amortised(numbers: Mapping[str, Photos]) -> list[dict[str, Any]]:
    """FIDO against mask networks."""
    return [
        compared(numbers, each, f"FIDO ssr, {fill}", name, "")
        for name in MASKS
        if name in numbers
        for fill in COMMON
        for each in LOCAL
    ]


def benchmark(vae: str = "", attention: str = "", masker: str = "") -> Benchmark:
    """All of it, with the fills that there are weights for."""
    every = {**AD_HOC, **generative(vae, attention)}
    measured = (*COMPACT, *LOCAL, *CURVES)
    title = "Is FIDO better with a generative fill, and than BBMP? Gain, with 95 % intervals"
    beside = (Measured("Gini", "gini", lower=False),)
    every_row = [*rows(every), *masks(masker)]
    return Benchmark("claims_fido", title, every_row, measured, beside, claims, SEED)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--vae", default=VAE, help="weights of VaeInpainter")
    parser.add_argument("--attention", default=ATTENTION, help="weights of ContextualAttention")
    parser.add_argument("--masker", default=MASKER, help="of a mask network")
    options = parser.parse_args()
    run(benchmark(options.vae, options.attention, options.masker), options, ROOT / "results")
