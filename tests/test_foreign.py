"""Foreign in-painters: a scripted stand-in for LaMa, and a real diffusers pipeline, tiny."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from rather import fill
from rather.infillers.lama import TorchScriptLama, padded
from rather.infillers.pipelines import DiffusersInpaint, accepted, grown


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def box(images: torch.Tensor) -> torch.Tensor:
    keep = torch.ones_like(images[:, :1])
    keep[..., 3:9, 4:12] = 0
    return keep


class Lama(torch.nn.Module):
    """Mean of the shown pixels; answers the composite, and insists on sides of 8."""

    def forward(self, image: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        if image.shape[2] % 8 != 0 or image.shape[3] % 8 != 0:
            raise RuntimeError("sides")
        shown = (1 - hole).sum((2, 3), keepdim=True).clamp(min=1)
        mean = (image * (1 - hole)).sum((2, 3), keepdim=True) / shown
        return image * (1 - hole) + mean * hole


class Bytes(torch.nn.Module):
    def forward(self, image: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        return image * 0 + 200.0


class Small(torch.nn.Module):
    def forward(self, image: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        return image[:, :, ::2, ::2]


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[torch.nn.Module], str]:
    folder = tmp_path_factory.mktemp("scripts")

    def save(module: torch.nn.Module) -> str:
        path = folder / f"{type(module).__name__}.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.script(module), path)
        return str(path)

    return save


Save = Callable[[torch.nn.Module], str]


@pytest.mark.parametrize("size", [(16, 16), (13, 21)])
def test_lama_fills_any_size(scripted: Save, size: tuple[int, int]) -> None:
    images = torch.rand(3, 3, *size)
    keep = box(images)
    infiller = TorchScriptLama(scripted(Lama()), batch=2)
    assert torch.equal(infiller(images, keep, seeded()) * keep, images * keep)
    filled = fill(infiller, images, keep, seeded())
    mirrored, hole = padded(images, 8), 1 - padded(keep, 8)
    mean = (mirrored * (1 - hole)).sum((2, 3)) / (1 - hole).sum((2, 3))
    torch.testing.assert_close(filled[..., 5, 6], mean)


def test_lama_never_sees_hidden_pixels(scripted: Save) -> None:
    images, infiller = torch.rand(2, 3, 13, 13), TorchScriptLama(scripted(Lama()))
    keep = box(images)
    other = torch.where(keep > 0, images, torch.rand(2, 3, 13, 13))
    assert torch.equal(
        fill(infiller, other, keep, seeded()),
        fill(infiller, images, keep, seeded()) * (1 - keep) + other * keep,
    )


def test_padding_mirrors_and_repeats_where_it_cannot() -> None:
    row = torch.arange(6.0).view(1, 1, 1, 6)
    assert padded(row, 8)[0, 0].tolist() == [[0, 1, 2, 3, 4, 5, 5, 5]] * 8
    square = torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 6, 6)
    assert padded(square, 8)[0, 0, 7].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]


@pytest.mark.parametrize(
    ("module", "message"), [(Bytes(), "0 to 255 are not supported"), (Small(), "of the same shape")]
)
def test_lama_answers_are_checked(scripted: Save, module: torch.nn.Module, message: str) -> None:
    images = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match=message):
        fill(TorchScriptLama(scripted(module)), images, box(images), seeded())


def test_lama_names_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    images = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match=r"no TorchScript file at .*nowhere\.pt"):
        fill(TorchScriptLama(str(tmp_path / "nowhere.pt")), images, box(images), seeded())
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ValueError, match="cannot be read as TorchScript"):
        fill(TorchScriptLama(str(tmp_path / "text.pt")), images, box(images), seeded())


@dataclass
class Answer:
    images: Any
    nsfw_content_detected: list[bool] | None = None


class Echo:
    """A pipeline that paints what it was shown, and notes what it was told."""

    vae_scale_factor = 4

    def __init__(self, answer: Callable[[torch.Tensor], Any] = Answer) -> None:
        self.answer, self.told = answer, []

    def __call__(
        self,
        prompt: list[str],
        image: torch.Tensor,
        mask_image: torch.Tensor,
        strength: float,
        generator: list[torch.Generator],
        output_type: str,
    ) -> Any:
        self.told.append((prompt, image, mask_image, strength, output_type))
        noise = [torch.rand(image.shape[1:], generator=one) for one in generator]
        return self.answer(0.9 * image + 0.1 * torch.stack(noise))


def test_pipelines_get_a_wider_hole_and_no_hidden_pixel() -> None:
    pipeline, images = Echo(), torch.rand(1, 3, 16, 20)
    keep = box(images)
    infiller = DiffusersInpaint(pipeline, prompt="a bench", multiple=8)
    infiller(images.where(keep > 0, torch.nan), keep, seeded())
    prompt, image, hole, strength, kind = pipeline.told[0]
    assert (prompt, strength, kind) == (["a bench"], 1.0, "pt")
    assert image.shape == (1, 3, 16, 24)
    assert image.isfinite().all()
    assert torch.equal(image[..., :20] * keep, images * keep)
    assert torch.equal(hole, grown(1 - padded(keep, 8), 4))
    assert hole[0, 0, :13, :16].all()
    assert not hole[..., 13:, :].any()


def test_pipelines_draw_alike_for_all_images_and_anew_in_every_call() -> None:
    infiller, images = DiffusersInpaint(Echo(), batch=2), torch.rand(3, 3, 16, 16)
    keep, generator = box(images), seeded()
    first, second = (infiller(images, keep, generator) for _ in range(2))
    assert not torch.equal(first, second)
    torch.testing.assert_close(infiller(images[2:], keep[2:], seeded()), first[2:])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: Answer(x, [True]), "black image"),
        (lambda x: Answer(0 * x), "black image"),
        (lambda x: Answer(x[..., :8]), r"answered \(1, 3, 16, 8\)"),
        (lambda x: Answer(["picture"]), "answered list"),
    ],
)
def test_pipeline_answers_are_checked(answer: Callable[[torch.Tensor], Any], message: str) -> None:
    images = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match=message):
        DiffusersInpaint(Echo(answer))(images, box(images), seeded())


def test_a_pipeline_is_told_only_what_it_knows() -> None:
    wanted = {"prompt": 1, "strength": 2}
    assert accepted(lambda prompt: None, wanted) == {"prompt": 1}
    assert accepted(lambda prompt, **rest: None, wanted) == wanted


def test_pipelines_have_a_short_repr() -> None:
    ours = "prompt='', steps=30, guidance=1.0, batch=1, multiple=8)"
    assert repr(DiffusersInpaint("folder")) == f"DiffusersInpaint(pipeline='folder', {ours}"
    assert repr(DiffusersInpaint(Echo())) == f"DiffusersInpaint(pipeline=<Echo>, {ours}"


def test_importing_adapters_loads_no_foreign_package() -> None:
    code = (
        "import sys, rather.infillers.pipelines, rather.infillers.lama\n"
        "assert not {'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def tiny_pipeline() -> Any:
    """Stable Diffusion in-painting with 9 input channels and random weights, 30 thousand or so."""
    diffusers = pytest.importorskip("diffusers")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        in_channels=9,
        out_channels=4,
        norm_num_groups=4,
        cross_attention_dim=8,
        attention_head_dim=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    config = transformers.CLIPTextConfig(
        hidden_size=8,
        intermediate_size=8,
        num_attention_heads=2,
        num_hidden_layers=1,
        vocab_size=8,
        max_position_embeddings=8,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return diffusers.StableDiffusionInpaintPipeline(
        vae=vae,
        text_encoder=transformers.CLIPTextModel(config),
        tokenizer=tokenizer(transformers),
        unet=unet,
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def tokenizer(transformers: Any) -> Any:
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2, "b</w>": 3}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=8)


@pytest.mark.filterwarnings("ignore")
def test_a_real_pipeline_from_a_folder(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(tmp_path, safe_serialization=True)
    images = torch.rand(2, 3, 21, 18)
    keep = box(images)
    loaded = DiffusersInpaint(str(tmp_path), steps=2)
    filled = fill(loaded, images, keep, seeded())
    assert torch.equal(filled * keep, images * keep)
    assert not torch.equal(filled, images)
    handed = DiffusersInpaint(pipeline, steps=2, batch=2)
    torch.testing.assert_close(fill(handed, images, keep, seeded()), filled, rtol=0, atol=1e-4)
    other = torch.where(keep > 0, images, torch.rand(2, 3, 21, 18))
    hidden = fill(loaded, other, keep, seeded())
    assert torch.equal(hidden, filled)


@pytest.mark.filterwarnings("ignore")
def test_nothing_is_downloaded(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    images = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match="nothing is downloaded without being asked"):
        fill(DiffusersInpaint(str(tmp_path / "none")), images, box(images), seeded())
