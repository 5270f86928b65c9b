"""Lean layers: the same answers and gradients, and nothing that others rely on is lost."""

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional as F

from rather import Batch, Classifier, Question, explain, lean
from rather.engine import gradient
from rather.explainers import DeepLift, GuidedGradCam
from rather.view import View


class Small(nn.Module):
    """A stem that is padded on one side, and every activation that has a lean kind."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = Conv2dSame(3, 8, 3, stride=2)
        self.cut = nn.ReLU6(inplace=True)
        self.deep = Conv2dSame(8, 8, 5, stride=2, groups=8)
        self.soft = nn.SiLU(inplace=True)
        self.last = nn.Conv2d(8, 6, 1)
        self.hard = nn.Hardswish(inplace=True)
        self.head = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.soft(self.deep(self.cut(20 * self.stem(images))))
        return self.head(self.hard(self.last(maps)).mean((2, 3)))


@pytest.fixture
def small() -> Classifier:
    return Classifier(Small().eval(), view=View(32, 32))


def kinds(classifier: Classifier) -> list[str]:
    return [type(part).__module__ for part in classifier.net.children()]


def test_prepared_layers_are_lean_and_answer_the_same(small: Classifier) -> None:
    prepared, images = small.prepare(), torch.rand(3, 3, 32, 32)
    assert kinds(prepared).count("rather.lean") == 5
    assert kinds(small).count("rather.lean") == 0
    torch.testing.assert_close(prepared(images), small(images))
    asked = Question(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]))
    one, other = (gradient(each, images, asked) for each in (prepared, small))
    assert one.abs().sum() > 0
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, (3, 4)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3, (1, 2)], ids=str)
@pytest.mark.parametrize("size", [(12, 12), (13, 12), (11, 14), (7, 7)], ids=str)
def test_padding_is_that_of_tensorflow_whatever_the_sizes(
    kernel: Any, stride: Any, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    layer = Conv2dSame(4, 4, kernel, stride=stride, groups=2).double()
    images = torch.rand(2, 4, *size, dtype=torch.double)
    torch.testing.assert_close(lean.same_padded(images, layer), layer(images))


def test_what_is_cut_off_has_no_slope_and_the_rest_has_slope_one() -> None:
    values = torch.tensor([-1.0, 0.0, 1.0, 5.9, 6.0, 7.0], requires_grad=True)
    made = lean.ReLU6(inplace=True)(values * 1)
    assert made.tolist() == F.relu6(values).tolist()
    (slope,) = torch.autograd.grad(made.sum(), values, create_graph=True)
    assert slope.tolist() == [0, 0, 1, 1, 0, 0]
    assert slope.tolist() == torch.autograd.grad(F.relu6(values).sum(), values)[0].tolist()


def test_gradients_of_gradients_are_those_of_torch() -> None:
    values = (3 * torch.randn(20, dtype=torch.double)).requires_grad_()
    again = []
    for layer in (lean.ReLU6(inplace=True), nn.ReLU6()):
        made = layer(values**2).pow(3).sum()
        (slope,) = torch.autograd.grad(made, values, create_graph=True)
        again.append(torch.autograd.grad(slope.pow(2).sum(), values)[0])
    assert again[0].abs().max() > 0
    torch.testing.assert_close(*again)


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(layer: nn.Module) -> int:
        held: dict[int, int] = {}

        def keep(part: Tensor) -> Tensor:
            held[part.data_ptr()] = part.nbytes
            return part

        images = torch.rand(1, 8, 64, 64, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda part: part):
            made = layer(images * 2)
        held.pop(made.data_ptr(), None)
        return sum(held.values())

    one = torch.rand(1, 8, 64, 64).nbytes
    assert kept(lean.ReLU6(inplace=True)) == 0
    assert kept(nn.ReLU6(inplace=True)) == one  # torch holds a copy of what it wrote over


def test_copies_and_files_hold_lean_layers(small: Classifier) -> None:
    prepared, images = small.prepare(), torch.rand(1, 3, 32, 32)
    for other in (copy.deepcopy(prepared), pickle.loads(pickle.dumps(prepared))):
        assert torch.equal(other(images), prepared(images))
        assert kinds(other) == kinds(prepared)
    held = io.BytesIO()
    torch.save(prepared.net.state_dict(), held)
    assert list(prepared.net.state_dict()) == list(small.net.state_dict())
    with pytest.raises(AttributeError, match="no attribute 'Conv2dSme'"):
        _ = lean.__getattr__("Conv2dSme")


def test_weights_that_change_later_count(small: Classifier) -> None:
    prepared, images = small.prepare(), torch.rand(1, 3, 32, 32)
    before = prepared(images)
    with torch.no_grad():
        prepared.net.get_parameter("stem.weight").mul_(0.5)
        small.net.get_parameter("stem.weight").mul_(0.5)
    assert not torch.equal(prepared(images), before)
    torch.testing.assert_close(prepared(images), small(images))


@pytest.mark.parametrize(
    "method", [GuidedGradCam(layer="last"), DeepLift()], ids=["guided", "deep lift"]
)
def test_methods_that_reach_into_layers_find_lean_ones(method: Any, small: Classifier) -> None:
    for name in ("soft", "hard"):
        small.net.add_module(name, nn.ReLU6(inplace=True).eval())
    batch = Batch(torch.rand(2, 3, 32, 32), torch.zeros(2, dtype=torch.long), ("a", "b"))
    one, other = (explain(method, each, batch).heatmaps for each in (small, small.prepare()))
    assert one.abs().max() > 0
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_a_layer_that_would_answer_otherwise_is_left_as_it_was(
    small: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean.ReLU6, "forward", lambda _, input: input.clamp(0, 5.9))
    prepared, images = small.prepare(), torch.rand(2, 3, 32, 32)
    assert "rather.lean" not in kinds(prepared)
    torch.testing.assert_close(prepared(images), small(images))
