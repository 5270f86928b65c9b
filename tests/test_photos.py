import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from rather.data import photo
from rather.data.photos import Photos
from rather.view import View

RED, SIDE = (255, 0, 0), 12


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def textured(width: int = 48, height: int = 32, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def pixel(source: bytes, x: int = 0, y: int = 0) -> Any:
    read = photo.read(source)
    assert read.mode == "RGB"
    return read.getpixel((x, y))


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "seen"),
    [
        ("RGB", "PNG", RED, RED),
        ("RGBA", "PNG", (255, 0, 0, 255), RED),
        ("RGBA", "PNG", (0, 0, 0, 0), (255, 255, 255)),
        ("RGBA", "PNG", (0, 0, 0, 128), (127, 127, 127)),
        ("LA", "PNG", (0, 0), (255, 255, 255)),
        ("L", "PNG", 77, (77, 77, 77)),
        ("1", "PNG", 1, (255, 255, 255)),
        ("1", "PNG", 0, (0, 0, 0)),
        ("CMYK", "TIFF", (0, 255, 255, 0), RED),
        ("YCbCr", "TIFF", (76, 85, 255), (254, 0, 0)),
        ("I;16", "PNG", 32896, (128, 128, 128)),
        ("I;16", "PNG", 65535, (255, 255, 255)),
        ("I;16", "TIFF", 257, (1, 1, 1)),
        ("F", "TIFF", 0.5, (128, 128, 128)),
        ("F", "TIFF", 100.0, (100, 100, 100)),
        ("I", "TIFF", 200, (200, 200, 200)),
        ("I", "TIFF", 32896, (128, 128, 128)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, kind: str, colour: Any, seen: Any) -> None:
    assert pixel(saved(Image.new(mode, (3, 2), colour), kind)) == seen


def test_deep_values_that_fit_nowhere_are_stretched_with_holes_at_zero() -> None:
    values = np.array([[-5.0, 0.0, 5.0, np.nan]], dtype=np.float32)
    read = photo.read(saved(Image.fromarray(values), "TIFF"))
    assert np.asarray(read)[0, :, 0].tolist() == [0, 128, 255, 128]
    large = np.array([[100_000, 300_000]], dtype=np.int32)
    read = photo.read(saved(Image.fromarray(large), "TIFF"))
    assert np.asarray(read)[0, :, 0].tolist() == [0, 255]


def test_a_palette_is_looked_up_and_its_hole_shows_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    data = saved(image, "PNG", transparency=1)
    assert [pixel(data, 0), pixel(data, 1)] == [RED, (255, 255, 255)]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_seen(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert pixel(data) == RED


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_photos_stand_upright(orientation: int, kind: str) -> None:
    upright = Image.new("RGB", (32, 16), "blue")
    upright.paste(RED, (0, 0, 8, 8))  # the corner that must come out left and on top
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)  # the inverse, as stored
    stored = upright if turn is None else upright.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = photo.read(saved(stored, kind, exif=exif))
    assert read.size == (32, 16)
    red, _, blue = np.asarray(read)[2, 2].tolist()
    assert red > 200 > 100 > blue


def test_broken_exif_does_not_lose_the_photo() -> None:
    data = saved(Image.new("RGB", (8, 8), RED), "PNG", exif=b"Exif\x00\x00nonsense")
    assert pixel(data) == RED


BAD = {
    "empty": (b"", "0 bytes"),
    "text": (b"not an image at all", "no image that Pillow can read"),
    "truncated.png": (saved(textured(), "PNG")[:900], r"truncated|damaged"),
    "truncated.jpg": (saved(textured(), "JPEG")[:900], "truncated"),
    "truncated.gif": (saved(textured(), "GIF")[:900], "damaged"),
    "header only": (saved(textured(), "WEBP")[:20], "fetch it again|no image"),
    "enormous": (b"P6 60000 60000 255\n" + bytes(100), "more pixels than Pillow allows; shrink it"),
    "drawing.eps": (saved(textured(), "EPS"), "EPS is a program"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_and_bytes_say_what_is_wrong(name: str, tmp_path: Path) -> None:
    data, reason = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason) as error:
        photo.read(path)
    assert str(error.value).startswith(f"{path}: ")
    with pytest.raises(ValueError, match=f"(?s)^upload.*({reason})"):
        photo.read(data, name="upload")


def test_missing_files_and_folders_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere.png: there is no such file"):
        photo.read(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="it is a folder"):
        photo.read(tmp_path)
    with pytest.raises(ValueError, match="no regular file"):
        photo.read("/dev/null")


def test_the_limit_of_pixels_is_an_argument() -> None:
    data = saved(textured(40, 30), "PNG")
    assert photo.read(data, most=1200).size == (40, 30)
    with pytest.raises(ValueError, match="40 x 30 pixels, more than the limit of 1199; shrink"):
        photo.read(data, most=1199)


def only_value_errors(data: bytes) -> None:
    reason = "the image: "
    try:
        read = photo.read(data, most=10_000)
    except ValueError as error:
        reason = str(error)
    else:
        assert read.mode == "RGB"
    assert reason.startswith("the image: ")


HEADS = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF", b"II*\0", b"BM"]
HEADS += [b"MM\0*", b"P6 ", b"qoif", b"8BPS", b"\0\0\1\0", b"icns", b"DDS "]
WHOLE = [saved(textured(9, 7), kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")]
WHOLE += [saved(textured(9, 7), kind) for kind in ("ICO", "PPM", "TGA", "PCX", "JPEG2000", "SGI")]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(HEADS), st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(head: bytes, rest: bytes) -> None:
    only_value_errors(head + rest)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(WHOLE), st.floats(0, 1), st.binary(min_size=1, max_size=6), st.booleans())
def test_damaged_files_never_raise_anything_else(
    whole: bytes, place: float, change: bytes, cut: bool
) -> None:
    start = int(place * len(whole))
    only_value_errors(whole[:start] + change + (b"" if cut else whole[start + len(change) :]))


@pytest.mark.parametrize("kind", [MemoryError, struct.error, SyntaxError, OSError, IndexError])
def test_whatever_a_plugin_raises_becomes_a_value_error(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise kind("inside")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ValueError, match=r"the image: .*inside; it is damaged"):
        photo.read(b"something")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(5, 90),
    st.integers(5, 90),
    st.integers(1, 30),
    st.integers(0, 15),
    st.sampled_from(["bicubic", "bilinear", "nearest"]),
)
def test_photos_are_scaled_as_torchvision_does(
    width: int, height: int, crop: int, more: int, way: Any
) -> None:
    source = textured(width, height)
    steps = [
        transforms.Resize(crop + more, InterpolationMode(way)),
        transforms.CenterCrop(crop),
        transforms.ToTensor(),
    ]
    wanted: Any = transforms.Compose(steps)(source)
    assert torch.equal(photo.look(source, View(crop, crop + more, way)), wanted)


def test_a_view_without_resize_squeezes_the_whole_photo() -> None:
    source = textured(60, 20)
    wanted = transforms.ToTensor()(source.resize((7, 7), Image.Resampling.BICUBIC))
    assert torch.equal(photo.look(source, View(7, None)), wanted)
    assert photo.window((60, 20), View(7, None)) == (0, 0, 60, 20)


def test_the_window_is_what_is_looked_at() -> None:
    source = Image.new("RGB", (120, 80))
    view = View(40, 50, "bilinear")
    left, top, right, bottom = photo.window(source.size, view)
    source.paste("white", (round(left), round(top), round(right), round(bottom)))
    assert photo.look(source, view).mean() > 0.98
    assert (right - left, bottom - top) == pytest.approx((64, 64))


def test_a_ribbon_is_refused_before_it_fills_the_memory() -> None:
    ribbon = Image.new("L", (1, 5000)).convert("RGB")
    with pytest.raises(ValueError, match=r"scale to 256 x 1280000, more than .* View\(resize=None"):
        photo.look(ribbon, View())


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png", "deep/a.png", "deep/c.jpg", ".hidden.png", ".git/d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        textured(seed=len(name)).save(path)
    (tmp_path / "bad.png").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path


def test_a_folder_is_read_in_order_and_nothing_stops_the_rest(album: Path) -> None:
    photos = Photos([album], View(SIDE, SIDE), batch=3)
    batches = list(photos)
    assert [batch.names for batch in batches] == [("a.png", "b", "deep__a.png"), ("c",)]
    assert batches[0].images.shape == (3, 3, SIDE, SIDE)
    assert batches[0].labels.tolist() == [-1, -1, -1]
    wanted = photo.look(photo.read(album / "b.png"), View(SIDE, SIDE))
    assert torch.equal(batches[0].images[1], wanted)


def test_what_is_left_out_is_named_with_the_reason(album: Path) -> None:
    photos = Photos([album, album / "gone.png"], View(SIDE, SIDE))
    for _ in range(2):  # and not twice
        list(photos)
        reasons = {Path(path).name: reason for path, reason in photos.failed}
        assert len(photos.failed) == 5
        assert reasons["bad.png"].startswith("it is no image")
        assert reasons["gone.png"].startswith("there is no such file")
        assert reasons[".hidden.png"].startswith("hidden")
        assert reasons[".git"].startswith("hidden")
        assert reasons["notes.txt"].startswith("no image by its name (.txt)")


def test_a_file_that_is_given_is_tried_whatever_its_name(album: Path) -> None:
    odd = album / "odd.txt"
    odd.write_bytes(saved(textured(), "PNG"))
    photos = Photos([odd, album / ".hidden.png", odd], View(SIDE, SIDE))
    assert [batch.names for batch in photos] == [("odd", ".hidden")]
    assert photos.failed == []


def test_names_are_unique_and_can_stand_in_file_names(tmp_path: Path) -> None:
    for name in ("x/A.png", "y/a.png", "y/a.jpg", "z/y/a.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        textured().save(path)
    names = list(Photos([tmp_path, tmp_path / "z"], View(SIDE, SIDE)).files().values())
    assert names == ["x__A.png", "y__a.jpg", "y__a.png", "z__y__a.jpg"]
    files = [tmp_path / "x/A.png", tmp_path / "y/a.png"]
    assert list(Photos(files, View(SIDE, SIDE)).files().values()) == ["A.png", "a.png-2"]


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="batch=0 holds no photo"):
        Photos([], View(), batch=0)
