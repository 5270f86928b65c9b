"""How long people wait for an answer on the command line, start of Python and report included.

    python benchmarks/command_line.py [--rounds 2] [--rows PATTERN]

Each row is a command as a user types it, in a process of its own, on the photo of a cat that
scikit-image ships. Meant for a machine with nothing else to do.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from statistics import median
from typing import Any

from harness import ROOT, record
from quiet import Sample, sample

WAIT = 60.0  # seconds that people are asked to wait at most
METHODS = {
    "Occlusion": "Occlusion()",
    "Lime": "Lime()",
    "Fido": "Fido()",
    "Fido, mean colour": "Fido(MeanColour())",
    "mask network": "Ltx('ltx-efficientnet-lite0')",
}


def taken(by: str, cat: Path, rounds: int) -> list[Sample]:
    """Runs of `rather explain` with a method."""
    asked = ["--target", "tabby", "--rather-than", "Egyptian cat", "--by", by]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("rather")), "explain", str(cat), *asked]

        def run() -> None:
            out = ["--out", folder + "/out", "--force"]
            subprocess.run([*command, *out], check=True, capture_output=True)

        return [sample(run, 0.0) for _ in range(rounds)]


def told(name: str, by: str, found: list[Sample]) -> dict[str, Any]:
    """A row of the table."""
    seconds = median(one.wall for one in found)
    return {
        "method": name,
        "--by": by,
        "seconds": seconds,
        "least": min(one.wall for one in found),
        "most": max(one.wall for one in found),
        "verdict": f"passes {WAIT:.0f} s" if seconds <= WAIT else f"MISSES {WAIT:.0f} s",
    }


def main(arguments: list[str] | None = None, folder: Path = ROOT / "results") -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rows", default="", help="only methods that match this pattern")
    options = parser.parse_args(arguments)
    with as_file(files("skimage.data") / "chelsea.png") as cat:
        rows = [
            told(name, by, taken(by, cat, options.rounds))
            for name, by in METHODS.items()
            if re.search(options.rows, name)
        ]
    settings = {"rounds": options.rounds, "photo": "skimage chelsea", "foil": "Egyptian cat"}
    record("command_line", "Seconds that `rather explain` takes", rows, settings, folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
