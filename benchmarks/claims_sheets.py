"""Contact sheets of the maps that the benchmarks of claims have kept.

    python benchmarks/claims_sheets.py [--photos 20] [--skip 0] [--cell 88] [--make PATTERN]

One sheet for the -G methods, one for LTX, and one for each objective of FIDO and BBMP: a photo a
line, with its boxes, and a column for every method and fill. A sheet without any map is left as it
was. Maps of FIDO and BBMP are probabilities less one half: green is kept (to destroy: dropped),
purple is not. Numbers are committed, maps are not: `--make` makes those of the rows that match
again.
"""

import argparse
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from claims_fido import ATTENTION, MASKER, VAE
from claims_fido import benchmark as fido
from claims_ledger import Ledger
from claims_ltx import BENCHMARK as LTX
from claims_removal import BENCHMARK as REMOVAL
from claims_run import Benchmark
from claims_work import TOGETHER, Row, judge, make, photos
from harness import ROOT
from sheets import outlined, overlay, sheet
from torch import Tensor

from rather import Batch, Classifier


def line(batch: Batch, rows: Sequence[Row], ledger: Ledger, classifier: str) -> list[Tensor]:
    """The photo with its boxes, then every map; a blank where there is none yet."""
    page, photo = ledger.page(batch.names[0]), batch.images[0]
    region = torch.zeros(photo.shape[1:], dtype=torch.bool)
    region = region if batch.regions is None else batch.regions[0]
    found = [outlined(photo, region)]
    for row in rows:
        heat = page.map_of(row.name, row.key(classifier))
        found.append(torch.ones_like(photo) if heat is None else overlay(photo, heat[0]))
    return found


def draw(
    path: Path,
    benchmark: Benchmark,
    rows: Sequence[Row],
    batches: Sequence[Batch],
    classifier: str,
    cell: int,
) -> Path | None:
    """One sheet, without rows and photos that have no map; the ledger lies beside it."""
    folder = path.parent
    ledger = Ledger(folder / "ledger" / benchmark.name, folder / f"{benchmark.name}.numbers.gz")
    pages = {batch.names[0]: ledger.page(batch.names[0]) for batch in batches}
    rows = [
        row
        for row in rows
        if any(page.map_of(row.name, row.key(classifier)) is not None for page in pages.values())
    ]
    if not rows:
        return None
    names = [row.name for row in rows]
    batches = [
        batch for batch in batches if any(name in pages[batch.names[0]].rows for name in names)
    ]
    grid = [line(batch, rows, ledger, classifier) for batch in batches]
    columns = ["photo, boxes", *(short(row.name) for row in rows)]
    return sheet(path, grid, columns, [batch.names[0][-3:] for batch in batches], cell)


def short(name: str) -> str:
    """A name that stands above a small picture."""
    words = {
        "FIDO ssr, ": "F ",
        "FIDO sdr, ": "F ",
        "FIDO joint, ": "joint ",
        "BBMP ssr, ": "B ",
        "BBMP sdr, ": "B ",
        "network": "net",
        ", step by ": " by ",
        ", priced": " priced",
        ", black": "",
    }
    for long, brief in words.items():
        name = name.replace(long, brief)
    return name.replace("mean colour", "mean col.").replace("in-painter", "in-paint")


def remade(
    benchmark: Benchmark,
    rows: Sequence[Row],
    batches: Sequence[Batch],
    of: Classifier,
    folder: Path,
) -> None:
    """Make the maps that are missing, a few photos at a time."""
    ledger = Ledger(folder / "ledger" / benchmark.name, folder / f"{benchmark.name}.numbers.gz")
    for first in range(0, len(batches), TOGETHER):
        group = [(batch, ledger.page(batch.names[0])) for batch in batches[first:][:TOGETHER]]
        for row in rows:
            make(row, row.key(of.name), of, group)
        for _, page in group:
            page.write()
        print(f"maps of {first + len(group)}/{len(batches)} photos", flush=True)


def run(
    count: int,
    cell: int,
    folder: Path,
    engine: str = "openvino",
    skip: int = 0,
    again: str | None = None,
) -> list[Path]:
    """All sheets that there are maps for; those of rows that match `again` are made before."""
    classifier = judge(engine)
    batches = list(islice(photos(classifier), skip, skip + count))
    both = fido(VAE, ATTENTION, MASKER)
    parts = {
        "claims_removal": (REMOVAL, [row for row in REMOVAL.rows if row.fill]),
        "claims_ltx": (LTX, [row for row in LTX.rows if row.fill]),
        "claims_fido_ssr": (both, [row for row in both.rows if " sdr" not in row.name]),
        "claims_fido_sdr": (both, [row for row in both.rows if " sdr" in row.name]),
    }
    for benchmark, rows in parts.values() if again is not None else ():
        matching = [row for row in rows if re.search(again or "", row.name)]
        remade(benchmark, matching, batches, classifier, folder)
    made = [
        draw(folder / f"{name}.png", benchmark, rows, batches, classifier.name, cell)
        for name, (benchmark, rows) in parts.items()
    ]
    return [path for path in made if path]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=20, help="how many photos")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first so many")
    parser.add_argument("--cell", type=int, default=88, help="side of a picture, in pixels")
    parser.add_argument("--make", metavar="PATTERN", help="make maps of the rows that match")
    options = parser.parse_args()
    wanted = {"skip": options.skip, "again": options.make}
    for made in run(options.photos, options.cell, ROOT / "results", **wanted):
        print(made)
