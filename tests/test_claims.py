"""Tiny runs of the benchmarks of claims: what they keep, and known answers."""

import importlib
import json
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from rather import Batch, Classifier, Explainer, Infiller, Question, explain
from rather.explainers import Bbmp, Fido, Lime, Ltx, MeaningfulPerturbation, Occlusion, Rise
from rather.explainers.segmenters import Cells
from rather.infillers import Blur, ColourNoise, Constant, LocalMean, MeanColour
from rather.metrics import KeptArea

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


class Bench:
    """The benchmarks' modules, which stand outside of the package."""

    def __init__(self) -> None:
        self.ledger = importlib.import_module("claims_ledger")
        self.measures = importlib.import_module("claims_measures")
        self.verdict = importlib.import_module("claims_verdict")
        self.work = importlib.import_module("claims_work")
        self.run = importlib.import_module("claims_run")
        self.removal: ModuleType = importlib.import_module("claims_removal")
        self.fido: ModuleType = importlib.import_module("claims_fido")
        self.ltx: ModuleType = importlib.import_module("claims_ltx")
        self.sensitivity: ModuleType = importlib.import_module("sensitivity")
        self.sheets = importlib.import_module("claims_sheets")
        self.contact: ModuleType = importlib.import_module("contact_sheets")
        self.pages = importlib.import_module("claims_pages")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return Bench()


@pytest.fixture
def tiny(convolutional: Classifier) -> Classifier:
    convolutional.name = "tiny"
    return convolutional


@pytest.fixture
def photos() -> list[Batch]:
    regions = torch.zeros(1, 32, 32, dtype=torch.bool)
    regions[:, 8:20, 8:24] = True
    coarse = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    images = nn.functional.interpolate(coarse, (32, 32), mode="bilinear")
    box = (torch.tensor([[8, 20, 8, 24]]),)
    labels = torch.tensor([0])
    return [
        Batch(image[None], labels, (f"photo{number}",), regions, box)
        for number, image in enumerate(images)
    ]


def spy(made: list[str], name: str) -> Any:
    def maker(classifier: Classifier, images: Tensor, question: Question) -> Tensor:
        made.extend([name] * len(images))
        return images.mean(1)

    return maker


def test_a_page_is_known_again_by_what_made_it(
    bench: Bench, tiny: Classifier, photos: list[Batch], tmp_path: Path
) -> None:
    made: list[str] = []
    row = bench.work.Row("one", "", spy(made, "one"), {"mean": bench.measures.Heat("mean")}, "one")
    ledger = bench.ledger.Ledger(tmp_path / "pages", tmp_path / "numbers.gz")
    for _ in range(2):
        bench.work.work([row], tiny, photos[:2], ledger)
    assert made == ["one", "one"]  # once a photo
    more = replace(row, measures={**row.measures, "peak": bench.measures.Heat("peak")})
    bench.work.work([more], tiny, photos[:2], ledger)
    assert made == ["one", "one"]  # the maps are there
    numbers = ledger.numbers({"one": row.key("tiny")})["one"]
    heat = photos[0].images.mean(1)
    assert numbers["photo0"] == pytest.approx(
        {"mean heat": float(heat.mean()), "peak heat": float(heat.max())}, rel=1e-5
    )
    other = replace(row, label="two", explainer=spy(made, "two"))
    bench.work.work([other], tiny, photos[:1], ledger)
    assert made == ["one", "one", "two"]
    assert set(ledger.numbers({"one": other.key("tiny")})["one"]) == {"photo0"}
    assert set(ledger.numbers({"one": row.key("tiny")})["one"]) == {"photo1"}


def test_packed_numbers_stand_in_for_pages_that_are_gone(
    bench: Bench, tiny: Classifier, photos: list[Batch], tmp_path: Path
) -> None:
    made: list[str] = []
    row = bench.work.Row("one", "", spy(made, "one"), {"mean": bench.measures.Heat("mean")}, "one")
    ledger = bench.ledger.Ledger(tmp_path / "pages", tmp_path / "numbers.gz")
    bench.work.work([row], tiny, photos, ledger)
    before = ledger.pages()
    ledger.pack()
    elsewhere = bench.ledger.Ledger(tmp_path / "empty", tmp_path / "numbers.gz")
    assert elsewhere.pages() == before
    bench.work.work([row], tiny, photos, elsewhere)
    assert made == ["one"] * 4


def test_maps_that_are_made_together_are_what_each_is_alone(
    bench: Bench, tiny: Classifier, photos: list[Batch], tmp_path: Path
) -> None:
    """Of fills that draw at random, too; and only what is missing is made."""
    asked: list[int] = []

    @dataclass(frozen=True)
    class Counted:
        infiller: Infiller
        method: Explainer

        def __call__(self, classifier: Classifier, images: Tensor, question: Question) -> Tensor:
            asked.append(len(images))
            return self.method(classifier, images, question)

    for fill in (MeanColour(), ColourNoise(0.3)):
        method = Fido(fill, steps=4, samples=2, levels=2)
        measures = {"mean": bench.measures.Heat("mean")}
        row = bench.work.Row("one", "", Counted(fill, method), measures)
        ledger = bench.ledger.Ledger(tmp_path / repr(fill), tmp_path / "numbers.gz")
        asked.clear()
        bench.work.work([row], tiny, photos[1:2], ledger)
        bench.work.work([row], tiny, photos, ledger)
        assert asked == [1, 3]
        for batch in photos:
            alone = explain(method, tiny, batch, Question(batch.labels)).heatmaps
            page = ledger.page(batch.names[0])
            kept = page.map_of("one", row.key("tiny"))
            assert kept is not None
            torch.testing.assert_close(kept, alone, rtol=0, atol=1e-5)
            assert page.rows["one"]["backward"] == 8  # of this photo alone


def test_a_key_knows_the_bytes_of_the_weights(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"one")
    words = f"Inpainter(weights={str(file)!r}, batch=16)"
    first = bench.ledger.made_by(words)
    file.write_bytes(b"two")
    assert bench.ledger.made_by(words) != first
    assert bench.ledger.made_by(Constant(0.1)) != bench.ledger.made_by(Constant(0.2))


def test_thresholds_come_from_the_other_half(bench: Bench) -> None:
    """The even photos like one threshold, the odd ones the other: each half gets the wrong one."""
    numbers = {
        f"{place:02}": {"box a": float(place % 2), "box b": float(1 - place % 2), "boxes": 9.0}
        for place in range(10)
    }
    found, chosen = bench.verdict.across(numbers, "box", lower=True)
    assert chosen == ("box b", "box a")
    assert set(found.values()) == {1.0}
    found, chosen = bench.verdict.across(numbers, "box", lower=False)
    assert set(found.values()) == {0.0}
    assert bench.verdict.across({}, "box", lower=True)[0] == {}


def test_gains_are_paired_and_have_their_good_direction(bench: Bench) -> None:
    numbers = {
        "new": {f"{i:03}": {"error": 0.1 * i, "gain": 1.0} for i in range(108)},
        "old": {f"{i:03}": {"error": 0.1 * i + 0.5, "gain": 0.0} for i in range(4, 112)},
    }
    error, more = bench.verdict.Measured("e", "error"), bench.verdict.Measured("g", "gain", False)
    row = bench.verdict.compared(numbers, error, "new", "old")
    assert (row["n"], row["verdict"]) == (104, "confirmed")
    assert row["by"] == pytest.approx(0.5)
    assert bench.verdict.compared(numbers, more, "new", "old")["by"] == 1
    back = bench.verdict.compared(numbers, error, "old", "new")
    assert back["verdict"] == "not confirmed: the opposite"
    numbers["old"] = {"004": numbers["old"]["004"]}
    few = bench.verdict.compared(numbers, error, "new", "old")
    assert few["verdict"] == "undecided: fewer than 100 photos, so far for it"


def test_thresholds_of_a_pair_are_chosen_on_the_photos_of_both(bench: Bench) -> None:
    """On the first ten photos "a" is the best; on the others, which one row lacks, it is "b"."""
    every = {
        f"{place:03}": {"box a": float(place >= 10), "box b": float(place < 10)}
        for place in range(110)
    }
    numbers = {"few": dict(list(every.items())[:10]), "all": every}
    box = bench.verdict.Measured("box", "box", choose=True)
    assert set(bench.verdict.gain(numbers, box, "few", "all").values()) == {0.0}


def test_means_are_over_the_photos_that_all_rows_have(bench: Bench) -> None:
    numbers = {"x": {"a": {"m": 1.0}, "b": {"m": 9.0}}, "y": {"a": {"m": 2.0}}, "z": {}}
    rows = bench.verdict.summary(numbers, [bench.verdict.Measured("m", "m")])
    assert [row["n"] for row in rows] == [1, 1, 0]
    assert [row["m"] for row in rows] == ["1.000 [1.000, 1.000]", "2.000 [2.000, 2.000]", ""]


def test_a_row_of_few_photos_does_not_shrink_the_others(bench: Bench) -> None:
    rows = {"x": range(120), "y": range(20, 130), "few": range(95, 125)}
    numbers = {row: {f"{i:03}": {"m": float(i)} for i in which} for row, which in rows.items()}
    found = bench.verdict.summary(numbers, [bench.verdict.Measured("m", "m")])
    assert [row["n"] for row in found] == [100, 100, 25]
    assert found[2]["m"].startswith("107.000")
    ranks = bench.verdict.mean_ranks(numbers, bench.verdict.Measured("m", "m"))
    assert ranks == {"x": 1.5, "y": 1.5}


def test_measures_agree_if_they_put_the_rows_in_one_order(bench: Bench) -> None:
    numbers = {
        row: {str(i): {"a": place + i, "b": -2.0 * place, "c": -place} for i in range(3)}
        for place, row in enumerate(("x", "y", "z"))
    }
    numbers["x"]["more"] = {"a": 99.0}
    a, b = bench.verdict.Measured("a", "a"), bench.verdict.Measured("b", "b", lower=False)
    assert bench.verdict.mean_ranks(numbers, a) == {"x": 1, "y": 2, "z": 3}
    found = bench.verdict.agreement(numbers, [a, b, bench.verdict.Measured("c", "c")])
    assert [row["tau"] for row in found] == pytest.approx([1, -1, -1])
    assert bench.verdict.mean_ranks({"x": {}}, a) == {}


def test_the_map_of_the_object_has_no_errors_and_the_least_border(
    bench: Bench, tiny: Classifier, photos: list[Batch]
) -> None:
    assert photos[0].regions is not None
    inside = photos[0].regions.float()
    result = explain(lambda *_: inside, tiny, photos[0], Question(photos[0].labels))
    boxes = bench.measures.BoxGrid()(tiny, result)
    assert boxes["box value 0.5"] == boxes["box energy 0.9"] == boxes["box mean 1.0"] == 0
    assert boxes["box value 0.0"] == 1  # the whole image: 192 of 1024 pixels
    assert len(boxes) == 61
    assert set(bench.measures.SamGrid()(tiny, result).values()) == {0}
    saliency = bench.measures.SaliencyGrid()(tiny, result)
    whole = -float(result.question.probability(result.logits).log())
    assert saliency["saliency 0.0"] == pytest.approx(whole, rel=1e-5)
    level = float(result.question.log_odds(result.logits)) + 9
    never = bench.measures.Compact("own fill", KeptArea(Constant(), log_odds=level, areas=3))
    assert all(math.isnan(value) for value in never(tiny, result).values())


def test_rows_without_the_in_painter_are_those_that_do_not_name_it(bench: Bench) -> None:
    rows = bench.run.without_inpainter(bench.removal.BENCHMARK.rows)
    assert [row.name for row in rows] == [
        "centre",
        "SP, mean colour",
        "LIME, mean colour",
        "MP, blur",
    ]
    assert "deletion in-painter" not in rows[0].measures
    assert "deletion blur" in rows[0].measures


def options(bench: Bench, **changed: Any) -> Any:
    chosen = bench.run.arguments("x").parse_args([])
    vars(chosen).update(changed)
    return chosen


@pytest.fixture
def small(
    bench: Bench, tiny: Classifier, photos: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmarks, on four small photos with quick methods."""
    for module in (bench.run, bench.sensitivity, bench.contact):
        monkeypatch.setattr(module, "judge", lambda _: tiny)
        monkeypatch.setattr(module, "data", lambda count: f"{count} photos, sha256:0")
    monkeypatch.setattr(bench.run, "photos", lambda _: iter(photos))


def quick(row: Any) -> Any:
    """The same row with fewer steps, and a plain fill for the in-painter."""
    explainer = row.explainer
    if isinstance(explainer, Lime):
        explainer = replace(explainer, samples=8, segmenter=Cells(4))
    elif isinstance(explainer, Occlusion):
        explainer = replace(explainer, size=8, stride=8)
    elif isinstance(explainer, Rise):
        explainer = replace(explainer, samples=8)
    elif isinstance(explainer, MeaningfulPerturbation | Bbmp | Fido):
        explainer = replace(explainer, steps=2)
    elif isinstance(explainer, Ltx):
        explainer = replace(explainer, steps=min(explainer.steps, 2), weights="")
    if row.fill == "in-painter":
        explainer = replace(explainer, infiller=LocalMean(3))
    measures = {name: one for name, one in row.measures.items() if "Inpainter" not in repr(one)}
    return replace(row, explainer=explainer, measures=measures)


def test_two_runs_can_begin_at_either_end(
    bench: Bench, small: None, tiny: Classifier, photos: list[Batch]
) -> None:
    asked = options(bench, photos=3)
    asked.skip = 1
    assert bench.run.chosen(tiny, asked) == photos[1:3]
    asked.backwards = True
    assert bench.run.chosen(tiny, asked) == photos[2:0:-1]


@pytest.mark.parametrize("name", ["removal", "fido", "ltx", "objects"])
def test_a_tiny_run_tells_claims_with_intervals_and_goes_on_where_it_was(
    name: str, bench: Bench, small: None, tmp_path: Path
) -> None:
    whole = {
        "removal": bench.removal.BENCHMARK,
        "fido": bench.fido.benchmark(masker="x"),
        "ltx": bench.ltx.BENCHMARK,
        "objects": replace(bench.ltx.OBJECTS, bed=None),
    }[name]
    benchmark = replace(whole, rows=[quick(row) for row in whole.rows])
    path = bench.run.run(benchmark, options(bench, photos=2), tmp_path)
    found = json.loads(path.read_text("utf-8"))
    assert found["settings"]["seed"] == 0
    assert "2 photos" in found["settings"]["data"]
    assert {row["row"] for row in found["means"]} == {row.name for row in whole.rows}
    measure = {"ltx": "POS", "objects": "mean IoU"}.get(name, "box error")
    assert {row["n"] for row in found["rows"] if row["measure"] == measure} == {2}
    assert all(row["low"] <= row["by"] <= row["high"] for row in found["rows"] if row["n"])
    pages = tmp_path / "ledger" / benchmark.name
    before = {page: page.stat().st_mtime_ns for page in pages.glob("*.json")}
    bench.run.run(benchmark, options(bench, photos=3), tmp_path)
    assert {page: page.stat().st_mtime_ns for page in before} == before
    assert len(list(pages.glob("*.json"))) == 3


def test_a_tiny_run_of_sensitivity_knows_equal_seeds(
    bench: Bench, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bases = {
        "SP": Occlusion(size=8, stride=8),
        "LIME": Lime(samples=8, segmenter=Cells(4)),
        "MP": MeaningfulPerturbation(steps=2),
    }
    change = bench.sensitivity.Change
    changes = tuple(change(method, "seed", ({"seed": 1},)) for method in bases)
    monkeypatch.setattr(bench.sensitivity, "BASES", bases)
    monkeypatch.setattr(bench.sensitivity, "CHANGES", changes)
    monkeypatch.setattr(bench.sensitivity, "SINGLE", ())
    fills = {"mean colour": MeanColour(), "blur": Blur(), "in-painter": LocalMean(3)}
    monkeypatch.setattr(bench.sensitivity, "FILLS", fills)
    path = bench.sensitivity.run(options(bench, photos=2), tmp_path)
    found = json.loads(path.read_text("utf-8"))
    rows = {(row["method"], row["fill"], row["changed"]): row for row in found["means"]}
    assert rows["SP", "mean colour", "seed"]["spearman"] == "1.000 [1.000, 1.000]"
    assert rows["LIME", "in-painter", "seed"]["n"] == 2
    assert rows["MP", "blur", "blur 5, 30"]["ssim / seeds"] > 0
    assert {row["n"] for row in found["rows"]} == {2}


def test_sensitivity_borrows_the_maps_of_the_base(
    bench: Bench, tiny: Classifier, photos: list[Batch], tmp_path: Path
) -> None:
    """A map that another benchmark made alike is taken; one of another making is not."""
    method = Occlusion(MeanColour(), size=8, stride=8)
    rows = bench.sensitivity.Change("SP", "seed", ({"seed": 1},), {"size": 8, "stride": 8})
    base, other = rows.rows("mean colour", MeanColour())
    page = bench.ledger.Ledger(tmp_path / "own", tmp_path / "own.gz").page("photo0")
    lender = bench.ledger.Ledger(tmp_path / "other", tmp_path / "other.gz").page("photo0")
    key, name = base.key("tiny"), "SP, mean colour, seed"
    heat = method(tiny, photos[0].images, Question(photos[0].labels))
    lender.keep_map("SP, mean colour", key, heat, {})
    for each in (base, other):
        bench.sensitivity.borrow(each, each.key("tiny"), page, name, lender)
    assert page.map_of(base.name, key) is not None
    assert page.map_of(other.name, other.key("tiny")) is None


def test_contact_sheets_are_made_once_and_shown(
    bench: Bench, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.contact, "ROWS", [quick(row) for row in bench.contact.ROWS])
    path = bench.contact.run(options(bench, photos=2, cell=32, rows="RISE|joint, blur"), tmp_path)
    found = json.loads(path.read_text("utf-8"))
    counts = {row["row"]: row["n"] for row in found["rows"]}
    assert counts["RISE, in-painter"] == counts["FIDO joint, blur"] == 2
    assert counts.get("FIDO joint, noise", 0) == 0
    with Image.open(tmp_path / "contact_sheets.png") as sheet:
        assert sheet.width >= 4 * 32  # the photo, and three rows that there are maps of
    maps = list((tmp_path / "ledger").rglob("*.npz"))
    assert len(maps) == 6
    before = [path.stat().st_mtime_ns for path in maps]
    bench.contact.run(options(bench, photos=2, cell=32, rows="RISE|joint, blur"), tmp_path)
    assert [path.stat().st_mtime_ns for path in maps] == before


def test_sheets_show_the_maps_that_are_there(
    bench: Bench, tiny: Classifier, photos: list[Batch], tmp_path: Path
) -> None:
    whole = replace(bench.removal.BENCHMARK, rows=[quick(r) for r in bench.removal.BENCHMARK.rows])
    ledger = bench.ledger.Ledger(tmp_path / "ledger" / whole.name, tmp_path / "numbers.gz")
    rows = whole.rows[1:3]
    bench.work.work(rows[:1], tiny, photos[:1], ledger)
    one, other = (bench.sheets.line(batch, rows, ledger, "tiny") for batch in photos[:2])
    assert [bool((part == 1).all()) for part in one] == [False, False, True]
    assert [bool((part == 1).all()) for part in other] == [False, True, True]
    assert bench.sheets.draw(tmp_path / "b.png", whole, rows[:0], photos, "tiny", 24) is None
    path = bench.sheets.draw(tmp_path / "a.png", whole, rows, photos, "tiny", 24)
    with Image.open(path) as sheet:
        assert sheet.size[1] == 14 + 24  # one photo has maps


def test_maps_are_made_again_for_a_sheet_and_keep_their_numbers(
    bench: Bench, tiny: Classifier, photos: list[Batch], tmp_path: Path
) -> None:
    made: list[str] = []
    row = bench.work.Row("one", "", spy(made, "one"), {"mean": bench.measures.Heat("mean")}, "one")
    benchmark = replace(bench.removal.BENCHMARK, name="bench", rows=[row])
    packed = tmp_path / "bench.numbers.gz"
    ledger = bench.ledger.Ledger(tmp_path / "ledger/bench", packed)
    bench.work.work([row], tiny, photos[:2], ledger)
    numbers = ledger.numbers({"one": row.key("tiny")})
    ledger.pack()
    shutil.rmtree(tmp_path / "ledger")
    for _ in range(2):
        bench.sheets.remade(benchmark, [row], photos[:2], tiny, tmp_path)
    assert made == ["one"] * 4  # once for the numbers, once again for the sheet
    again = bench.ledger.Ledger(tmp_path / "ledger/bench", packed)
    assert again.numbers({"one": row.key("tiny")}) == numbers
    assert again.page("photo1").map_of("one", row.key("tiny")) is not None


@pytest.mark.parametrize("name", ["claims_removal", "claims_fido", "sensitivity"])
def test_committed_claims_say_what_made_them(name: str) -> None:
    path = BENCHMARKS / "results" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} has not been made yet: python benchmarks/{name}.py")
    found = json.loads(path.read_text("utf-8"))
    assert {"seed", "data", "rows"} <= set(found["settings"])
    assert {"rather", "torch", "python"} <= set(found["versions"])
    assert (path.parent / found["settings"]["numbers per photo"]).exists()


def test_pages_hold_what_the_results_say(bench: Bench, tmp_path: Path) -> None:
    row = {"measure": "e", "better?": "a", "n": 3, "by": 0.12345, "low": 0.1, "high": 0.2}
    rows = [{**row, "same_fill": "", "verdict": "confirmed"}, {**row, "n": 0}]
    (tmp_path / "one.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    text = (
        "# One\n<!-- one.json rows -->\nold\n<!-- end -->\n<!-- two.json rows -->\n<!-- end -->\n"
    )
    found = bench.pages.page(text, tmp_path)
    assert "| e | a | 3 | 0.123 [0.100, 0.200] | confirmed |" in found
    assert "old" not in found
    assert found.count("Not measured yet.") == 1
    assert bench.pages.page(found, tmp_path) == found
    assert not bench.pages.matches(row, "better than nothing")


def test_committed_pages_are_those_of_the_committed_results(bench: Bench) -> None:
    for path in sorted(bench.pages.PAGES.glob("*.md")):
        text = path.read_text("utf-8")
        assert bench.pages.page(text, BENCHMARKS / "results") == text, (
            f"run claims_pages.py: {path}"
        )
