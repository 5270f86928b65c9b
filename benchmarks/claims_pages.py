"""Write the tables of the pages on papers from the JSON of the benchmarks; prose is left alone.

    python benchmarks/claims_pages.py

A table stands between `<!-- NAME.json PART -->` and `<!-- end -->`, where PART is `rows`
or `means`, and a pattern may follow. Figures have three decimals, verdicts are those of the JSON.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import ROOT

PAGES = ROOT.parent / "docs" / "papers"
BLOCK = re.compile(r"(<!-- (\w+)\.json (\w+)(?: ([^\n>]+?))? -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def page(text: str, results: Path) -> str:
    """The page with its tables as the results are now."""

    def filled(found: re.Match[str]) -> str:
        path = results / f"{found[2]}.json"
        if not path.exists():
            return f"{found[1]}\nNot measured yet.\n\n{found[6]}"
        said = json.loads(path.read_text("utf-8"))
        rows = [row for row in said[found[3]] if matches(row, found[4] or "")]
        return f"{found[1]}\n{table([told(row) for row in rows])}\n\n{found[6]}"

    return BLOCK.sub(filled, text)


def matches(row: Mapping[str, Any], pattern: str) -> bool:
    """Whether a row's words hold the pattern, and anything was measured."""
    words = " | ".join(str(value) for value in row.values())
    return row.get("n") != 0 and re.search(pattern, words) is not None


def told(row: Mapping[str, Any]) -> dict[str, str]:
    """A row of claims with its interval in one cell; other rows as they are."""
    gain = next((name for name in ("by", "more alike by") if name in row), "")
    found = {}
    for name, value in row.items():
        if name == gain:
            found[name] = f"{row[gain]:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        elif name not in ("low", "high"):
            found[name] = f"{value:.3f}" if isinstance(value, float) else str(value)
    return found


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """A table in Markdown, without columns that are empty throughout."""
    if not rows:
        return "Not measured yet."
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    lines = [columns, ["---"] * len(columns), *([row[name] for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(pages: Path, results: Path) -> list[Path]:
    """Write all pages again."""
    found = sorted(pages.glob("*.md"))
    for path in found:
        path.write_text(page(path.read_text("utf-8"), results), encoding="utf-8")
    return found


if __name__ == "__main__":
    for written in run(PAGES, ROOT / "results"):
        print(written)
