"""`DiffusersInpaint`: any in-painting pipeline of the diffusers package as an in-fill.

Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models,
arXiv:2112.10752, and whatever the pipeline was made from. Differs from the usual call: hidden
pixels are overwritten before the encoder sees them, the strength is 1, the hole given to the model
is one latent cell wider, and the noise is the same for all images of a batch.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.infillers.lama import padded
from rather.networks.pyramid import pull_push
from rather.optional import need
from rather.types import Images, Keep


@dataclass(frozen=True, repr=False)
class DiffusersInpaint:
    """Runs a foreign diffusion model; most are made for 512 px and more.

    Args:
        pipeline: a folder, a name whose files were downloaded before, or a pipeline object, which
            must stand on the images' device.
        prompt: what the model is told is in the image; naming the target would redraw it.
        steps: denoising steps; cost is linear in it.
        guidance: how strictly the prompt is obeyed; above 1 doubles the cost.
        batch: images at once; memory is linear in it.
        multiple: the model wants sides that are multiples of this, 64 for some.
    """

    pipeline: str | Callable[..., Any]
    prompt: str = ""
    steps: int = 30
    guidance: float = 1.0
    batch: int = 1
    multiple: int = 8

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def __repr__(self) -> str:
        rest = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self)[1:])
        return f"DiffusersInpaint(pipeline={_called(self.pipeline)}, {rest})"

    @torch.no_grad()
    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        if isinstance(self.pipeline, str):
            pipeline = _loaded(self.pipeline, str(images.device))
        else:
            pipeline = self.pipeline
        cell = getattr(pipeline, "vae_scale_factor", 8)
        hole = (keep < 0.5).to(images)
        clean = padded(pull_push(images, keep), math.lcm(self.multiple, cell))
        wide = grown(padded(hole, math.lcm(self.multiple, cell)), cell)
        seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
        parts = zip(clean.split(self.batch), wide.split(self.batch), strict=True)
        made = [self._run(pipeline, *part, seed) for part in parts]
        return torch.cat(made)[..., : images.shape[2], : images.shape[3]].to(images)

    def _run(self, pipeline: Callable[..., Any], images: Images, hole: Keep, seed: int) -> Images:
        device = images.device
        wanted = {
            "prompt": [self.prompt] * len(images),
            "image": images,
            "mask_image": hole,
            "height": images.shape[2],
            "width": images.shape[3],
            "strength": 1.0,
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance,
            "generator": [torch.Generator(device).manual_seed(seed) for _ in images],
            "output_type": "pt",
        }
        answer = pipeline(**accepted(pipeline, wanted))
        return _checked(answer, images, _called(self.pipeline))


def grown(hole: Keep, cell: int) -> Keep:
    """Widen a hole by one latent cell to all sides."""
    return F.max_pool2d(hole, 2 * cell + 1, stride=1, padding=cell)


def accepted(pipeline: Callable[..., Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a pipeline knows; dedicated in-painters, for one, know no strength."""
    known = inspect.signature(pipeline).parameters.values()
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known):
        return wanted
    names = {one.name for one in known}
    return {name: value for name, value in wanted.items() if name in names}


def _checked(answer: Any, images: Images, name: str) -> Images:
    made = getattr(answer, "images", answer)
    if not isinstance(made, Tensor) or made.shape != images.shape:
        found = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
        raise ValueError(
            f"{name} answered {found} to images {tuple(images.shape)}; try multiple=64, or images "
            "of the size it was made for"
        )
    flagged = any(getattr(answer, "nsfw_content_detected", None) or ())
    if flagged or (made.flatten(1).amax(1) <= 0).any():
        raise ValueError(
            f"{name} answered a black image, as safety filters do; load the pipeline with "
            "safety_checker=None, or leave this photo out"
        )
    return made.float().clamp(0, 1)


@lru_cache(2)
def _loaded(name: str, device: str) -> Callable[..., Any]:
    auto = need("diffusers", "diffusers", "DiffusersInpaint").AutoPipelineForInpainting
    try:
        pipeline = auto.from_pretrained(name, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no in-painting pipeline with safetensors weights at {name!r}; nothing is downloaded "
            f"without being asked: `huggingface-cli download {name}`, or give a folder. {error}"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _called(pipeline: str | Callable[..., Any]) -> str:
    if isinstance(pipeline, str):
        return repr(pipeline)
    kind = pipeline.__name__ if inspect.isfunction(pipeline) else type(pipeline).__name__
    return f"<{kind} {getattr(pipeline, 'name_or_path', '')}".rstrip() + ">"
