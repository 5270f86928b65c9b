"""Benchmarks' trainings in two stretches: the second goes on where the first stopped."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from test_ganmex import FLAT, PLAN, RECIPE, source

from rather.fitting import checkpoint


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module("training_jobs")


def test_a_second_stretch_goes_on_with_another_weight_and_may_be_run_again(
    jobs: Any, tmp_path: Path
) -> None:
    job = jobs.Job(RECIPE, source, PLAN, FLAT, then=(PLAN.steps + 3, 60.0))
    whole = jobs.train(job, tmp_path / "a.safetensors")
    state = checkpoint.load(tmp_path / "a.safetensors.fit" / "checkpoint.pt")
    assert state["step"] == PLAN.steps + 3
    assert state["recipe"] == repr(replace(RECIPE, class_weight=60.0))
    first = jobs.train(replace(job, then=None), tmp_path / "b.safetensors")
    assert different(load_file(first), load_file(whole))
    again = jobs.train(job, tmp_path / "b.safetensors")  # as if killed between the two
    assert not different(load_file(again), load_file(whole))
    before = whole.read_bytes()
    assert jobs.train(job, whole).read_bytes() == before  # nothing is left to do


def test_a_checkpoint_of_another_training_is_refused(jobs: Any, tmp_path: Path) -> None:
    weights = tmp_path / "a.safetensors"
    job = jobs.Job(RECIPE, source, PLAN, FLAT, then=(PLAN.steps + 3, 60.0))
    jobs.train(replace(job, then=None), weights)
    for other in (replace(RECIPE, cycle=7.0), replace(RECIPE, class_weight=7.0)):
        for then in (None, job.then):
            with pytest.raises(ValueError, match="another recipe"):
                jobs.train(replace(job, recipe=other, then=then), weights)


def different(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return any(not one[name].equal(other[name]) for name in one)
