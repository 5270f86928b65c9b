"""Do discriminative maps find what tells an image from its counterfactual? Scored by DAC.

    python benchmarks/claims_dac.py [mnist disc disc_pairs dogs fruits] [--each N] [--rows PART]
        [--report]

The claims of Eckstein et al., arXiv:2109.13412, on held-out images, each turned into one other
class: IG, DeepLIFT, input x gradient, Grad-CAM and guided Grad-CAM from the counterfactual (D-)
against the same from mid-grey, asked about the target alone or told the foil, against residual,
blurred noise and cell swaps; greedy squares stand for a ceiling. Numbers of every image lie in
`results/claims_dac_BED.npz`; what is there and was made alike is not computed again, so that a run
may be killed, and is made anew where weights have changed. `--report` only writes the tables.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from claims_verdict import Measured, Photos, compared, summary
from dac_beds import BEDS, EACH, Bed
from dac_methods import DISCRIMINATIVE, PLAIN, methods, rivals
from dac_sheets import draw
from dac_work import SETTINGS, Numbers, work
from harness import ROOT, bootstrap, record, show

SCORES = (
    Measured("restore", "restore", lower=False),
    Measured("edit", "edit", lower=False),
    Measured("restore, unclosed", "restore, raw", lower=False),
    Measured("edit, unclosed", "edit, raw", lower=False),
    Measured("as published", "published", lower=False),
    Measured("smallest flip", "restore, flip size"),
)
BESIDE = (
    Measured("of the whole gain", "restore, normalised", lower=False),
    Measured("sure pairs", "restore, sure", lower=False),
    Measured("blurred map", "restore, blurred map", lower=False),
    Measured("best hybrid", "restore, best size"),
    Measured("its gain", "restore, best gain", lower=False),
)
PLACES = (
    Measured("hit", "hit", lower=False),
    Measured("density", "density", lower=False),
    Measured("pointing", "pointing", lower=False),
)


def claims(numbers: Mapping[str, Photos]) -> Iterator[tuple[dict[str, str], str]]:
    """A row for each pair of maps, a cell for each score: the gain, and what it says of the claim.

    Beside it the verdict on the claim as a whole: what all directions and masks agree on.
    """
    for one, other in rivals():
        if not (numbers.get(one) and numbers.get(other)):
            continue
        found = [compared(numbers, each, one, other) for each in SCORES]
        row = {"better?": one, "than": other, "n": str(found[0]["n"])}
        row |= {each["measure"]: cell(each) for each in found}
        yield row, together([each["verdict"] for each in found[:4]])


def cell(found: Mapping[str, Any]) -> str:
    """The gain with its interval and a sign: + for the claim, - against it, ? undecided."""
    low, high = found["low"], found["high"]
    if not np.isfinite(found["by"]):
        return ""
    sign = "+" if low > 0 else "-" if high < 0 else "?"
    return f"{sign} {found['by']:.3f} [{low:.3f}, {high:.3f}]"


def together(verdicts: list[str]) -> str:
    """What several verdicts say: confirmed, or not, only where none says otherwise.

    >>> together(["confirmed", "confirmed"]), together(["confirmed", "undecided"])
    ('confirmed', 'undecided')
    """
    first = verdicts[0]
    if all(each == first for each in verdicts):
        return first
    few = next((each.partition(",")[0] for each in verdicts if "fewer" in each), "")
    return few or "undecided"


def located(numbers: Mapping[str, Photos]) -> list[dict[str, str]]:
    """Is what differs found better? A row for each pair of maps."""
    found = []
    for one, other in rivals():
        if not (numbers.get(one) and numbers.get(other)):
            continue
        each = [compared(numbers, measured, one, other) for measured in PLACES]
        row = {"better?": one, "than": other, "n": str(each[0]["n"])}
        row |= {a["measure"]: cell(a) for a in each}
        found.append(row | {"verdict": each[0]["verdict"]})
    return found


def pairs(numbers: Numbers, network: str) -> dict[str, str]:
    """What the counterfactuals are like, to this network."""
    row: dict[str, str] = {"network": network}
    for name in ("right", "flipped", "sure", "change"):
        values = numbers.arrays[f"{network}/pair/{name}"].tolist()
        row[name] = "{:.3f} [{:.3f}, {:.3f}]".format(*bootstrap(values))
    return {**row, "n": str(len(values))}


def report(name: str, bed: Bed, numbers: Numbers, folder: Path) -> Path:
    """Tables and JSON of one bed."""
    about: dict[str, list[dict[str, Any]]] = {
        part: [] for part in ("pairs", "rows", "intervals", "claims", "places", "located")
    }
    for network in bed.networks:
        found = numbers.of(network)
        if not found.pop("pair", None):
            continue  # not done yet
        order = [method for method in methods(bed.across, bed.cells) if method in found]
        known = {method: found[method] for method in order}
        judged = verdicts(network, known)
        about["pairs"].append(pairs(numbers, network))
        intervals = summary(known, [*SCORES, *BESIDE])
        about["intervals"] += of(network, intervals)
        about["rows"] += of(network, [short(row) for row in intervals])
        about["claims"] += judged
        if bed.batch.regions is not None:
            about["places"] += of(network, summary(known, PLACES))
            about["located"] += of(network, located(known))
    for part in ("pairs", "rows", "claims", "located"):
        if about[part]:
            show(part, about[part])
    rows = about.pop("rows")
    title = f"DAC on {name}: are discriminative maps better? Means and 95 % intervals"
    return record(f"claims_dac_{name}", title, rows, settings(bed, numbers), folder, **about)


def short(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without its intervals."""
    return {name: str(value).partition(" [")[0] for name, value in row.items()}


def verdicts(network: str, known: Mapping[str, Photos]) -> list[dict[str, str]]:
    """The claims with their verdicts, of one network."""
    return [{"network": network, **row, "verdict": verdict} for row, verdict in claims(known)]


def of(network: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the network's name before them."""
    return [{"network": network, **row} for row in rows]


def settings(bed: Bed, numbers: Numbers) -> dict[str, Any]:
    """What made the numbers, in words."""
    return {
        "counterfactuals": bed.by,
        "images": len(bed.batch),
        "numbers per image": numbers.path.name,
        "DAC": {name: repr(each) for name, each in SETTINGS.items()},
        "plain": list(PLAIN),
        "discriminative": list(DISCRIMINATIVE),
        "squares across": bed.across,
        "verdict": "of restore and edit, closed or not, together; + is for the claim, - against",
        "seed": 0,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("beds", nargs="*", help=f"of {', '.join(BEDS)}; by default mnist")
    parser.add_argument("--each", type=int, help="images of each class")
    parser.add_argument("--rows", default="", help="only methods whose name has this part")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    options = parser.parse_args(arguments)
    for name in options.beds or ["mnist"]:
        run(name, options)


@torch.no_grad()
def run(name: str, options: argparse.Namespace) -> None:
    """One bed: numbers, tables, sheets."""
    bed = BEDS[name](options.each or EACH.get(name, 12))
    numbers = Numbers.at(options.out / f"claims_dac_{name}.npz")
    if not options.report:
        work(bed, numbers, options.rows)
    report(name, bed, numbers, options.out)
    draw(options.out, name, next(iter(bed.networks)), bed)


if __name__ == "__main__":
    main()
