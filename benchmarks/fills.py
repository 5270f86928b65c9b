"""Which fill is the most plausible? Every fill against every other, on photos none was trained on.

    python benchmarks/fills.py [--photos 40] [--slow 16] [--only MeanColour,Telea] [--fresh]

Photos: the first of ILSVRC validation whose official box is seen at 224 px. For box (the official
one), superpixel (half of 50 SLIC segments), tile (half of those of 16 to 32 px) and pixel-noise
(half) holes, the same for all fills:

1. distance to the truth: in the feature space of EfficientNet-Lite0 over the whole image (unit
   length per pixel, the last map of each of its five resolutions; decides), in its penultimate
   layer (Euclidean), PSNR and SSIM on hidden pixels;
2. R-OMS: mean probability of the untouched answer while ten nested sets of the same kind are
   filled, from one unit to all (superpixels: 200 segments; boxes grow around a random point);
3. mean absolute change of the label's log-odds when only background is filled: holes of each kind
   outside of the box (box: a random one of half the side), and the whole background;
4. the label's log-odds that are lost when the box is filled;
5. time, as a ratio to one pass of the prepared classifier, in batches of 16, side by side.

Intervals are 95 % of 2,000 resamples of photos; comparisons are paired. EfficientNet-Lite2 (the
same images, scaled to its 260 px) repeats criteria 1 to 4. Every (fill, hole kind) is written to
`results/fills.npz` when done, and not computed again when the run is repeated. 40 photos take about
25 minutes on two quiet cores, more than a third of them for PatchMatch.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from fills_judge import Judge, passes
from fills_ledger import Ledger
from fills_scenes import KINDS, scene
from fills_verdict import Numbers, agreement, complete, means, seen, verdicts
from fills_work import CHEATS, DEFAULT, DONORS, PHOTOS, RIVALS, Work, compute
from harness import ROOT, digest, placeless, record, show
from sheets import sheet

from rather import Batch, Infiller, fill
from rather.infiller import seeded


def draw(
    path: Path, infillers: Mapping[str, Infiller], batch: Batch, seed: int, shown: int, cell: int
) -> Path:
    """A sheet of what each fill makes of each kind of hole, for a few photos."""
    rows, names = [], []
    few = batch.at(torch.arange(min(shown, len(batch.images))))
    for kind in KINDS:
        found = scene(kind, few, seed)
        keep = found.background if found.hole is None else found.hole
        made = [fill(one, few.images, keep, seeded(seed, few.images)) for one in infillers.values()]
        holes = torch.where(keep > 0, few.images, 0.5)
        for row in range(len(few.images)):
            rows.append([few.images[row], holes[row], *(each[row] for each in made)])
            names.append(kind)
    return sheet(path, rows, ["photo", "hole", *infillers], names, cell, colours=128)


def report(
    numbers: Numbers,
    infillers: Mapping[str, Infiller],
    times: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    panel: Sequence[Judge],
    folder: Path,
) -> None:
    """Tables on the screen, and all of them in one JSON file."""
    names = list(infillers)
    honest = [name for name in names if name not in CHEATS]
    rivals = [name for name in names if name in RIVALS]
    first, second = (judge.name for judge in panel)
    by_fill = means(numbers, names, first)
    orders = agreement(numbers, honest, (first, second))
    for kind in KINDS:
        rows = [row for row in by_fill if row["hole"] == kind]
        show(f"{kind} holes, judged by {first}", [_filled(row) for row in rows])
    show("time: passes of the classifier an image, in batches", times)
    show(f"do {first} and {second} agree? Kendall's tau", [_short(row) for row in orders])
    record(
        "fills",
        f"Is the default best, or tied with the best, of {', '.join(rivals)}?",
        verdicts(numbers, DEFAULT, rivals, first),
        settings,
        folder,
        fills=by_fill,
        passes=list(times),
        agreement=orders,
        **{f"fills by {second}": means(numbers, names, second)},
        **{f"verdicts by {second}": verdicts(numbers, DEFAULT, rivals, second)},
    )


def run(work: Work, options: argparse.Namespace, folder: Path) -> None:
    """The whole benchmark."""
    ledger = Ledger(folder / "fills.npz")
    if options.fresh:
        ledger.blocks.clear()
    first = work.batches[0]
    if not options.report:
        draw(folder / "fills.png", work.infillers, first, work.seed, options.shown, options.cell)
        compute(work, ledger)
    numbers = ledger.numbers()
    known = {name: one for name, one in work.infillers.items() if complete(numbers, name)}
    timed = {kind: scene(kind, first, work.seed) for kind in KINDS}
    times = passes(known, timed, work.panel[0].classifier, options.rounds)
    settings = {
        "work": placeless(work),
        "seed": work.seed,
        "data": f"{PHOTOS.name} sha256:{digest(PHOTOS)}, the first with a visible box",
        "donors": f"{DONORS.name} sha256:{digest(DONORS)}",
        "judges": [judge.name for judge in work.panel],
        "fills": {name: placeless(infiller) for name, infiller in known.items()},
        "timed with a batch of": len(first.images),
        "numbers per photo": "fills.npz",
        "photos": {
            f"{name}, {kind}": seen(numbers, name, kind) for name in known for kind in KINDS
        },
    }
    report(numbers, known, times, settings, work.panel, folder)


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value != "" and name != "hole"}


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("criterion", "hole", "tau")}


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=40, help="how many photos (at most 450)")
    parser.add_argument("--weights", default="", help="judge this file in place of the shipped one")
    parser.add_argument("--only", default="", help="rivals to compute, parted by commas")
    parser.add_argument("--engine", choices=("torch", "openvino"), default="torch")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--slow", type=int, default=0, help="photos for PatchMatch; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3, help="timings of each fill; 0 for none")
    parser.add_argument("--shown", type=int, default=2, help="how many photos stand on the sheet")
    parser.add_argument("--cell", type=int, default=104, help="side of a photo on the sheet")
    parser.add_argument("--report", action="store_true", help="only of what was computed before")
    parser.add_argument("--fresh", action="store_true", help="compute finished blocks again")
    return parser


if __name__ == "__main__":
    chosen = arguments().parse_args()
    run(
        Work(
            chosen.photos,
            chosen.weights,
            chosen.only,
            chosen.engine,
            chosen.seed,
            chosen.workers,
            chosen.slow,
        ),
        chosen,
        ROOT / "results",
    )
