"""Any attribution method of captum, with our questions as targets and our fills as baselines.

Source: Kokhlikyan et al., Captum: A unified and generic model interpretability library for PyTorch,
2020, arXiv:2009.07896.

Differs from calling captum: images are explained one by one, each from the same seed, so that none
depends on its neighbours; what draws from the global generators leaves them as they were; variants
are batched by default; methods that hook the network work on a copy of it, in which ReLUs do not
write in place. A heatmap is the sum over colours, or where a method hides whole pixels, the mean.
"""

import inspect
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rather.classifier import Classifier
from rather.explainers.interception import check_relus, check_sums, run_twice, untied
from rather.explainers.layers import find_layer, last_feature_map
from rather.explainers.segmenters import Segmenter, Slic
from rather.infiller import Infiller, fill, seeded
from rather.infillers import MeanColour
from rather.optional import need
from rather.progress import track
from rather.question import Question
from rather.settling import at_rows
from rather.types import Heatmaps, Images, PerImage
from rather.variants import check_batch

BATCHES = ("perturbations_per_eval", "internal_batch_size")
COMPLETE = "return_convergence_delta"
NOISY = "nt_samples_batch_size"  # one by one, as what the generator draws depends on the size


@dataclass(frozen=True)
class Captum:
    """Runs a method of captum by its name.

    Args:
        method: the class in `captum.attr`, such as "DeepLift" or "KernelShap".
        options: arguments of its `attribute`, as pairs such as `(("n_steps", 20),)`.
        baseline: fills the whole frame to make captum's `baselines`; None: the mean colour, where
            the method takes one (captum's own zero is black here).
        draws: fills that make the baselines, for methods that want several.
        segmenter: makes captum's `feature_mask`; None: superpixels, where the method takes one
            (captum's own are single pixels).
        layer: dotted name of a layer inside the network, for methods that want one; empty: the
            last that answers with a feature map.
        inner: the method inside "NoiseTunnel".
        seed: for methods and baselines that draw at random.
        batch: variants at once; None: what the classifier is fastest with.
    """

    method: str = "IntegratedGradients"
    options: tuple[tuple[str, Any], ...] = ()
    baseline: Infiller | None = None
    draws: int = 1
    segmenter: Segmenter | None = None
    layer: str = ""
    inner: str = "Saliency"
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        check_batch(self.batch)

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        kind = method_called(self.method)
        if hooked(method_called(self.inner) if self.method == "NoiseTunnel" else kind):
            check_relus(self.method, classifier)
            classifier = untied(classifier)
        rows = torch.arange(len(images), device=images.device)[:, None]
        return torch.cat(
            [
                at_rows(self, row).one(kind, classifier, images[row], question.at(row))
                for row in track(rows, f"captum's {self.method}")
            ]
        )

    def one(
        self, kind: type, classifier: Classifier, image: Images, question: Question
    ) -> Heatmaps:
        """The heatmap of a single image."""
        with alone(self.seed, image), torch.enable_grad():
            attribution = self.made(kind, classifier, image, question)
            arguments = self.arguments(attribution, classifier, image)
            try:
                found = attribution.attribute(image.clone(), **arguments)
            except (AssertionError, RuntimeError, TypeError) as error:
                twice = ", ".join(run_twice(classifier, image)) or "none"
                raise ValueError(
                    f"captum's {self.method} refuses: {error} (modules that run twice: {twice})"
                ) from error
        if COMPLETE in arguments:
            total = found[0].detach().sum()[None]
            change = total - found[1].detach().mean()
            check_sums(f"captum's {self.method}", classifier, total, change)
        return heatmap(found, image, whole_pixels="perturbations_per_eval" in arguments)

    def made(self, kind: type, classifier: Classifier, image: Images, question: Question) -> Any:
        """The attribution object, built on the question's score."""
        wanted = inspect.signature(kind).parameters
        options = {name: value for name, value in self.options if name in wanted}
        if "attribution_method" in wanted:
            inner = self.made(method_called(self.inner), classifier, image, question)
            return kind(inner, **options)
        if "layer" in wanted:
            layer = self.layer or last_feature_map(classifier, image)
            options["layer"] = find_layer(classifier, layer)
        elif self.layer:
            raise ValueError(
                f"captum's {self.method} takes no layer; leave out layer={self.layer!r}"
            )
        return kind(Scored(classifier, question), **options)

    def arguments(self, attribution: Any, classifier: Classifier, image: Images) -> dict[str, Any]:
        """What its `attribute` is called with, besides the image."""
        wanted = taken_by(attribution)
        given: dict[str, Any] = dict.fromkeys(
            (name for name in BATCHES if name in wanted), self.batch or classifier.batch
        )
        given |= {NOISY: 1} if NOISY in wanted else {}
        given |= {COMPLETE: True} if COMPLETE in wanted and "DeepLift" in self.method else {}
        if self.takes("baselines", wanted, self.baseline):
            given["baselines"] = self.baselines(image)
        if self.takes("feature_mask", wanted, self.segmenter):
            mask = (self.segmenter or Slic())(image)
            given["feature_mask"] = mask[:, None].expand(image.shape).contiguous()
        built = inspect.signature(type(attribution)).parameters
        return given | {name: value for name, value in self.options if name not in built}

    def takes(self, name: str, wanted: Iterable[str], given: object) -> bool:
        """Whether the method takes an argument; refuses to drop silently what was given."""
        if name not in wanted and given is not None:
            raise ValueError(f"captum's {self.method} takes no {name}; leave out {given!r}")
        return name in wanted

    def baselines(self, image: Images) -> Float[Tensor, "draws 3 h w"]:
        """As many fills of the whole frame as there are draws."""
        nothing, infiller = torch.zeros_like(image[:, :1]), self.baseline or MeanColour()
        generators = (seeded(self.seed, image, draw) for draw in range(self.draws))
        return torch.cat([fill(infiller, image, nothing, each) for each in generators])


class Scored(nn.Module):
    """A classifier that answers with the score of one question, whatever the number of images."""

    def __init__(self, classifier: Classifier, question: Question) -> None:
        super().__init__()
        self.classifier, self.question = classifier, question

    def forward(self, images: Images) -> PerImage:
        logits = self.classifier(images)
        first = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
        return self.question.at(first).score(logits)


def method_called(name: str) -> type:
    """The class of captum.

    Raises:
        ValueError: there is none of this name, or it makes no sense for single images.
    """
    attr = need("captum.attr", "captum", f"Captum(method={name!r})")
    known = [each for each in attr.__all__ if hasattr(getattr(attr, each), "attribute")]
    if name not in known:
        near = get_close_matches(name, known, 3) or known
        raise ValueError(f"captum has no method {name!r}; it has, for example, {', '.join(near)}")
    if "Permutation" in name:
        raise ValueError(f"captum's {name} shuffles images of a batch; use FeatureAblation instead")
    return getattr(attr, name)


def taken_by(attribution: Any) -> set[str]:
    """The arguments of its `attribute`, and of the method inside, if there is one."""
    inner = getattr(attribution, "attribution_method", None)
    own = set(inspect.signature(attribution.attribute).parameters)
    return own if inner is None else own | taken_by(inner)


def hooked(kind: type) -> bool:
    """Whether it hooks modules of the network."""
    return not {"model", "layer"}.isdisjoint(inspect.signature(kind).parameters)


@contextmanager
def alone(seed: int, image: Images) -> Generator[None]:
    """Seed the global generators for the block, then leave them as they were; hush warnings."""
    devices = [image.device] if image.device.type != "cpu" else []
    state = np.random.get_state()
    with (
        warnings.catch_warnings(),
        torch.random.fork_rng(devices, device_type=image.device.type if devices else "cuda"),
    ):
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(state)


def heatmap(found: Any, image: Images, whole_pixels: bool) -> Heatmaps:
    """One number per pixel."""
    found = found[0] if isinstance(found, tuple) else found
    if found.dim() != 4:
        raise ValueError(
            f"captum answered {tuple(found.shape)}, which is no map (1, c, h, w); name a layer "
            "that answers with a feature map"
        )
    one = found.detach().mean(1, keepdim=True) if whole_pixels else found.detach().sum(1, True)
    return F.interpolate(one.float(), image.shape[2:], mode="bilinear")[:, 0]
