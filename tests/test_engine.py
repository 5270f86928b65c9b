"""A prepared classifier answers the same, and the one it was made from is as it was."""

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from rather import Classifier, Question
from rather.classifier import gradient
from rather.explainers import GradCam, IntegratedGradients, Occlusion
from rather.memory import keep_memory
from rather.view import View

Engine: TypeAlias = Literal["torch", "openvino"]
ASKED = Question(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]))


class Norm(nn.BatchNorm2d):
    """A batch norm with drop and act inside, as timm has them."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.drop, self.act = nn.Identity(), nn.ReLU(inplace=True)

    def forward(self, input: Tensor) -> Tensor:
        return self.act(self.drop(super().forward(input)))


class Odd(nn.BatchNorm2d):
    """A batch norm that does something else besides."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


class Standardised(nn.Conv2d):
    """A convolution that undoes any scale of its weights."""

    def forward(self, input: Tensor) -> Tensor:
        spread, mean = torch.std_mean(self.weight, (1, 2, 3), keepdim=True)
        weight = (self.weight - mean) / spread
        return nn.functional.conv2d(input, weight, self.bias, padding=1)


def conv(bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(4, 4, 3, padding=1, bias=bias)


class Body(nn.Module):
    """A stem, `middle` on four channels, and a head."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.stem, self.middle, self.head = nn.Conv2d(3, 4, 3), middle, nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.middle(self.stem(images)).mean((2, 3)))


class Residual(nn.Module):
    """What the batch norm reads is used once more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = conv(), nn.BatchNorm2d(4)

    def forward(self, maps: Tensor) -> Tensor:
        made = self.conv(maps)
        return made + self.norm(made)


class Shared(nn.Module):
    """One batch norm reads two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.norm = conv(), conv(), nn.BatchNorm2d(4)

    def forward(self, maps: Tensor) -> Tensor:
        return self.norm(self.two(self.norm(self.one(maps)).relu()))


def norm() -> nn.BatchNorm2d:
    return nn.BatchNorm2d(4)


NETS: dict[str, tuple[int, int, nn.Module]] = {  # batch norms folded, and found; the middle
    "plain": (2, 2, nn.Sequential(conv(), norm(), nn.ReLU(True), conv(bias=False), norm())),
    "timm": (1, 1, nn.Sequential(conv(bias=False), Norm(4))),
    "no affine": (1, 1, nn.Sequential(conv(), nn.BatchNorm2d(4, affine=False))),
    "odd": (0, 0, nn.Sequential(conv(), Odd(4))),
    "written over": (0, 0, nn.Sequential(conv(), nn.ReLU(True), norm())),
    "before": (0, 0, nn.Sequential(nn.ReLU(), norm(), conv())),
    "shared": (0, 0, Shared()),
    "residual": (1, 2, nn.Sequential(Residual(), conv(), norm())),
    "standardised": (1, 2, nn.Sequential(Standardised(4, 4, 3), norm(), conv(), norm())),
    "parametrised": (0, 0, nn.Sequential(weight_norm(conv()), norm())),
    "none": (0, 0, nn.ReLU()),
}


def made(name: str) -> Classifier:
    torch.manual_seed(0)
    net = copy.deepcopy(Body(NETS[name][2]))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in module.state_dict().values():
                if value.dim():
                    value.copy_(torch.rand(value.shape) + 0.5)
    return Classifier(net.eval(), view=View(crop=12, resize=None))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def same(one: Classifier, other: Classifier, images: Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(one(images), other(images), rtol=1e-4, atol=1e-5)
    slopes = [gradient(each, images, ASKED) for each in (one, other)]
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", NETS)
def test_a_prepared_classifier_answers_the_same(name: str, images: Tensor) -> None:
    classifier = made(name)
    state = {key: value.clone() for key, value in classifier.state_dict().items()}
    modules = dict(classifier.named_modules())
    prepared = classifier.prepare()
    folded, found, _ = NETS[name]
    same(prepared, classifier, images)
    assert len(prepared.folded) == folded
    assert (f"{folded} of {found} batch norms" in prepared.engine) == bool(found)
    assert ("batch norms" in prepared.engine) == bool(found)
    assert "channels last" in prepared.engine
    assert not any(parameter.requires_grad for parameter in prepared.parameters())
    for key, value in classifier.state_dict().items():
        assert torch.equal(value, state[key])
    assert dict(classifier.named_modules()) == modules
    assert all(parameter.requires_grad for parameter in classifier.parameters())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in modules.values())
    assert not classifier.engine


def test_folding_takes_the_batch_norms_away() -> None:
    prepared = made("plain").prepare(batch=5)
    assert prepared.batch == 5
    assert not any(isinstance(each, nn.BatchNorm2d) for each in prepared.modules())
    assert prepared.folded == {"middle.0": "middle.1", "middle.3": "middle.4"}
    assert made("plain").prepare().prepare().batch == 16


def test_heatmaps_are_the_same(images: Tensor) -> None:
    classifier = made("timm")
    prepared = classifier.prepare()
    for explainer in (Occlusion(size=4, stride=2), IntegratedGradients(steps=4), GradCam()):
        one, other = (explainer(each, images, ASKED) for each in (classifier, prepared))
        torch.testing.assert_close(one.detach(), other.detach(), rtol=1e-3, atol=1e-5)


def test_a_layer_that_holds_its_batch_norm_is_not_taken_for_itself(images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"its batch norm 'middle\.1' did; name that one"):
        GradCam("middle.0")(made("plain").prepare(), images, ASKED)


def test_the_size_that_a_classifier_reads_is_asked_for() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval()
    with pytest.raises(ValueError, match=r"cannot read images of 224 x 224 .* view=View\(crop="):
        Classifier(net).prepare()
    assert Classifier(net, view=View(crop=8, resize=None)).prepare().engine


class Handle(nn.Module):
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.lock = made("plain").net, (each for each in ())

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


def test_a_network_that_cannot_be_copied_is_left_alone(images: Tensor) -> None:
    classifier = Classifier(Handle().eval(), view=View(crop=12, resize=None))
    prepared = classifier.prepare(batch=3)
    same(prepared, classifier, images)
    assert "cannot be copied" in prepared.engine
    assert (prepared.batch, classifier.batch) == (3, 16)
    assert all(parameter.requires_grad for parameter in classifier.parameters())


class Steps(nn.Module):
    """Has no gradient."""

    def forward(self, images: Tensor) -> Tensor:
        return images.detach().round().mean((2, 3))


def test_a_network_without_gradient_is_prepared_too(images: Tensor) -> None:
    classifier = Classifier(Steps().eval(), view=View(crop=12, resize=None))
    torch.testing.assert_close(classifier.prepare()(images), classifier(images))


@pytest.fixture(scope="module")
def openvino() -> Classifier:
    return made("timm").prepare("openvino")


def test_openvino_answers_the_same_and_torch_has_the_gradients(
    openvino: Classifier, images: Tensor
) -> None:
    assert openvino.engine.startswith("openvino")
    same(openvino, made("timm"), images)
    for count, side in ((1, 12), (9, 12), (2, 15)):
        some = torch.rand(count, 3, side, side)
        with torch.no_grad():
            torch.testing.assert_close(
                openvino(some), openvino.through_net(some), rtol=1e-4, atol=1e-5
            )
    one = openvino(images)
    assert one.dtype == torch.float32
    kept = one.clone()
    openvino(images.flip(0))
    assert torch.equal(one, kept)  # no buffer is handed out twice


def test_explainers_run_on_openvino(openvino: Classifier, images: Tensor) -> None:
    for explainer in (Occlusion(size=4, stride=2), IntegratedGradients(steps=4), GradCam()):
        with torch.no_grad():
            ours, theirs = (explainer(each, images, ASKED) for each in (made("timm"), openvino))
        torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-5)


def test_a_copy_follows_its_parameters_not_openvino(openvino: Classifier, images: Tensor) -> None:
    for copied in (copy.deepcopy(openvino), pickle.loads(pickle.dumps(openvino))):
        assert copied.without_gradient is None
        copied.net.get_parameter("head.bias").data += 1
        assert not torch.allclose(copied(images), openvino(images), atol=0.5)


def test_openvino_says_what_it_cannot_convert() -> None:
    class Inverse(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.linalg.eigvals(images[:, :, :3, :3]).real.mean(2)

    classifier = Classifier(Inverse().eval(), view=View(crop=12, resize=None))
    with pytest.raises(ValueError, match=r"OpenVINO cannot convert Inverse .* engine='torch'"):
        classifier.prepare("openvino")


def test_openvino_is_imported_late_and_without_telemetry() -> None:
    code = (
        "import sys, rather.classifier, rather.explainers\n"
        "assert 'openvino' not in sys.modules and 'captum' not in sys.modules\n"
        "import rather.openvino_engine as engine\n"
        "engine.import_openvino()\n"
        "assert 'openvino' in sys.modules and 'openvino_telemetry' not in sys.modules\n"
    )
    source = Path(__file__).parent.parent / "src"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(source)})


def test_a_signal_arrives_after_openvino_is_gone() -> None:
    code = """
import gc
import signal
import torch
from torch import nn
from rather import Classifier
from rather.view import View

def answered():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    classifier = Classifier(net, view=View(crop=8, resize=None)).prepare("openvino")
    with torch.no_grad():
        classifier(torch.rand(1, 3, 8, 8))
    return classifier

kept = [answered() for _ in range(3)]
while kept:
    kept.pop(0)
    gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    source = Path(__file__).parent.parent / "src"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(source)},
    )
    assert (run.returncode, run.stdout) == (0, "interrupted\n")


@pytest.mark.parametrize("kind", ["script", "export"])
@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_compiled_networks_get_what_is_possible(kind: str, engine: Engine, images: Tensor) -> None:
    classifier = made("plain")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit warns that it grows old
        if kind == "script":
            net: Any = torch.jit.trace(classifier.net, images)
        else:
            sizes = {"images": {0: torch.export.Dim("n", min=1, max=64)}}
            net = torch.export.export(classifier.net, (images,), dynamic_shapes=sizes).module()
            net.training = False
            for module in net.modules():
                module.training = False
        compiled = Classifier(net, view=View(crop=12, resize=None))
        prepared = compiled.prepare(engine)
    same(prepared, classifier, images)


def test_memory_is_kept_where_glibc_is() -> None:
    assert keep_memory() in (True, False)
    code = "from rather.memory import keep_memory; print(keep_memory())"
    source = Path(__file__).parent.parent / "src"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(sys.platform == "linux")
