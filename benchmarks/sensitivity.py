"""How much do maps change with settings that should not matter, and less so with a generative fill?

    python benchmarks/sensitivity.py [--photos 10] [--rows PATTERN] [--without] [--report]
    python benchmarks/sensitivity.py --photos 100 --rows single

The grids of Bansal, Agarwal and Nguyen (SAM), arXiv:2003.08754, for sliding patch, LIME and
meaningful perturbation, each with its ad-hoc fill and with the shipped in-painter. A map is
compared with that of the method's base setting, by Spearman, SSIM and HOG. Two seeds at equal
settings are the noise floor: a similarity divided by that of the seeds is the share that noise does
not explain. Patches are wider spaced than published (stride 3), as each costs a pass. The whole
grid costs ten minutes of a core a photo; so there is one *single* change of each method, from the
settings of `claims_removal.py`, whose maps are borrowed where they are still there. Resumable;
`--rows` as in `claims_removal.py`.
"""

import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from claims_ledger import Ledger, Page, made_by
from claims_removal import AD_HOC, FILLS
from claims_run import arguments, chosen, without_inpainter
from claims_verdict import Photos, verdict
from claims_work import TOGETHER, Row, data, explained, judge, make
from harness import ROOT, bootstrap, record, show

from rather import Batch, Classifier, Infiller
from rather.explainers import Lime, MeaningfulPerturbation, Occlusion, Slic
from rather.infillers import Blur
from rather.metrics.similarity import MEASURES, similarity

BASES: dict[str, Any] = {
    "SP": Occlusion(size=29, stride=14),
    "LIME": Lime(samples=500),
    "MP": MeaningfulPerturbation(),
}


@dataclass(frozen=True)
class Change:
    """Some settings of a method, each with what it changes in the base.

    Args:
        method: SP, LIME or MP.
        what: the setting, as it stands in tables.
        fields: of each setting in turn.
        base: what the others are compared with, in place of the method's base.
    """

    method: str
    what: str
    fields: tuple[Mapping[str, Any], ...]
    base: Mapping[str, Any] | None = None

    def rows(self, fill: str, infiller: Infiller) -> list[Row]:
        """The base first, then every setting."""
        base = replace(BASES[self.method], infiller=infiller)
        every = [replace(base, **settings) for settings in (self.base or {}, *self.fields)]
        return [Row(f"{self.method}, {fill}, {self.what}", fill, each) for each in every]


def patches(*sizes: tuple[int, int]) -> tuple[dict[str, int], ...]:
    """Settings of the sliding patch: size and stride."""
    return tuple({"size": size, "stride": stride} for size, stride in sizes)


def seeds(*values: int) -> tuple[dict[str, int], ...]:
    """Settings that differ in their seed."""
    return tuple({"seed": value} for value in values)


CHANGES = (
    Change("SP", "size 5, 17, 41, 53", patches((5, 5), (17, 8), (41, 16), (53, 16))),
    Change("SP", "size 6, 7 for 5", patches((6, 6), (7, 7)), {"size": 5, "stride": 5}),
    Change("SP", "size 52, 54 for 53", patches((52, 16), (54, 16)), {"size": 53, "stride": 16}),
    Change("SP", "seed", seeds(1)),
    Change("LIME", "seed", seeds(1, 2, 3, 4)),
    Change("LIME", "samples 1000", ({"samples": 1000},)),
    Change("LIME", "segments 25, 100", ({"segmenter": Slic(25)}, {"segmenter": Slic(100)})),
    Change("MP", "seed", seeds(1, 2, 3, 4)),
    Change("MP", "init circle, ones", ({"init": "circle"}, {"init": "ones"})),
    Change("MP", "steps 150", ({"steps": 150},)),
)
SINGLE = (
    Change("SP", "single: size 48 for 32", patches((48, 16)), {"size": 32, "stride": 16}),
    Change("LIME", "single: seed", seeds(1)),
    Change("MP", "single: init circle", ({"init": "circle"},)),
)
BLURS = Change("MP", "blur 5, 30", ({"infiller": Blur(5.0)}, {"infiller": Blur(30.0)}))
Grid = dict[str, list[Row]]  # base and settings, by method, fill and what changes


def grid() -> Grid:
    """Everything that is compared."""
    found: Grid = {}
    for change in (*CHANGES, *SINGLE, BLURS):
        for fill in (AD_HOC[change.method], "in-painter"):
            if change is BLURS and fill != "blur":
                continue
            rows = change.rows(fill, FILLS[fill])
            found[rows[0].name] = rows
    return found


def compare(
    rows: Sequence[Row], classifier: Classifier, group: Sequence[tuple[Batch, Page]], lender: Ledger
) -> None:
    """Similarity of the base's maps to those of the settings; the mean of each photo is kept."""
    name, keys = rows[0].name, [row.key(classifier.name) for row in rows]
    by = made_by("similarity", keys[1:])
    group = [pair for pair in group if not pair[1].has(name, keys[0], "similarity", by)]
    maps = [replace(row, name=f"map {key}") for row, key in zip(rows, keys, strict=True)]
    for row, key in zip(maps, keys, strict=True):
        for batch, page in group:
            borrow(row, key, page, name, lender.page(batch.names[0]))
        make(row, key, classifier, group)
    for batch, page in group:
        first, *others = (
            explained(row, key, classifier, batch, page).heatmaps
            for row, key in zip(maps, keys, strict=True)
        )
        values = {
            kind: float(np.mean([float(similarity(first, each, kind)) for each in others]))
            for kind in MEASURES
        }
        page.rows[name] = {"made by": keys[0], "measures": {}}
        page.keep_numbers(name, "similarity", by, values)


def borrow(row: Row, key: str, page: Page, name: str, other: Page) -> None:
    """Take a map that another benchmark made alike, if it did."""
    heat = other.map_of(", ".join(name.split(", ")[:2]), key)
    if heat is not None and page.map_of(row.name, key) is None:
        page.keep_map(row.name, key, heat, {"explainer": repr(row.explainer)})


def summary(numbers: Mapping[str, Photos]) -> list[dict[str, Any]]:
    """Mean similarity of every comparison that was made, and beside that of two seeds."""
    found = []
    for name, photos in numbers.items():
        if not photos:
            continue
        method, fill, what = name.split(", ", 2)
        row: dict[str, Any] = {"method": method, "fill": fill, "changed": what, "n": len(photos)}
        seeds = numbers[f"{method}, {fill}, seed"].values()
        for kind in MEASURES:
            mean, low, high = bootstrap([own[kind] for own in photos.values()])
            row[kind] = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            floor = bootstrap([own[kind] for own in seeds])[0] if seeds else None
            row[f"{kind} / seeds"] = mean / floor if floor else ""
        found.append(row)
    return found


def claims(numbers: Mapping[str, Photos]) -> list[dict[str, Any]]:
    """Are maps with the in-painter more alike, photo by photo? Of comparisons that were made."""
    found = []
    for change in (*CHANGES, *SINGLE):
        ad_hoc, drawn = (
            numbers[f"{change.method}, {fill}, {change.what}"]
            for fill in (AD_HOC[change.method], "in-painter")
        )
        both = sorted(set(ad_hoc) & set(drawn))
        for kind in MEASURES if both else ():
            pairs = [drawn[photo][kind] - ad_hoc[photo][kind] for photo in both]
            mean, low, high = bootstrap(pairs)
            row = {"method": change.method, "changed": change.what, "measure": kind}
            count = int(np.isfinite(pairs).sum())
            row |= {"n": count, "more alike by": mean, "low": low, "high": high}
            found.append({**row, "verdict": verdict(low, high, count)})
    return found


def run(options: Namespace, folder: Path) -> Path:
    """The whole benchmark, or the report of what is there."""
    classifier, rows = judge(options.engine), grid()
    ledger = Ledger(folder / "ledger" / "sensitivity", folder / "sensitivity.numbers.gz")
    wanted = {name: each for name, each in rows.items() if re.search(options.rows, name)}
    if options.without:
        wanted = {name: each for name, each in wanted.items() if without_inpainter(each)}
    batches = [] if options.report else chosen(classifier, options)
    lender = Ledger(folder / "ledger" / "claims_removal", folder / "claims_removal.numbers.gz")
    for first in range(0, len(batches), TOGETHER):
        group = [(batch, ledger.page(batch.names[0])) for batch in batches[first:][:TOGETHER]]
        for name, each in wanted.items():
            compare(each, classifier, group, lender)
            print(f"{first + len(group)}/{len(batches)} {name}", flush=True)
    numbers = ledger.numbers({name: each[0].key(classifier.name) for name, each in rows.items()})
    means = summary(numbers)
    show("similarity to the base setting", means)
    settings = {
        "seed": "0 and those named",
        "data": data(max(len(found) for found in numbers.values())),
        "question": "why the labelled class?",
        "classifier": classifier.name,
        "rows": {name: [repr(row.explainer) for row in each] for name, each in rows.items()},
        "numbers per photo": ledger.pack().name,
    }
    title = "Do maps change less with the in-painter? 95 % intervals over photos"
    return record("sensitivity", title, claims(numbers), settings, folder, means=means)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.set_defaults(photos=10)
    run(parser.parse_args(), ROOT / "results")
