"""A tiny run of the benchmark of counterfactual baselines: known answers, and what it keeps."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from rather import Classifier, Question
from rather.data.folder import Crop
from rather.data.labelled import Arrays
from rather.editors import ClassMean
from rather.explainers import IntegratedGradients
from rather.fitting import GanmexRecipe, Plan
from rather.infillers import Constant, Edited, Paste
from rather.networks.classifiers import StridedNet
from rather.networks.weights import packed

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


class Bench:
    """The benchmark's modules, which stand outside of the package."""

    def __init__(self) -> None:
        self.beds = importlib.import_module("one_vs_one_beds")
        self.work = importlib.import_module("one_vs_one_work")
        self.tables = importlib.import_module("one_vs_one_tables")
        self.refit = importlib.import_module("one_vs_one_refit")
        self.claims = importlib.import_module("claims_one_vs_one")
        self.sheet = importlib.import_module("one_vs_one_sheet")
        self.ledger = importlib.import_module("claims_ledger")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return Bench()


def tones() -> Arrays:
    """Dark, grey and light images in turn."""
    labels = torch.arange(24) % 3
    noise = torch.randint(20, (24, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    return Arrays((noise + 100 * labels[:, None, None, None]).to(torch.uint8), labels)


@pytest.fixture
def bed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tones, told apart by how near they are to the mean of each."""
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3)).eval()
    means = torch.tensor([10.0, 110, 210]) / 255
    with torch.no_grad():
        for parameter, value in zip(
            net.parameters(), (means[:, None], -(means**2) / 2), strict=True
        ):
            parameter.copy_(200 * value)
    classifier, arrays = Classifier(net, mean=(0.0,), std=(1.0,)), tones()
    bank = bench.beds.coloured(arrays)
    monkeypatch.setattr(bench.beds, "Ganmex", lambda _: ClassMean(bank))
    task = bench.beds.asked(classifier, arrays.all(), range(3), 2)
    return bench.beds.Bed(classifier, *task, bank, "tones", 4, 1.0, steps=4)


def test_each_image_is_asked_about_each_other_class_in_turn(bench: Bench, bed: Any) -> None:
    assert bed.images.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert bed.question.foil.tolist() == [1, 2, 2, 0, 0, 1]
    wrong = replace(tones().all(), labels=torch.arange(24) % 2)
    right, _ = bench.beds.asked(bed.classifier, wrong, (0, 1), 9)
    assert {int(name) % 6 for name in right.names} == {0, 1, 5}  # dark 0, and 1 that is not dark


def test_edits_are_made_once_and_a_map_from_the_image_itself_is_empty(
    bench: Bench, bed: Any
) -> None:
    rows = {row.name: row for row in bench.work.rows(bed)}
    ready = bed.ready(rows["IG, MDTS"].explainer)
    assert isinstance(ready.baseline, Paste)
    assert bed.ready(rows["DeepLIFT, MDTS"].explainer).baseline.images is ready.baseline.images
    said = {line["baseline"]: line["is the foil"] for line in bench.tables.begins(bed)}
    assert said["MDTS"] == said["GANMEX"] == "1.000 [1.000, 1.000]"
    assert said["zero"].startswith("0.333")
    spoilt = bench.work.Perturbed(Paste(bed.images.images))
    heat = IntegratedGradients(spoilt)(bed.classifier, bed.images.images, bed.question)
    assert heat.abs().max() == 0


def tiny(bench: Bench, bed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench.beds.DELETED, "tones", lambda: bed)
    monkeypatch.setitem(bench.claims.BENCHMARKS, "tones", bench.claims.deletion("tones"))


def test_a_tiny_run_goes_on_where_it_was_and_tells_claims_and_sheets(
    bench: Bench, bed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tiny(bench, bed, monkeypatch)
    said = json.loads(bench.claims.run("tones", {}, tmp_path).read_text("utf-8"))
    assert {"rows", "means", "claims", "logits", "baselines"} <= set(said)
    means = {line["row"]: line for line in said["means"]}
    assert means["IG, zero"]["n"] == 6
    assert {line["better?"] for line in said["rows"]} >= {"IG, GANMEX", "occlusion, MDTS"}
    stars = [line for line in said["rows"] if line["zero"].endswith("*")]
    assert {line["than"].split(", ")[1] for line in stars} == {"zero"}
    monkeypatch.setattr(bench.work, "explain", None)  # nothing is left to be explained
    again = json.loads(bench.claims.run("tones", {}, tmp_path).read_text("utf-8"))
    assert again["claims"] == said["claims"]
    (task,) = bench.claims.BENCHMARKS["tones"].tasks({})
    path = bench.sheet.draw(task, tmp_path, 2, ["IG"])
    with Image.open(path) as sheet:
        assert sheet.size[1] == 14 + 2 * 84
    tiny(bench, replace(bed, weights=("mnist",)), monkeypatch)
    with pytest.raises(TypeError):
        bench.claims.run("tones", {}, tmp_path)


def test_the_gap_is_between_questions_about_objects_and_about_scenes(bench: Bench) -> None:
    parts = {
        "composite, scenes": {"IG": {"a": {"inside": 0.5}, "b": {"inside": 1.0}}},
        "composite, objects": {"IG": {"a": {"inside": 2.0}}},
    }
    assert bench.tables.joined(parts) == {"IG": {"a": {"scenes": 0.5, "objects": 2.0, "gap": 1.5}}}


def test_a_map_without_a_network_stays_and_a_fitted_editor_is_asked_for(
    bench: Bench, bed: Any
) -> None:
    row = next(row for row in bench.work.rows(bed) if row.name == "residual, MDTS")
    result = bench.work.explain(bed.ready(row.explainer), bed.classifier, bed.images, bed.question)
    found = bench.work.Forgetting("spearman_abs")(bed.classifier, result)
    columns = ["spearman_abs", "spearman_abs, fall", "spearman_abs 0", "spearman_abs 1"]
    assert list(found) == columns
    assert torch.allclose(found["spearman_abs"], torch.ones(6))
    assert torch.allclose(found["spearman_abs, fall"], torch.zeros(6), atol=1e-6)
    asked: list[Classifier] = []

    def refit(classifier: Classifier) -> ClassMean:
        asked.append(classifier)
        return ClassMean(bed.bank, tones().labels)

    edits = IntegratedGradients(Edited(ClassMean(bed.bank)))
    result = bench.work.explain(edits, bed.classifier, bed.images, bed.question)
    found = bench.work.Forgetting("ssim", refit)(bed.classifier, result)
    assert list(found)[2:] == ["ssim 0", "ssim 1", "validity 0", "validity 1"]
    assert set(found["validity 0"].tolist()) == {1.0}
    assert torch.allclose(found["ssim 0"], torch.ones(6), atol=1e-5)
    assert [each is bed.classifier for each in asked] == [True, False]


def test_a_generator_is_trained_on_once_for_each_network(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun = bench.refit.begun
    sizes: dict[str, Any] = {"side": 12, "channels": 1, "width": 4, "blocks": 1, "critic_width": 4}
    recipe = GanmexRecipe("overwritten", (0, 1, 2), **sizes)
    crop, plan = Crop(size=12, zoom=1.0, rare_zoom=1.0), Plan(batch=3, held=3)
    job = bench.refit.JOBS["ganmex-mnist"]
    job = type(job)(recipe, tones, plan, crop)
    monkeypatch.setitem(bench.refit.JOBS, "tiny", job)
    start = tmp_path / "tiny.safetensors"
    start.write_bytes(packed(recipe.networks()["generator"], {}))
    monkeypatch.setattr(bench.refit, "located", lambda _: start)
    monkeypatch.setattr(bench.refit, "begun", lambda _: begun(str(start)))
    net = StridedNet(("a", "b", "c"), 12, (4,), (4,), 4).eval()
    refit = bench.refit.Refit("tiny", 2, recipe=recipe, folder=tmp_path)
    assert str(tmp_path) not in repr(refit)
    editor = refit(Classifier(net, mean=(0.5,), std=(0.5,)))
    made = editor(
        Classifier(net, mean=(0.5,), std=(0.5,)), torch.rand(2, 3, 12, 12), torch.arange(2)
    )
    assert made.shape == (2, 3, 12, 12)
    monkeypatch.setattr(bench.refit.Refit, "trained", None)
    assert refit(Classifier(net, mean=(0.5,), std=(0.5,))) == editor
    start.write_bytes(packed(recipe.networks()["generator"], {}))
    with pytest.raises(TypeError):  # another start, another end
        refit(Classifier(net, mean=(0.5,), std=(0.5,)))


def test_every_pair_of_constant_baselines_has_a_row(bench: Bench, bed: Any) -> None:
    names = {row.name for row in bench.work.rows(bed)}
    wanted = {f"{m}, {b}" for m in bench.claims.METHODS for b in ("zero", "blur", "MDTS", "GANMEX")}
    assert wanted < names
    assert bed.baselines["zero"] == Constant(0.0)
    assert isinstance(bed.question, Question)
