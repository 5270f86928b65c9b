"""A tiny run of the benchmark of hybrid curves: what is timed beside what, and what is written."""

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def test_curves_are_set_beside_as_many_raw_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    speed, harness = importlib.import_module("dac_speed"), importlib.import_module("harness")

    def record(name: str, title: str, rows: list[object], settings: object) -> Path:
        return harness.record(name, title, rows, settings, tmp_path)

    monkeypatch.setattr(speed, "record", record)
    assert speed.main(["--quick", "--threads", "1"]) == 0
    found = json.loads((tmp_path / "dac_speed-quick.json").read_text())
    assert [row["method"] for row in found["rows"]] == 5 * ["Hybrid curve, 6 F"] + 3 * [
        "DAC of 1 maps, 6 F"
    ]
    ours = [row for row in found["rows"] if row["by"] == "ours"]
    assert all(row["verdict"] in ("passes 1.15", "MISSES 1.15", "disturbed") for row in ours)
    assert all(row["over raw"] > 0 for row in found["rows"])
    assert {"seed", "hybrids", "bar"} <= set(found["settings"])
