"""A tiny run of the benchmark of counterfactuals: known answers, and what it writes."""

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rather import Classifier
from rather.data.labelled import Arrays
from rather.editors import ClassMean, NearestSample
from rather.types import Images, Labels

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@dataclass(frozen=True)
class Nothing:
    """Returns the images."""

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        return images


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("counterfactuals")


def bed(bench: Any) -> Any:
    """Three tones, told apart by their distance from each."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(36) % 3
    noise = torch.randint(20, (36, 1, 6, 6), generator=generator)
    arrays = Arrays((noise + 100 * labels[:, None, None, None]).to(torch.uint8), labels)
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3)).eval()
    tones = torch.tensor([10.0, 110, 210]) / 255
    with torch.no_grad():
        for parameter, value in zip(
            net.parameters(), (tones[:, None], -(tones**2) / 2), strict=True
        ):
            parameter.copy_(200 * value)
    classifier = Classifier(net, mean=(0.0,), std=(1.0,))
    bank = arrays.images.expand(-1, 3, -1, -1)
    editors = {
        "GANMEX": NearestSample(bank),
        "nearest sample": Nothing(),
        "class mean": ClassMean(bank),
        "pixel ascent": Nothing(),
    }
    return bench.Bed(
        classifier,
        classifier,
        importlib.import_module("beds").balanced(arrays.all(), 4),
        arrays,
        editors,
    )


def test_real_samples_are_valid_and_doing_nothing_is_close(bench: Any) -> None:
    small = bed(bench)
    edits = {name: bench.edited(small, editor) for name, editor in small.editors.items()}
    found = {name: bench.figures(small, each) for name, each in edits.items()}
    assert found["GANMEX"]["validity"] == found["GANMEX"]["transfer validity"] == [1.0] * 12
    assert found["pixel ascent"]["validity"] == [0.0] * 12
    assert found["pixel ascent"]["L1"] == [0.0] * 12
    assert max(found["GANMEX"]["KID"]) < min(found["pixel ascent"]["KID"])
    verdicts = {line["claim"]: line["verdict"] for line in bench.claims(found)}
    assert verdicts["GANMEX is more real than pixel ascent"] == "confirmed"
    assert verdicts["GANMEX stays closer than the nearest sample"] == "not confirmed"
    table = bench.by_pair(small, edits["GANMEX"])
    assert [table[k][k] for k in range(3)] == [None] * 3
    assert sum(value == 1.0 for line in table for value in line) == 6


def test_samples_of_one_distribution_have_no_distance(bench: Any) -> None:
    one, other = torch.randn(2, 600, 8, generator=torch.Generator().manual_seed(0))
    assert abs(bench.kid(one, other)) < 0.1
    assert bench.kid(one, other + 1) > 1


def test_it_writes_a_table_and_sheets(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bench.BEDS, "tones", lambda each: bed(bench))
    monkeypatch.setattr(sys, "argv", ["counterfactuals.py", "tones", "--out", str(tmp_path)])
    bench.main()
    said = json.loads((tmp_path / "counterfactuals_tones.json").read_text())
    assert [line["editor"] for line in said["rows"]] == list(bed(bench).editors)
    assert said["rows"][0]["validity"] == "1.000 [1.000, 1.000]"
    known = [claim for claim, *_, more, less in bench.CLAIMS if "CycleGAN" not in (more, less)]
    assert [line["claim"] for line in said["claims"]] == known  # there is no CycleGAN here
    assert said["of those right"]["GANMEX"]["validity"] == 1.0
    assert (tmp_path / "counterfactuals_tones.png").exists()
    assert (tmp_path / "counterfactuals_tones_editors.png").exists()
