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


def test_the_work_of_another_process_is_our_own(
    quiet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = importlib.import_module("elsewhere")
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "0")
    script = tmp_path / "script.py"
    script.write_text(
        f"import os, sys; sys.path.insert(0, {str(Path(quiet.__file__).parent)!r})\n"
        "from elsewhere import serve\n"
        "work, ask = lambda: sum(range(9_000_000)), lambda: os.environ['MALLOC_MMAP_MAX_']\n"
        "serve({'work': work, 'malloc': ask})\n"
    )
    with elsewhere.Elsewhere(script, []) as other:
        other.do("work")
        before, own = quiet.worked(), time.process_time()
        other.do("work")
        spent, here = quiet.worked() - before, time.process_time() - own
        assert spent > here + 0.03
        with pytest.raises(ChildProcessError):
            other.do("malloc")  # it has no such variable
