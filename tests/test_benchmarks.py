"""Tiny runs of the benchmarks: what they write, and that known answers come out of them."""

import argparse
import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from rather import Batch, Classifier, Explainer
from rather.infillers import Constant, LocalMean, MeanColour

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
KINDS = ("box", "superpixel", "tile", "noise")


class Bench:
    """The benchmarks' modules, which stand outside of the package."""

    def __init__(self) -> None:
        self.pointing = importlib.import_module("pointing")
        self.fills = importlib.import_module("fills")
        self.work = importlib.import_module("fills_work")
        self.judge = importlib.import_module("fills_judge")
        self.scenes = importlib.import_module("fills_scenes")
        self.ledger = importlib.import_module("fills_ledger")
        self.verdict = importlib.import_module("fills_verdict")
        self.harness: ModuleType = importlib.import_module("harness")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return Bench()


@pytest.fixture
def photos() -> Batch:
    regions = torch.zeros(3, 32, 32, dtype=torch.bool)
    regions[:, 8:20, 8:24] = True
    coarse = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    images = nn.functional.interpolate(coarse, (32, 32), mode="bilinear")
    return Batch(images, torch.tensor([0, 1, 1]), ("a", "b", "c"), regions)


@pytest.fixture
def convolution() -> Classifier:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    return Classifier(net.eval())


@pytest.mark.parametrize("kind", KINDS)
def test_holes_are_nested_and_leave_the_object_where_they_should(
    kind: str, bench: Bench, photos: Batch
) -> None:
    scene = bench.scenes.scene(kind, photos, seed=3)
    assert photos.regions is not None
    assert (scene.background[photos.regions[:, None]] == 1).all()
    assert (scene.background == 0).flatten(1).any(1).all()
    hidden = scene.ranks[:, None] < scene.counts[:, :, None, None]
    assert hidden.shape == (3, 10, 32, 32)
    assert (hidden[:, 1:] >= hidden[:, :-1]).all()
    assert hidden[:, -1].all()
    assert hidden[:, 0].float().mean() < 0.2
    if kind == "box":
        assert torch.equal(scene.hole[:, 0] == 0, photos.regions)
    else:
        assert scene.hole.mean() == pytest.approx(0.5, abs=0.15)
    alone = bench.scenes.scene(kind, photos.at(torch.tensor([1])), seed=3)
    assert torch.equal(alone.hole[0], scene.hole[1])
    assert torch.equal(alone.ranks[0], scene.ranks[1])


def test_the_whole_background_is_hidden_and_nothing_else(bench: Bench, photos: Batch) -> None:
    scene = bench.scenes.scene("background", photos, seed=0)
    assert photos.regions is not None
    assert torch.equal(scene.background[:, 0] == 1, photos.regions)


@pytest.mark.parametrize("kind", [*KINDS, "background"])
def test_a_perfect_fill_has_perfect_numbers(
    kind: str, bench: Bench, photos: Batch, convolution: Classifier
) -> None:
    panel = [bench.judge.Judge(name, convolution, convolution) for name in ("one", "two")]
    scene = bench.scenes.scene(kind, photos, seed=0)
    found = bench.judge.evaluate(bench.work.Identity(), scene, panel, 0)
    sure = convolution(photos.images).softmax(1).amax(1).detach()
    expected = {"background": 0.0, "answer stays": 1.0, "psnr": 100.0, "ssim": 1.0, "evidence": 0.0}
    expected |= {"features": 0.0, "penultimate": 0.0, "roms": sure}
    for name, values in found.items():
        want = torch.as_tensor(expected[name.split("@")[0]]).expand(3)
        torch.testing.assert_close(values, want, msg=name)
    assert len(found) == (4 if kind == "background" else 14)
    grey = bench.judge.evaluate(Constant(0.9), scene, panel, 0)
    assert (grey["background@one"] > 0).all()


def test_evidence_and_background_follow_the_label(
    bench: Bench, photos: Batch, convolution: Classifier
) -> None:
    panel = [bench.judge.Judge("one", convolution, convolution)]
    scene = bench.scenes.scene("box", photos, seed=0)
    found = bench.judge.evaluate(Constant(0.0), scene, panel, 0)
    logits = convolution(photos.images)
    black = convolution(photos.images * scene.hole)
    sides = torch.tensor([1.0, -1.0, -1.0])  # two classes: log-odds are differences of logits
    fall = sides * ((logits - black)[:, 0] - (logits - black)[:, 1])
    torch.testing.assert_close(found["evidence@one"], fall.detach())


def test_a_judge_of_another_size_scales_what_it_is_shown(
    bench: Bench, photos: Batch, convolution: Classifier
) -> None:
    convolution.view = type(convolution.view)(crop=40, resize=40)
    wrapped = bench.judge.judged_at(convolution, 32)
    larger = nn.functional.interpolate(photos.images, (40, 40), mode="bicubic")
    torch.testing.assert_close(wrapped(photos.images), convolution(larger), rtol=1e-4, atol=1e-4)
    assert bench.judge.judged_at(convolution, 40) is convolution


def test_finished_blocks_are_known_again_by_what_made_them(
    bench: Bench, photos: Batch, tmp_path: Path
) -> None:
    key = bench.ledger.made_by(Constant(0.2), "box", [photos], "one", 0)
    assert key == bench.ledger.made_by(Constant(0.2), "box", [photos], "one", 0)
    assert key != bench.ledger.made_by(Constant(0.21), "box", [photos], "one", 0)
    assert key != bench.ledger.made_by(Constant(0.2), "box", [photos], "one", 1)
    path = tmp_path / "fills.npz"
    bench.ledger.Ledger(path).write("grey", "box", key, {"psnr": torch.tensor([1.0, 2.0])})
    again = bench.ledger.Ledger(path)
    assert again.done("grey", "box", key)
    assert not again.done("grey", "box", "another")
    assert not again.done("grey", "tile", key)
    assert again.numbers()["grey", "box", "psnr"].tolist() == [1, 2]


def test_verdicts_say_who_is_better(bench: Bench) -> None:
    draws = np.random.default_rng(0)
    base = draws.normal(size=200)
    numbers = {
        ("ours", "box", "features@one"): base,
        ("equal", "box", "features@one"): base + draws.normal(size=200) * 0.01,
        ("worse", "box", "features@one"): base + 1,
        ("better", "box", "features@one"): base - 1,
    }
    criterion = bench.verdict.CRITERIA[0]
    leads = {
        rival: bench.verdict.lead(numbers, criterion, "box", "one", "ours", rival)
        for rival in ("equal", "worse", "better")
    }
    assert leads["worse"] == pytest.approx((1, 1, 1))
    assert leads["better"] == pytest.approx((-1, -1, -1))
    assert bench.verdict.verdict(leads) == "behind better"
    del leads["better"]
    assert bench.verdict.verdict(leads) == "tied with equal"
    del leads["equal"]
    assert bench.verdict.verdict(leads) == "best"
    ranks = bench.verdict.mean_ranks(numbers, criterion, ["better", "ours", "worse"], "box", "one")
    assert ranks.tolist() == [1, 2, 3]


def test_a_tiny_run_of_fills_writes_tables_numbers_and_a_sheet(
    bench: Bench,
    photos: Batch,
    convolution: Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "data").write_bytes(b"photos")
    monkeypatch.setattr(bench.fills, "PHOTOS", tmp_path / "data")
    monkeypatch.setattr(bench.fills, "DONORS", tmp_path / "data")
    work = bench.work.Work(photos=3, seed=4, workers=1)
    panel = [bench.judge.Judge(name, convolution, convolution) for name in ("one", "two")]
    fills = {bench.work.DEFAULT: LocalMean(), "MeanColour": MeanColour(), "Harmonic": Constant()}
    vars(work).update(batches=[photos], panel=panel, infillers=fills)
    options = argparse.Namespace(fresh=False, report=False, shown=1, cell=24, rounds=1)
    bench.fills.run(work, options, tmp_path)
    found = json.loads((tmp_path / "fills.json").read_text("utf-8"))
    assert found["settings"]["seed"] == 4
    assert "sha256" in found["settings"]["data"]
    assert {"rather", "torch"} <= set(found["versions"])
    assert [row["hole"] for row in found["rows"]] == [*KINDS, *KINDS, *KINDS, "background"]
    assert all(row["tau"] == pytest.approx(1) for row in found["agreement"])  # the same judge twice
    assert {row["fill"] for row in found["passes"]} == set(fills)
    with Image.open(tmp_path / "fills.png") as sheet:
        assert sheet.size[1] == 14 + 24 * 5
    before = (tmp_path / "fills.npz").stat().st_mtime_ns
    bench.fills.run(work, options, tmp_path)
    assert (tmp_path / "fills.npz").stat().st_mtime_ns == before  # nothing was computed again
    assert found["settings"]["photos"]["Harmonic, tile"] == 3
    (tmp_path / "fills.png").unlink()
    options.report, options.rounds = True, 0
    vars(work)["infillers"]["Telea"] = Constant(1.0)  # of which the ledger knows nothing
    bench.fills.run(work, options, tmp_path)
    again = json.loads((tmp_path / "fills.json").read_text("utf-8"))
    assert again["rows"] == found["rows"]
    assert not (tmp_path / "fills.png").exists()


def test_a_slow_fill_may_see_fewer_photos(
    bench: Bench, photos: Batch, convolution: Classifier
) -> None:
    work = bench.work.Work(photos=6, workers=1, slow=2)
    panel = [bench.judge.Judge("one", convolution, convolution)]
    fills = {name: MeanColour() for name in (bench.work.DEFAULT, "PatchMatch")}
    vars(work).update(batches=[photos, photos], panel=panel, infillers=fills)
    found = {name: work.block(name, "tile")["features@one"] for name in fills}
    assert found["PatchMatch"][3:].isnan().all()
    assert torch.equal(found["PatchMatch"][:3], found[bench.work.DEFAULT][:3])
    assert found[bench.work.DEFAULT].isfinite().all()


def test_the_pointing_game_knows_a_good_map_from_none(
    bench: Bench, photos: Batch, convolution: Classifier, tmp_path: Path
) -> None:
    assert photos.regions is not None
    inside = photos.regions.float()
    explainers: dict[str, Explainer] = {"inside": lambda *_: inside, "outside": lambda *_: -inside}
    hits, found = bench.pointing.play(explainers, convolution, [photos])
    assert hits["inside"] == [1, 1, 1]
    assert hits[bench.pointing.CENTRE] == [1, 1, 1]
    rows = {row["method"]: row for row in bench.pointing.table(hits, photos.labels)}
    assert rows["inside"]["less centre"].startswith("0.000 ")
    assert not rows["inside"]["beats the centre"]
    path = bench.pointing.draw(tmp_path / "sheet.png", found, photos.names)
    with Image.open(path) as sheet:
        assert sheet.size[1] == 14 + 2 * 112


def test_a_random_pixel_hits_as_often_as_pixels_are_near(bench: Bench) -> None:
    region = torch.zeros(32, 32, dtype=torch.bool)
    region[10:20, 12:18] = True
    metric = bench.pointing.Pointing(tolerance=3.0, scale=False)
    points: Tensor = torch.cartesian_prod(torch.arange(32), torch.arange(32))
    share = torch.stack([metric.hit(point, region) for point in points]).mean()
    assert bench.pointing.chance(region, metric) == pytest.approx(float(share))
    assert np.isnan(bench.pointing.chance(torch.zeros_like(region), metric))


def test_the_centre_rates_the_middle_highest(bench: Bench, convolution: Classifier) -> None:
    heat = bench.pointing.centre(convolution, torch.rand(1, 3, 9, 9), None)
    assert heat.shape == (1, 9, 9)
    assert heat.flatten().argmax() == 40


@pytest.mark.parametrize("name", ["pointing", "fills"])
def test_committed_results_say_what_made_them(name: str) -> None:
    path = BENCHMARKS / "results" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} has not been made yet: python benchmarks/{name}.py")
    found = json.loads(path.read_text("utf-8"))
    assert {"seed", "data"} <= set(found["settings"])
    assert {"rather", "torch", "python"} <= set(found["versions"])
    assert found["rows"]


def test_waiting_times_are_told_against_the_bar(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    bench = importlib.import_module("command_line")
    waits = {"Occlusion()": [1.0, 9.0, 2.0], "Lime()": [70.0, 80.0, 10.0]}

    def taken(by: str, _: Path, rounds: int) -> list[argparse.Namespace]:
        return [argparse.Namespace(wall=seconds) for seconds in waits[by][:rounds]]

    monkeypatch.setattr(bench, "taken", taken)
    assert bench.main(["--rounds", "3", "--rows", "Occlusion|Lime"], tmp_path) == 0
    rows = json.loads((tmp_path / "command_line.json").read_text("utf-8"))["rows"]
    assert [(row["seconds"], row["least"], row["most"]) for row in rows] == [
        (2, 1, 9),
        (70, 10, 80),
    ]
    assert [row["verdict"] for row in rows] == ["passes 60 s", "MISSES 60 s"]


def test_what_is_waited_for_is_a_command_as_users_type_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    bench = importlib.import_module("command_line")
    heard: list[list[str]] = []
    monkeypatch.setattr(bench.subprocess, "run", lambda words, **_: heard.append(words))
    assert len(bench.taken("Fido()", tmp_path / "cat.png", 2)) == 2
    assert len(heard) == 2
    assert heard[0][1:3] == ["explain", str(tmp_path / "cat.png")]
    assert heard[0][heard[0].index("--by") + 1] == "Fido()"
    assert "--force" in heard[0]
