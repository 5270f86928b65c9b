"""The core: questions, text and methods, progress, cost, the verb `explain`, and the layers."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import rather
from rather import Batch, Classifier, Explainer, Question, explain
from rather.catalogue import METHODS
from rather.classifier import gradient
from rather.cost import counting
from rather.explainers import IntegratedGradients, Occlusion
from rather.infillers import Constant, Paste
from rather.optional import need
from rather.progress import listening, track
from rather.spec import Opaque, build, text
from rather.types import Heatmaps, Images

SOURCE = Path(rather.__file__).parent
LOGITS = torch.tensor([[2.0, 1.0, 5.0], [0.0, -1.0, 0.5]])
ZERO, ONE = torch.tensor([0, 0]), torch.tensor([1, 1])


@pytest.mark.parametrize("ask", [Question(ZERO), Question(ZERO, ONE)], ids=["alone", "foil"])
def test_the_logit_of_the_probability_is_the_log_odds(ask: Question) -> None:
    torch.testing.assert_close(ask.probability(LOGITS).logit(), ask.log_odds(LOGITS))


def test_the_score_is_a_logit_or_the_difference_of_two() -> None:
    assert Question(ZERO).score(LOGITS).tolist() == [2.0, 0.0]
    assert Question(ZERO, ONE).score(LOGITS).tolist() == [1.0, 1.0]


def test_a_question_can_be_asked_once_per_variant() -> None:
    rows = torch.tensor([1, 1, 0])
    ask = Question(torch.tensor([7, 8]), torch.tensor([1, 2])).at(rows)
    assert ask.target.tolist() == [8, 8, 7]
    assert ask.foil is not None
    assert ask.foil.tolist() == [2, 2, 1]
    assert Question(ZERO).at(rows).foil is None


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(torch.tensor([0])), "1 target labels for 2 images; give one each"),
        (Question(torch.tensor([0, 2])), "target 2 is no class of this classifier: it knows 2"),
        (Question(ZERO, torch.tensor([-1, 0])), "foil -1 is no class"),
    ],
)
def test_explain_refuses_a_question_that_does_not_fit(
    question: Question, message: str, linear: Classifier, batch: Batch
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        explain(IntegratedGradients(steps=1), linear, batch, question)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((1, 3, 8, 8), 255.0), "span [255, 255]; divide 8-bit values by 255"),
        (torch.full((1, 3, 8, 8), -0.1), "span [-0.1, -0.1]"),
        (torch.full((1, 3, 8, 8), torch.nan), "images hold NaN"),
        (torch.rand(1, 3, 8, 8).double(), "images are torch.float64, but must be float32"),
        (torch.zeros(0, 3, 8, 8), "there is no image to explain"),
    ],
)
def test_explain_refuses_images_that_are_none(
    images: Images, message: str, linear: Classifier
) -> None:
    given = Batch(images, torch.zeros(len(images), dtype=torch.long), ("x",) * len(images))
    with pytest.raises(ValueError, match=re.escape(message)):
        explain(IntegratedGradients(steps=1), linear, given)


def small(classifier: Classifier, images: Images, question: Question) -> Heatmaps:
    return images.mean(1)[:, ::2]


def broken(classifier: Classifier, images: Images, question: Question) -> Heatmaps:
    heat = images.mean(1)
    return torch.where(torch.arange(2)[:, None, None] == 1, torch.nan, heat)


@pytest.mark.parametrize(
    ("explainer", "message"),
    [
        (small, "gave heatmaps (2, 4, 8) instead of (2, 8, 8)"),
        (broken, "gave NaN or infinite heatmaps for right"),
    ],
)
def test_explain_refuses_heatmaps_that_are_none(
    explainer: Explainer, message: str, linear: Classifier, batch: Batch
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        explain(explainer, linear, batch)


def test_without_a_question_the_answer_is_explained(linear: Classifier, batch: Batch) -> None:
    linear.names, linear.name = ("cat", "dog"), "toy"
    found = explain(IntegratedGradients(steps=1, seed=4), linear, batch)
    assert torch.equal(found.question.target, linear(batch.images).argmax(1))
    assert torch.equal(found.logits, linear(batch.images))
    assert (found.seed, found.classifier, found.classes) == (4, "toy", ("cat", "dog"))
    assert {"rather", "torch", "python"} <= set(found.versions)


def test_passes_are_counted_image_by_image(linear: Classifier, batch: Batch) -> None:
    with counting(linear) as cost:
        linear(batch.images)
        gradient(linear, batch.images, Question(ZERO))
    assert (cost.forward, cost.backward) == (2, 2)
    assert cost.seconds > 0
    linear(batch.images)
    assert cost.forward == 2
    assert not linear._forward_pre_hooks


def test_an_explanation_says_what_it_cost(linear: Classifier, batch: Batch) -> None:
    found = explain(Occlusion(size=4, stride=4), linear, batch)
    assert found.cost.backward == 0
    assert found.cost.forward >= 2 * (4 + 1)  # an image's four squares, and the image itself


def test_progress_reaches_whoever_listens_and_nobody_else() -> None:
    heard: list[tuple[str, int, int | None]] = []
    with listening(lambda *news: heard.append(news)):
        assert list(track("ab", "letters")) == ["a", "b"]
        assert list(track(iter("c"), "more", total=3, done=2)) == ["c"]
    assert list(track("d", "unheard")) == ["d"]
    assert heard == [
        ("letters", 0, 2),
        ("letters", 1, 2),
        ("letters", 2, 2),
        ("more", 2, 3),
        ("more", 3, 3),
    ]


def test_what_repr_prints_can_be_built() -> None:
    explainer = IntegratedGradients(baseline=Constant(value=-0.0), steps=4)
    assert build(repr(explainer), METHODS) == explainer


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("Occlusion(sise=8)", "no field of Occlusion is called 'sise'; did you mean 'size'?"),
        ("Oclusion", "no method is called 'Oclusion'; did you mean 'Occlusion'?"),
        ("Occlusion(size=8", "cannot read 'Occlusion(size=8'"),
        ("Occlusion(8)", "'Occlusion(8)' is neither a literal nor Name(keyword=value, ...)"),
        ("Occlusion(size=open(file='x'))", "no method is called 'open'"),
        ("Occlusion(size=(lambda: 8)())", "is neither a literal nor"),
        ("Occlusion.__init__", "is neither a literal nor"),
        ("Paste", "cannot make Paste from 'Paste'"),
        ("", "cannot read ''"),
    ],
)
def test_what_cannot_be_built_is_said_and_never_run(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build(spec, METHODS)


def test_text_holds_methods_and_hands_tensors_on() -> None:
    held: list[torch.Tensor] = []

    def hold(tensor: torch.Tensor) -> str:
        held.append(tensor)
        return "Held()"

    source = torch.zeros(1, 3, 2, 2)
    written = text(Occlusion(Paste(source), size=4, stride=2), METHODS, hold)
    assert written.startswith("Occlusion(infiller=Paste(images=Held()), size=4, stride=2, ")
    assert held == [source]
    found = build(written, {**METHODS, "Held": lambda: source})
    assert found.infiller.images is source
    assert build(text((1, "a", None), METHODS, hold), METHODS) == (1, "a", None)


def test_a_method_of_the_same_name_is_not_taken_for_ours() -> None:
    class Occlusion:
        def __repr__(self) -> str:
            return "another"

    assert build(text(Occlusion(), METHODS, repr), {"Opaque": Opaque}) == Opaque("another")


def test_a_missing_package_comes_with_the_line_that_installs_it() -> None:
    with pytest.raises(ImportError, match=r"'no_such'.* pip install 'rather\[extra\]'"):
        need("no_such.part", "extra", "The method")


def test_a_batch_needs_a_name_and_a_label_each() -> None:
    with pytest.raises(ValueError, match="1 images, 1 labels and 2 names do not go together"):
        Batch(torch.zeros(1, 3, 2, 2), torch.zeros(1, dtype=torch.long), ("a", "b"))


LAYERS = (
    ("types", "view", "optional", "progress", "atomic", "memory", "notes", "hints", "inference"),
    ("question", "batch", "networks", "variants", "together"),
    ("classifier",),
    ("given", "infiller", "editor", "cost", "folding", "lean", "settling"),
    ("explainer", "metric", "engine", "openvino_engine"),
    ("data",),
    ("infillers", "editors", "models"),
    ("explainers",),
    ("metrics",),
    ("spec", "catalogue", "study", "region", "fitting", "bench"),
    ("record", "cluster"),
    ("report", "web"),
    ("commands",),
    ("cli", "__init__", "__main__"),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
LATE = {("classifier", "engine")}  # imported by a method, when it is called


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Which part of the library imports which."""
    own = path.relative_to(SOURCE).with_suffix("").parts[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rather":
            parts = str(node.module).split(".")[1:2] or [alias.name for alias in node.names]
            yield from ((own, part) for part in parts if part != own)


def test_imports_point_one_way() -> None:
    every = {edge for path in SOURCE.rglob("*.py") for edge in imports(path)}
    assert ("classifier", "question") in every
    unknown = {name for edge in every for name in edge} - set(RANK)
    assert not unknown, f"{unknown} stand in no layer; add them to LAYERS"
    wrong = {(one, other) for one, other in every - LATE if RANK[one] < RANK[other]}
    assert not wrong
    same = {(one, other) for one, other in every if (other, one) in every}
    assert same <= {edge for pair in LATE for edge in (pair, pair[::-1])}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


OPTIONAL = {
    "captum",
    "cv2",
    "diffusers",
    "lightning_fabric",
    "onnx",
    "openvino",
    "patchmatch",
    "pytorch_grad_cam",
    "ray",
    "transformers",
}


def test_the_library_loads_no_optional_package() -> None:
    everything = "from rather import *; import rather.catalogue, rather.report, rather.record"
    assert not loaded_by(everything) & (OPTIONAL | {"typer"})


def test_the_command_line_starts_without_torch() -> None:
    assert not loaded_by("import rather.cli") & {"torch", "numpy", "PIL", "timm", "skimage"}


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'rather' has no attribute 'explian'"):
        _ = rather.__getattr__("explian")
    assert all(getattr(rather, name) for name in rather.__all__)
