"""What the benchmarks of claims share: command line, run and report."""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from claims_ledger import Ledger
from claims_verdict import Measured, Photos, agreement, summary, thresholds
from claims_work import Row, data, judge, photos, work
from harness import record, show

from rather import Batch, Classifier


@dataclass(frozen=True)
class Bed:
    """Other photos than those of ILSVRC, of which something else may be asked.

    Args:
        photos: one by one, each labelled with the class that is asked about.
        data: so many of them in words.
        question: in words.
    """

    photos: Callable[[Classifier], Iterator[Batch]]
    data: Callable[[int], str]
    question: str


@dataclass(frozen=True)
class Benchmark:
    """Rows that are made of every photo, and what is claimed of them.

    Args:
        name: of its files.
        title: of its table of claims.
        rows: every method with every fill.
        measured: numbers that claims are about.
        beside: numbers that are only shown.
        claims: the table, from all numbers.
        seed: of all rows and measures.
        bed: of which photos; None: ILSVRC's that are answered with their label.
    """

    name: str
    title: str
    rows: Sequence[Row]
    measured: Sequence[Measured]
    beside: Sequence[Measured]
    claims: Callable[[Mapping[str, Photos]], list[dict[str, Any]]]
    seed: int = 0
    bed: Bed | None = None


def without_inpainter(rows: Sequence[Row]) -> list[Row]:
    """The rows, and of each the measures, that need no in-painter."""
    return [
        replace(row, measures={name: one for name, one in row.measures.items() if _free(one)})
        for row in rows
        if _free(row.explainer)
    ]


def _free(method: object) -> bool:
    return re.search(r"\bInpainter\(", repr(method)) is None


def run(benchmark: Benchmark, options: argparse.Namespace, folder: Path) -> Path:
    """The whole benchmark, or the report of what is there."""
    classifier = judge(options.engine)
    packed = folder / f"{benchmark.name}.numbers.gz"
    ledger = Ledger(folder / "ledger" / benchmark.name, packed)
    if not options.report:
        rows = without_inpainter(benchmark.rows) if options.without else benchmark.rows
        wanted = [row for row in rows if re.search(options.rows, row.name)]
        work(wanted, classifier, chosen(classifier, options, benchmark.bed), ledger)
    return report(benchmark, ledger, classifier.name, folder)


def chosen(
    classifier: Classifier, options: argparse.Namespace, bed: Bed | None = None
) -> list[Batch]:
    """The photos that the command line asks for, in its order."""
    every = bed.photos(classifier) if bed else photos(classifier)
    batches = list(islice(every, options.skip, options.photos))
    return batches[::-1] if options.backwards else batches


def report(benchmark: Benchmark, ledger: Ledger, classifier: str, folder: Path) -> Path:
    """Tables, JSON, and the numbers of every photo in one file."""
    rows, bed = benchmark.rows, benchmark.bed
    numbers = ledger.numbers({row.name: row.key(classifier) for row in rows})
    means = summary(numbers, [*benchmark.measured, *benchmark.beside])
    show("means", means)
    count = max((len(found) for found in numbers.values()), default=0)
    settings = {
        "seed": benchmark.seed,
        "data": bed.data(count) if bed else data(count),
        "question": bed.question if bed else "why the labelled class?",
        "classifier": classifier,
        "rows": {row.name: row.label or repr(row.explainer) for row in rows},
        "measures": {name: repr(one) for row in rows for name, one in row.measures.items()},
        "numbers per photo": ledger.pack().name,
        "same_fill": "the measure hides with the fill of one of the two methods",
    }
    return record(
        benchmark.name,
        benchmark.title,
        benchmark.claims(numbers),
        settings,
        folder,
        means=means,
        agreement=agreement(numbers, benchmark.measured),
        thresholds=thresholds(numbers, benchmark.measured),
    )


def arguments(text: str | None) -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0] if text else "")
    parser.add_argument("--photos", type=int, default=100, help="how many photos (at most 360)")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first so many")
    parser.add_argument("--backwards", action="store_true", help="begin with the last photo")
    parser.add_argument("--rows", default="", help="only rows that match this pattern")
    parser.add_argument("--without", action="store_true", help="nothing that needs the in-painter")
    parser.add_argument("--report", action="store_true", help="compute nothing")
    parser.add_argument("--engine", choices=("torch", "openvino"), default="openvino")
    return parser
