"""A tiny run of the benchmark of DAC: known answers, what is kept, and what is written."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Question
from rather.infillers import Paste
from rather.view import View

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("claims_dac")


class Sides(nn.Module):
    """Answers 0 where the left half of a small map is bright, 1 where the right one is."""

    def __init__(self) -> None:
        super().__init__()
        self.shrink = nn.AvgPool2d(2)
        self.body = nn.Sequential(nn.Conv2d(3, 1, 2, 2), nn.ReLU())
        for parameter in self.body.parameters():
            nn.init.constant_(parameter, 1 / 12 if parameter.dim() > 1 else 0.0)

    def forward(self, images: Tensor) -> Tensor:
        halves = self.body(self.shrink(images)).flatten(1).view(-1, 4, 4)
        return 6 * torch.stack([halves[:, :, :2].mean((1, 2)), halves[:, :, 2:].mean((1, 2))], 1)


def bed(count: int = 2) -> Any:
    """Images with a bright left half, whose counterfactuals have it on the right."""
    generator = torch.Generator().manual_seed(0)
    images = 0.2 * torch.rand(count, 3, 16, 16, generator=generator)
    images[..., 2:14, 2:6] += 0.7
    net = Classifier(
        Sides().eval().requires_grad_(False), mean=(0.0,) * 3, std=(1.0,) * 3, name="sides"
    )
    regions = torch.zeros(count, 16, 16, dtype=torch.bool)
    regions[:, 2:14, 2:6] = True
    regions[:, 2:14, 10:14] = True
    labels = torch.zeros(count, dtype=torch.long)
    batch = Batch(images, labels, tuple(map(str, range(count))), regions)
    beds = importlib.import_module("dac_beds")
    return beds.Bed({"sides": net}, batch, labels + 1, images.flip(3), 4, 1, "flip", "one")


@pytest.mark.parametrize("restore", [True, False])
def test_the_greedy_map_leads_to_the_class_by_what_matters(bench: Any, restore: bool) -> None:
    made = bed(2)
    made.edited[:, :, :4] = made.batch.images[:, :, :4]  # the upper quarter stays
    pair, asked = made.judged("sides")
    greedy = importlib.import_module("dac_methods").Greedy(Paste(made.edited), 4, restore)
    heat = greedy(made.networks["sides"], pair.images, asked)
    changed = (pair.images - pair.edited).abs().amax(1) > 0.3
    # Pixels that are left alone are rated below the squares that lead to the class.
    assert float(heat[changed].min()) > float(heat[:, :4].max())


def test_a_finer_map_is_found(bench: Any) -> None:
    made = bed(1)
    net, finer = made.networks["sides"], importlib.import_module("dac_methods").finer
    assert finer(net, made.batch.images) == "shrink"
    net.net.get_submodule("body").insert(0, nn.AvgPool2d(2))
    net.net.get_submodule("body")[1] = nn.Conv2d(3, 1, 1)
    assert finer(net, made.batch.images) == "shrink"
    flat = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="has no map of 32 rows or more"):
        finer(Classifier(flat.eval()), made.batch.images)


def test_cells_are_rated_by_their_turn(bench: Any) -> None:
    made = bed(1)
    swaps = importlib.import_module("dac_methods").CellSwaps(Paste(made.edited))
    asked = Question(torch.tensor([0]), torch.tensor([1]))
    heat = swaps(made.networks["sides"], made.batch.images, asked)[0]
    assert heat.max() == 16
    assert heat.unique().numel() > 1
    assert torch.equal(heat[:4, :4], heat[:1, :1].expand(4, 4))  # a cell is one


def test_every_class_is_turned_into_every_other(bench: Any) -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    foil = importlib.import_module("dac_beds").turned(labels, 3)
    assert foil.tolist() == [1, 2, 1, 2, 0, 0, 1]


def test_verdicts_agree_or_are_undecided(bench: Any) -> None:
    few = "undecided: fewer than 100 photos"
    assert bench.together(["confirmed"] * 4) == "confirmed"
    assert bench.together(["confirmed", "not confirmed: the opposite"]) == "undecided"
    assert bench.together([f"{few}, so far for it", few]) == few
    assert bench.cell({"by": 0.1, "low": 0.05, "high": 0.2}) == "+ 0.100 [0.050, 0.200]"
    assert bench.cell({"by": -0.1, "low": -0.2, "high": 0.2})[0] == "?"


def test_it_measures_writes_and_goes_on(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = importlib.import_module("dac_work")
    monkeypatch.setitem(bench.BEDS, "sides", lambda each: bed())
    for name in ("restore", "edit", "restore, raw", "edit, raw", "published"):
        settings = small.replace(small.SETTINGS[name], steps=9)
        monkeypatch.setitem(small.SETTINGS, name, settings)
    monkeypatch.setattr(importlib.import_module("dac_sheets"), "SHOWN", 1)
    bench.main(["sides", "--out", str(tmp_path)])
    said = json.loads((tmp_path / "claims_dac_sides.json").read_text())
    scores = {row["row"]: float(row["restore, unclosed"]) for row in said["rows"] if row["restore"]}
    assert scores["D-IG"] > scores["random"] + 0.05
    assert abs(scores["D-IG"] - scores["D-DL"]) < 0.01  # the network is linear in these images
    claims = {(row["better?"], row["than"]): row for row in said["claims"]}
    # Cells were swapped of one; a map that ranks nothing has no images.
    assert {row["row"]: row["n"] for row in said["rows"]}["cell swaps"] == "1"
    assert ("D-GC", "GC, foil") not in claims
    assert claims["D-IG", "random"]["edit, unclosed"].startswith("+")
    assert claims["D-IG", "random"]["verdict"].endswith("100 photos, so far for it")
    assert {row["hit"][:5] for row in said["places"] if row["row"] == "residual"} == {"1.000"}
    assert len(list(tmp_path.glob("*.png"))) == 2
    monkeypatch.setattr(small, "measured", None)  # nothing is left to do
    bench.main(["sides", "--out", str(tmp_path)])
    again = json.loads((tmp_path / "claims_dac_sides.json").read_text())
    assert again["claims"] == said["claims"]


def test_a_classifier_is_heard_on_some_classes(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    beds = importlib.import_module("beds")
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    whole = Classifier(net, names=("a", "b", "c", "d"), view=View(16, 16), name="small")
    monkeypatch.setattr(beds, "load", lambda name: whole)
    heard = beds.heard("small", (3, 1))
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(heard(images), whole(images)[:, [3, 1]])
    assert heard.names == ("d", "b")
