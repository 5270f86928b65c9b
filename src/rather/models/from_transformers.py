"""Image classifiers of transformers, from a hub or a folder; only safetensors, no foreign code.

There are over a hundred image processors, each with its own way to say what it does. So it is not
read but measured: black and white photos tell mean and standard deviation, ramps tell the crop, and
a textured photo proves that the view found gives what the processor gives, up to a shift by a pixel
(they round the crop's place differently). A processor that squeezes a photo and then crops it, as
DeiT's is written, gets a view that keeps proportions, as its network was trained.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from rather.classifier import Classifier
from rather.data.photo import look
from rather.models.fetching import fetching
from rather.models.imagenet import known_as
from rather.optional import need
from rather.view import View

Process: TypeAlias = Callable[[Image.Image], Float[Tensor, "c h w"]]
Interpolation: TypeAlias = Literal["bicubic", "bilinear", "nearest"]
WIDE, SQUARE = (512, 384), (384, 384)  # photos that it is measured with
TOLERANCE = 0.02  # mean difference on the [0, 1] scale; swapped colours make 0.3


def load(name: str, pretrained: bool) -> Classifier:
    """Make a classifier by its name on the hub, or from a folder."""
    transformers = need("transformers", "hf", f"the classifier 'hf:{name}'")
    with fetching(f"hf:{name}"):
        asked = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
        net = _net(transformers.AutoModelForImageClassification, name, pretrained)

    def process(photo: Image.Image) -> Tensor:
        return asked(images=photo, return_tensors="pt")["pixel_values"][0].float()

    names, ids = _classes(net.config.id2label)
    mean, std = scale_of(process)
    view = view_of(process, mean, std, name)
    return Classifier(net, mean=mean, std=std, names=names, ids=ids, view=view)


def scale_of(process: Process) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel that a preprocessing subtracts and divides by."""
    black = process(Image.new("RGB", SQUARE, "black")).mean((1, 2))
    white = process(Image.new("RGB", SQUARE, "white")).mean((1, 2))
    std = 1 / (white - black)
    return (-black * std).tolist(), std.tolist()


def view_of(process: Process, mean: list[float], std: list[float], name: str) -> View:
    """The view that gives what a preprocessing gives.

    Raises:
        ValueError: no view does.
    """

    def seen(photo: Image.Image) -> Tensor:
        return process(photo) * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]

    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize(SQUARE, Image.Resampling.BICUBIC)
    wanted = seen(photo)
    known = len(wanted) == 3 and wanted.shape[1] == wanted.shape[2]
    views = _views(seen(_ramp(WIDE)), seen(_ramp(SQUARE))) if known else []
    errors = [_apart(look(photo, view), wanted) for view in views]
    if not errors or min(errors) > TOLERANCE:
        raise ValueError(
            f"the image processor of hf:{name} does more than scale, crop and normalise (it gives "
            f"{tuple(wanted.shape)}, off by {min(errors, default=1.0):.2f}); wrap the network "
            "yourself: Classifier(net, mean=..., std=..., view=...)"
        )
    return views[errors.index(min(errors))]


def _views(wide: Float[Tensor, "3 s s"], square: Float[Tensor, "3 s s"]) -> list[View]:
    """Candidates by how much of the ramps is seen: squeezed, or scaled give or take a pixel."""
    side = square.shape[-1]
    scaled = round(side / max(_part(square), 0.01))
    near = [size for size in (scaled, scaled - 1, scaled + 1) if size >= side]
    sizes = [None] if _part(wide) > 0.99 else near
    return [View(side, size, way) for size in sizes for way in get_args(Interpolation)]


def _part(ramp: Float[Tensor, "3 s s"]) -> float:
    """Which part of a ramp from 0 to 1 is seen."""
    side = ramp.shape[-1]
    return float(np.polyfit(np.arange(side), ramp[0].mean(0).numpy(), 1)[0]) * side


def _ramp(size: tuple[int, int]) -> Image.Image:
    row = ((np.arange(size[0]) + 0.5) / size[0] * 255).round().astype(np.uint8)
    return Image.fromarray(np.broadcast_to(row[None, :, None], (size[1], size[0], 3)).copy())


def _apart(one: Float[Tensor, "3 s s"], two: Float[Tensor, "3 s s"]) -> float:
    shifts = [one.roll((y, x), (1, 2)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return min(float((shift - two)[:, 1:-1, 1:-1].abs().mean()) for shift in shifts)


def _net(auto: Any, name: str, pretrained: bool) -> Any:
    if not pretrained:
        config = need("transformers", "hf", name).AutoConfig.from_pretrained(name)
        return auto.from_config(config, trust_remote_code=False).eval()
    net, report = auto.from_pretrained(
        name, use_safetensors=True, trust_remote_code=False, output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(f"it holds no weights for {', '.join(missing[:3])}, so it cannot classify")
    return net.eval()


def _classes(named: dict[int, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = tuple(str(named[index]) for index in range(len(named)))
    made_up = names == tuple(f"LABEL_{index}" for index in range(len(names)))
    return ((), ()) if made_up else known_as(names)
