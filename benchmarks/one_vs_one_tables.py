"""Tables of the claims on counterfactual baselines, from the numbers of every image."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from claims_verdict import Measured, compared
from harness import bootstrap
from one_vs_one_beds import Bed
from one_vs_one_work import Numbers

from rather.explainers.baselines import start
from rather.metrics.curve import lead

PAIRS = (
    ("GANMEX", "MDTS"),
    ("GANMEX", "zero"),
    ("GANMEX", "blur"),
    ("MDTS", "zero"),
    ("MDTS", "blur"),
)
Every: TypeAlias = dict[str, Numbers]  # by row


def joined(parts: Mapping[str, Every]) -> Every:
    """Numbers of all tasks; of scenes and objects the gap between the two."""
    if "composite, scenes" not in parts:
        return {row: found for part in parts.values() for row, found in part.items()}
    scenes, objects = (parts[f"composite, {name}"] for name in ("scenes", "objects"))
    every: Every = {}
    for row, found in scenes.items():
        pairs = {
            image: (own["inside"], objects[row][image]["inside"])
            for image, own in found.items()
            if image in objects[row]
        }
        every[row] = {
            image: {"scenes": one, "objects": two, "gap": two - one}
            for image, (one, two) in pairs.items()
        }
    return every


def claims(
    every: Every,
    measured: Sequence[Measured],
    methods: Sequence[str],
    others: Sequence[tuple[str, str]],
) -> list[dict[str, Any]]:
    """Who is better than whom, by every measure; flagged where a map began at the fill."""
    pairs = [(f"{m}, {one}", f"{m}, {two}") for m in methods for one, two in PAIRS]
    found = []
    for one, two in (pair for pair in [*pairs, *others] if every.keys() >= set(pair)):
        for each in measured:
            own = {row.split(", ")[-1] for row in (one, two)}
            flag = each.same_fill if each.same_fill in own else ""
            found.append(compared(every, each, one, two, flag))
    return found


def compact(
    found: Sequence[Mapping[str, Any]], measured: Sequence[Measured]
) -> list[dict[str, str]]:
    """One line for each pair of rows, a column for each measure; * where a map began there."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    names = {each.name for each in measured}
    for row in (row for row in found if row["measure"] in names):
        pair = (row["better?"], row["than"])
        line = lines.setdefault(pair, {"better?": pair[0], "than": pair[1]})
        star = "*" if row["same_fill"] else ""
        words = row["verdict"].split(":")[0]
        line[row["measure"]] = (
            f"{row['by']:.3f} [{row['low']:.3f}, {row['high']:.3f}] {words}{star}"
        )
    return list(lines.values())


@torch.no_grad()
def begins(bed: Bed) -> list[dict[str, str]]:
    """What the classifier says of the baselines themselves, and how far they are."""
    found = []
    for name, baseline in bed.baselines.items():
        images = start(bed.ready(baseline), bed.images.images, 0)
        logits = torch.cat([bed.classifier(part) for part in images.split(64)])
        numbers = {
            "is the foil": (logits.argmax(1) == bed.foils[0]).float(),
            "lead": lead(bed.question, logits),
            "L1": (images - bed.images.images).abs().mean((1, 2, 3)),
        }
        words = {
            key: "{:.3f} [{:.3f}, {:.3f}]".format(*bootstrap(values.tolist()))
            for key, values in numbers.items()
        }
        found.append({"baseline": name, **words})
    return found
