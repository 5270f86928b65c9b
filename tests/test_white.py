"""Which value of deep greyscale is white: said once for all photos, or doubted where it shows."""

import json
import re
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from test_cli import toy
from torch import nn

from rather import Classifier
from rather.catalogue import METHODS
from rather.cli import main
from rather.commands import asking
from rather.data import photo
from rather.data.photos import Photos
from rather.editors import ClassMean, NearestSample
from rather.infillers import Donor, DonorFolder, FoilDonor, MarginalDonor, NearestDonor
from rather.infillers.bank import opened
from rather.models import load
from rather.spec import build
from rather.view import View

SIDE = 64
RAMP = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
VIEW = View(SIDE, SIDE)


def dim() -> Classifier:
    classifier = toy()
    classifier.view = View(16, 16, white=4095)
    return classifier


def deep(values: np.ndarray, kind: str = "TIFF") -> bytes:
    stream = BytesIO()
    Image.fromarray(values).save(stream, kind)
    return stream.getvalue()


def twelve() -> np.ndarray:
    return (RAMP * 4095).round().astype(np.uint16)


def with_one(values: np.ndarray, outlier: float) -> np.ndarray:
    values = values.copy()
    values[0, 0] = outlier
    return values


def grey(source: bytes, white: float | None = None) -> np.ndarray:
    return np.asarray(photo.read(source, white=white))[..., 0]


@pytest.mark.parametrize(
    ("values", "outlier", "white"),
    [
        (RAMP * 0.99, 1.02, 1.0),
        ((RAMP * 255).astype(np.int32), 256, 255.0),
        (twelve(), 65535, 4095.0),
        (RAMP - 0.01, 90.0, 1.0),
    ],
    ids=["float", "int32", "uint16", "stretched"],
)
def test_one_value_changes_no_other_where_white_is_said(
    values: np.ndarray, outlier: float, white: float
) -> None:
    alone, beside = grey(deep(values), white), grey(deep(with_one(values, outlier)), white)
    assert (alone != beside).sum() == 1
    assert beside[0, 0] == 255
    assert alone.max() > 250
    assert len(np.unique(alone)) > 240


def test_larger_values_are_clipped_and_smaller_ones_are_black() -> None:
    values = np.array([[-5.0, 0.0, 50.0, 100.0, 200.0, np.nan]], dtype=np.float32)
    assert grey(deep(values), 100)[0].tolist() == [0, 0, 128, 255, 255, 0]


def test_photos_of_8_bits_have_their_white() -> None:
    colours = (RAMP * 255).astype(np.uint8)[..., None].repeat(3, 2)
    for values in (colours, colours[..., 0]):
        source = deep(values, "PNG")
        assert photo.read(source, white=10).tobytes() == photo.read(source).tobytes()
        assert photo.doubted(source)[1] == ""


@pytest.mark.parametrize(
    ("values", "largest", "usual", "white"),
    [
        (twelve(), "4095", "409", "65535"),
        (with_one(twelve(), 65535), "65535", "409", "65535"),
        (with_one(RAMP * 0.99, 1.02), "1.02", "0.98", "255"),
        (with_one(RAMP * 0.99, 90.0), "90", "0.98", "255"),
        (with_one((RAMP * 255).astype(np.int32), 256), "256", "25", "65535"),
        (with_one(RAMP - 0.01, 90.0), "90", "0.98", "90"),
    ],
)
def test_what_comes_out_nearly_black_is_doubted(
    values: np.ndarray, largest: str, usual: str, white: str
) -> None:
    doubt = photo.doubted(deep(values))[1]
    assert doubt.startswith(f"it comes out nearly black: its largest value is {largest}, 999 of")
    assert f"at most {usual}" in doubt
    assert f"{white} is shown white" in doubt
    assert doubt.endswith("with --white or white=")
    assert photo.doubted(deep(values), white=float(values.max()))[1] == ""


@pytest.mark.parametrize(
    "values",
    [
        RAMP,
        RAMP * 255,
        (RAMP * 65535).astype(np.uint16),
        (RAMP * 9000).astype(np.uint16),
        RAMP * 0,
        RAMP * 0 - 7,
        RAMP * 300_000 - 9,
    ],
)
def test_usual_photos_and_black_ones_are_not_doubted(values: np.ndarray) -> None:
    assert photo.doubted(deep(values))[1] == ""


@pytest.mark.parametrize("white", [0.0, -1.0, float("inf"), float("nan")])
def test_a_white_that_cannot_be_is_refused(white: float) -> None:
    message = f"white is {white}, but must be above 0"
    with pytest.raises(ValueError, match=message):
        View(white=white)
    with pytest.raises(ValueError, match=message):
        photo.read(b"", white=white)


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of 12 bits in files of 16, the second half as bright as the first."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cells"
    folder.mkdir()
    for name, values in (("a", twelve()), ("b", twelve() // 2), ("c", twelve())):
        (folder / f"{name}.tif").write_bytes(deep(values))
    return folder


def test_photos_are_read_as_the_view_says_and_doubted_where_it_does_not(cells: Path) -> None:
    photos = Photos([cells], View(SIDE, SIDE, white=4095), batch=3)
    (batch,) = photos
    assert batch.images.amax((1, 2, 3)).tolist() == pytest.approx([1, 0.5, 1], abs=0.01)
    assert (photos.failed, photos.doubtful) == ([], [])
    photos = Photos([cells], VIEW)
    for _ in range(2):  # and not twice
        list(photos)
        assert [Path(path).name for path, _ in photos.doubtful] == ["a.tif", "b.tif", "c.tif"]
        assert photos.doubtful[0][1].startswith("it comes out nearly black")


COMMANDS = {
    "classify": ("--json",),
    "explain": ("--by", "Occlusion(size=8, stride=8)", "--json"),
    "edit": ("--to", "dog", "--editor", "PixelAscent(steps=1)", "--json"),
}


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any, str]:
    code = main([*map(str, words), "--device", "cpu"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_warns_once_and_not_where_white_is_said(
    command: str, cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (command, cells, *COMMANDS[command])
    code, _, wrong = said(capsys, *words, "--classifier", "test_cli:toy")
    assert (code, wrong.count("\n")) == (0, 1)
    assert wrong.startswith(f"rather: {cells / 'a.tif'}: it comes out nearly black: its largest")
    assert wrong.endswith("with --white or white=; so do 2 more\n")
    for more in (
        ("--classifier", "test_cli:toy", "--white", 4095),
        ("--classifier", f"{HERE}:dim"),
    ):
        code, _, wrong = said(capsys, *words, *more, *FORCE.get(command, ()))
        assert (code, wrong) == (0, "")


HERE = "test_white"
FORCE = {"explain": ("--force",), "edit": ("--force",)}


def test_white_on_the_command_line_changes_what_is_seen_and_what_a_result_depends_on(
    cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("classify", cells / "a.tif", "--json", "--classifier", "test_cli:toy")
    dark, bright = (said(capsys, *line, *more)[1] for more in ((), ("--white", 4095)))
    assert dark["images"] != bright["images"]
    plain, white = (asking.classifier("test_cli:toy", "cpu", white=way) for way in (None, 4095.0))
    assert (plain.view.white, white.view.white) == (None, 4095.0)
    assert asking.identity(plain) != asking.identity(white)
    assert asking.classifier(f"{HERE}:dim", "cpu", size=8).view == View(8, 8, white=4095)
    code, _, wrong = said(capsys, *line, "--white", 0)
    assert (code, "white is 0.0, but must be above 0" in wrong) == (1, True)


def test_fill_knows_white(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("fill", cells / "a.tif", "--infiller", "Constant", "--hole", "0,0,8,8", "--size", SIDE)
    code, _, wrong = said(capsys, *line, "--json")
    assert (code, wrong.count("\n")) == (0, 1)
    assert re.search(r"a.tif: it comes out nearly black: its largest value is 4095", wrong)
    code, _, wrong = said(capsys, *line, "--white", 4095, "--force", "--json")
    assert (code, wrong) == (0, "")
    with Image.open("fill.png") as found:
        assert np.asarray(found).max() > 250


def test_a_sidecar_can_say_white(tmp_path: Path) -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
        torch.jit.save(torch.jit.trace(net, torch.rand(2, 3, 8, 8)), tmp_path / "net.pt")
    settings = {"view": {"crop": 8, "resize": 8, "white": 4095}}
    (tmp_path / "net.json").write_text(json.dumps(settings))
    assert load(str(tmp_path / "net.pt"), device=torch.device("cpu")).view.white == 4095
    settings["view"]["white"] = 0
    (tmp_path / "net.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r"net.json cannot be read: white is 0, but must be above"):
        load(str(tmp_path / "net.pt"), device=torch.device("cpu"))


DONORS = (Donor, NearestDonor, MarginalDonor, FoilDonor, NearestSample, ClassMean)


@pytest.mark.parametrize("kind", DONORS)
def test_donors_are_as_bright_as_it_is_said(kind: Any, cells: Path) -> None:
    method = kind(DonorFolder("cells", white=4095), count=3)
    assert build(repr(method), METHODS) == method
    bank = opened(method.bank, method.count, SIDE, SIDE)
    looked = torch.cat([one.images for one in Photos([cells], View(SIDE, SIDE, white=4095))])
    assert torch.equal(bank.at(torch.arange(3), looked), looked)


def test_donors_that_come_out_black_are_doubted_once(cells: Path) -> None:
    said = r"cells/a\.tif: it comes out .* \(3 of 3 donors; DonorFolder\('cells', white="
    with pytest.warns(UserWarning, match=said):
        opened("cells", 3, SIDE, SIDE)
    opened("cells", 3, SIDE, SIDE)
    with pytest.raises(ValueError, match="white is -1, but must be above 0"):
        DonorFolder("cells", -1)


def stack(*pages: np.ndarray) -> bytes:
    stream = BytesIO()
    first, *rest = map(Image.fromarray, pages)
    first.save(stream, "TIFF", save_all=True, append_images=rest)
    return stream.getvalue()


def test_pages_that_are_not_seen_are_doubted() -> None:
    bright = (RAMP * 65535).astype(np.uint16)
    seen, doubt = photo.doubted(stack(bright, bright // 2, bright // 4))
    assert doubt.startswith("it holds 3 pages as large as the first, which alone is seen; save")
    assert seen.tobytes() == photo.read(deep(bright)).tobytes()
    both = photo.doubted(stack(twelve(), twelve()))[1]
    assert re.search(r"2 pages .* RGB image; and it comes out nearly black", both)
    assert photo.doubted(stack(bright, bright[::2, ::2]))[1] == ""  # a smaller copy
    assert photo.doubted(stack(bright))[1] == ""
    cut = stack(bright, bright)[:-200]  # the second page is not whole
    assert photo.read(cut).size == (SIDE, SIDE)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(values: np.ndarray) -> bytes:
    """RGB of 16 bits, which Pillow reads but does not write."""
    height, width, _ = values.shape
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff16(values: np.ndarray) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, values, photometric="rgb")
    return stream.getvalue()


@pytest.mark.parametrize("made", [png16, tiff16])
def test_colours_of_which_the_lower_bits_are_lost_are_doubted(made: Any) -> None:
    colours = (RAMP[..., None] * np.array([4095, 3000, 2000])).astype(np.uint16)
    seen, doubt = photo.doubted(made(colours), white=4095)
    assert np.asarray(seen).max() == 15
    assert re.search(r"nearly black: its colours have 16 bits, .* at most 15 of 255; scale", doubt)
    whole, doubt = photo.doubted(made(colours * 16))
    assert (np.asarray(whole).max(), doubt) == (255, "")
    assert photo.doubted(made(colours * 0))[1] == ""
