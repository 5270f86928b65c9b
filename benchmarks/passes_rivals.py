"""The scene of `passes.py`: the photo, and how users call captum and grad-cam on it.

Run as a script it does the rivals' defaults on demand, for `passes.py` to time: with malloc as it
comes, on a network as it was loaded.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import captum.attr
import torch
from elsewhere import serve
from PIL import Image
from skimage import data
from torch import Tensor, nn

from rather import Batch, Classifier, Explainer, Question, explain
from rather.data.photo import look
from rather.explainers import GradCam, IntegratedGradients, Occlusion
from rather.infillers import Constant
from rather.models import load
from rather.optional import need

SIZE, GREY = 16, Constant(0.5)
MIDPOINTS = "riemann_middle"  # captum's name for our rule


@dataclass(frozen=True, eq=False)
class Scene:
    """The photo, the question, and the classifier as users have it and as we prepare it."""

    plain: Classifier
    fast: Classifier
    heavy: Classifier  # the same with torch's and timm's own layers
    openvino: Classifier
    batch: Batch
    stride: int
    steps: int

    @property
    def target(self) -> int:
        return int(self.batch.labels[0])

    @property
    def first_clipped(self) -> int:
        """Where the first square that sticks out begins: captum has none from there on."""
        return ((self.batch.images.shape[-1] - SIZE) // self.stride + 1) * self.stride

    @property
    def question(self) -> Question:
        return Question(self.batch.labels)

    @property
    def normalised(self) -> Tensor:
        """What the bare network reads."""
        return (self.batch.images - self.plain.mean) / self.plain.std

    @torch.no_grad()
    def ours(self, explainer: Explainer, classifier: Classifier) -> Tensor:
        return explainer(classifier, self.batch.images, self.question)

    def explained(self, explainer: Explainer) -> Tensor:
        """The same with the answer, the checks and the record of `explain`."""
        return explain(explainer, self.fast, self.batch, self.question).heatmaps


def scenery(quick: bool = False, alone: bool = False) -> Scene:
    """The photo of a cat, and why it is called what it is called; `alone`: nothing is prepared."""
    plain = load("efficientnet-lite0")
    images = look(Image.fromarray(data.chelsea()), plain.view)[None]
    with torch.no_grad():
        label = plain(images).argmax(1)
    with patch("rather.engine.lean", lambda net: lambda: None):
        heavy = plain if alone else plain.prepare()
    return Scene(
        plain,
        plain if alone else plain.prepare(),
        heavy,
        plain if alone else plain.prepare("openvino"),
        Batch(images, label, ("chelsea",)),
        stride=16 if quick else 8,
        steps=16 if quick else 50,
    )


def captum_occlusion(scene: Scene, batch: int) -> Tensor:
    found = captum.attr.Occlusion(scene.plain.net).attribute(
        scene.normalised,
        sliding_window_shapes=(3, SIZE, SIZE),
        strides=(3, scene.stride, scene.stride),
        baselines=grey(scene),
        target=scene.target,
        perturbations_per_eval=batch,
    )
    return found.mean(1)


def captum_path(scene: Scene, batch: int | None, method: str = "gausslegendre") -> Tensor:
    found = captum.attr.IntegratedGradients(scene.plain.net).attribute(
        scene.normalised,
        baselines=grey(scene),
        target=scene.target,
        n_steps=scene.steps,
        internal_batch_size=batch,
        method=method,
    )
    return found.sum(1).detach()


def captum_cam(scene: Scene) -> Tensor:
    method = captum.attr.LayerGradCam(scene.plain.net, last_layer(scene))
    found: Any = method.attribute(scene.normalised, target=scene.target, relu_attributions=True)
    return captum.attr.LayerAttribution.interpolate(found, (224, 224), "bilinear")[:, 0].detach()


def grad_cam(scene: Scene, frozen: bool) -> Tensor:
    """Grad-CAM as its users write it; frozen ones have heard that parameters cost gradients."""
    package = need("pytorch_grad_cam", "compare", "this comparison")
    aims = need("pytorch_grad_cam.utils.model_targets", "compare", "this comparison")
    scene.plain.requires_grad_(not frozen)
    try:
        with package.GradCAM(model=scene.plain.net, target_layers=[last_layer(scene)]) as method:
            images = scene.normalised.requires_grad_()
            targets: list[Any] = [aims.ClassifierOutputTarget(scene.target)]
            found = method(images, targets=targets)
    finally:
        scene.plain.requires_grad_()
        scene.plain.zero_grad()
    return torch.from_numpy(found)


def defaults(scene: Scene) -> dict[str, Callable[[], Tensor]]:
    """What users get who set nothing."""
    return {
        "Occlusion": lambda: captum_occlusion(scene, 1),
        "Integrated gradients": lambda: captum_path(scene, None),
        "Grad-CAM": lambda: captum_cam(scene),
        "Grad-CAM by grad-cam": lambda: grad_cam(scene, frozen=False),
    }


def last_layer(scene: Scene) -> nn.Module:
    return scene.plain.net.get_submodule("bn2")


def grey(scene: Scene) -> Tensor:
    return ((0.5 - scene.plain.mean) / scene.plain.std).expand_as(scene.normalised).contiguous()


def equalities(scene: Scene) -> dict[str, float]:
    """The largest difference between maps of the same method, as a share of the largest value.

    Integrated gradients in single precision: rounding turns a few ReLUs on or off, so two ways of
    computing the same sum differ, as captum's own does for a photo whose pixels are one rounding
    away. Double precision tells whether it is the same sum.
    """
    end, double, path = (
        scene.first_clipped,
        in_double(scene),
        IntegratedGradients(GREY, scene.steps, limit=scene.steps),
    )
    cam, theirs = scene.ours(GradCam(), scene.plain), captum_path(scene, 16, MIDPOINTS)
    both = {
        "Occlusion, captum": (
            scene.ours(Occlusion(GREY, SIZE, scene.stride), scene.plain)[:, :end, :end],
            captum_occlusion(scene, 16)[:, :end, :end],
        ),
        "Integrated gradients in double precision, captum": (
            double.ours(path, double.plain),
            captum_path(double, 16, MIDPOINTS),
        ),
        "Integrated gradients, captum": (scene.ours(path, scene.plain), theirs),
        "Integrated gradients, captum and itself one rounding away": (
            captum_path(nudged(scene), 16, MIDPOINTS),
            theirs,
        ),
        "Grad-CAM, captum": (cam, captum_cam(scene)),
        "Grad-CAM, grad-cam (0 to 1)": (zero_to_one(cam), grad_cam(scene, frozen=False)),
    }
    return {
        name: float((one - two).abs().max() / two.abs().max()) for name, (one, two) in both.items()
    }


def nudged(scene: Scene) -> Scene:
    """The photo with every pixel at the next number that there is."""
    images = scene.batch.images.nextafter(torch.ones(()))
    return replace(scene, batch=replace(scene.batch, images=images))


def in_double(scene: Scene) -> Scene:
    plain = copy.deepcopy(scene.plain).double()
    images = scene.batch.images.double()
    return replace(scene, plain=plain, batch=replace(scene.batch, images=images))


def zero_to_one(heatmaps: Tensor) -> Tensor:
    low, high = heatmaps.amin(), heatmaps.amax()
    return (heatmaps - low) / (high - low)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    serve(defaults(scenery(quick=options.quick, alone=True)))
