"""Contact sheets of the methods that no claim is about: RISE, and FIDO's joint objective.

    python benchmarks/contact_sheets.py [--photos 20] [--rows PATTERN] [--report] [--cell 88]

The photos of the benchmarks of claims, asked why their label; RISE with as many masks as LIME has
samples there, FIDO as `Fido(objective="joint")`. The sheet is there to be looked at; what is
measured of each map stands in `results/contact_sheets.json`, and nothing is claimed. Resumable.
"""

import re
from argparse import Namespace
from pathlib import Path

from claims_fido import AD_HOC, ATTENTION, LOCAL, VAE, generative, local
from claims_ledger import Ledger
from claims_run import Benchmark, arguments, chosen
from claims_sheets import draw
from claims_verdict import summary
from claims_work import Row, data, judge, work
from harness import ROOT, record

from rather import Infiller
from rather.explainers import Fido, Rise

FILLS: dict[str, Infiller] = {**generative(VAE, ATTENTION), **AD_HOC}
SAMPLES = 500
ROWS = (
    *(
        Row(f"RISE, {name}", name, Rise(FILLS[name], samples=SAMPLES), local())
        for name in ("mean colour", "in-painter")
    ),
    *(
        Row(f"FIDO joint, {name}", name, Fido(fill, objective="joint"), local())
        for name, fill in FILLS.items()
    ),
)
TITLE = "Maps to be looked at, and what is measured of each map"
BENCHMARK = Benchmark("contact_sheets", TITLE, ROWS, LOCAL, (), lambda _: [])


def run(options: Namespace, folder: Path) -> Path:
    """Make what is missing, and the sheet of what is there."""
    classifier = judge(options.engine)
    packed = folder / f"{BENCHMARK.name}.numbers.gz"
    ledger = Ledger(folder / "ledger" / BENCHMARK.name, packed)
    batches = chosen(classifier, options)
    if not options.report:
        wanted = [row for row in ROWS if re.search(options.rows, row.name)]
        work(wanted, classifier, batches, ledger)
    path, name = folder / f"{BENCHMARK.name}.png", classifier.name
    draw(path, BENCHMARK, ROWS, sorted(batches, key=lambda one: one.names), name, options.cell)
    numbers = ledger.numbers({row.name: row.key(name) for row in ROWS})
    settings = {
        "seed": 0,
        "data": data(max(len(photos) for photos in numbers.values())),
        "question": "why the labelled class?",
        "classifier": name,
        "rows": {row.name: repr(row.explainer) for row in ROWS},
        "numbers per photo": ledger.pack().name,
    }
    return record(BENCHMARK.name, TITLE, summary(numbers, LOCAL), settings, folder)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--cell", type=int, default=88, help="side of a picture, in pixels")
    parser.set_defaults(photos=20)
    run(parser.parse_args(), ROOT / "results")
