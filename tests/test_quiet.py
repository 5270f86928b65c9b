"""The clock of the benchmarks: samples that others disturb are taken again."""

import importlib
import time
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    return importlib.import_module("quiet")


def test_a_sample_tells_one_run(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "busy", time.process_time)  # nobody else works
    taken = quiet.sample(lambda: time.sleep(0.01), least=0.1)
    assert 0.01 <= taken.wall < 0.1
    assert taken.cpu < taken.wall
    assert taken.others == pytest.approx(0, abs=0.01)


def test_a_disturbed_sample_is_retaken_and_the_quietest_stands(
    quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = iter((0.9, 0.5, 0.05, 0.9, 0.3, 0.6))
    monkeypatch.setattr(quiet, "sample", lambda job, least: quiet.Sample(1.0, 1.0, next(others)))
    found = quiet.in_turn({"one": lambda: None}, rounds=2, tries=3)
    assert [each.others for each in found["one"]] == [0.05, 0.3]


def test_busy_counts_upwards(quiet: Any) -> None:
    before = quiet.busy()
    sum(range(3_000_000))
    assert quiet.busy() >= before or not quiet.STAT.exists()
