"""Labelled pictures: balanced, resumable, from folders, zips and arrays."""

import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rather import Batch, progress
from rather.data.folder import Crop
from rather.data.labelled import Arrays, ClassFolders
from rather.data.squares import squares
from rather.fitting import (
    ClassifierRecipe,
    GanmexRecipe,
    MaskRecipe,
    Pictures,
    Plan,
    VaeRecipe,
    fit,
    found,
)
from rather.fitting.labels import agreed
from rather.models import load

FLAT = Crop(size=8, zoom=1.0, rare_zoom=1.0, flip=False)
COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of unequal size, in train and val, and a class that is not asked for."""
    root = tmp_path_factory.mktemp("classes")
    for part, counts in (("train", (3, 6, 9)), ("val", (2, 2, 2))):
        for (name, colour), count in zip(COLOURS.items(), counts, strict=True):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                shade = tuple(value * (200 + i) // 255 for value in colour)
                Image.new("RGB", (10, 8), shade).save(root / part / name / f"{i}.png")
    return root


def test_batches_are_balanced_and_labelled_by_folder(folder: Path) -> None:
    source = ClassFolders((str(folder),), held="val")
    assert source.known == ("blue", "green", "red")
    assert (len(source.names()), len(source.names(True))) == (18, 6)
    batch = source.batch(12, FLAT, 0, 5)
    assert Counter(batch.labels.tolist()) == {0: 4, 1: 4, 2: 4}
    strongest = batch.images.mean((2, 3)).argmax(1)
    assert torch.equal(strongest, 2 - batch.labels)


def test_every_picture_of_a_class_comes_before_any_comes_again(folder: Path) -> None:
    source = ClassFolders((str(folder),), held="val")
    shades = [
        image.mean((1, 2)).max().item()
        for step in range(9)
        for image, label in zip(*pair(source.batch(3, FLAT, 1, step)), strict=True)
        if label == 2
    ]
    assert len(set(shades)) == 9


def pair(batch: Batch) -> tuple[torch.Tensor, list[int]]:
    return batch.images, batch.labels.tolist()


def test_parts_of_a_step_make_the_step_and_classes_can_be_chosen(folder: Path) -> None:
    source = ClassFolders((str(folder),), ("red", "blue"), "val")
    whole = source.batch(6, FLAT, 0, 2)
    parts = [source.batch(6, FLAT, 0, 2, slice(i, None, 2)) for i in range(2)]
    assert torch.equal(torch.stack([x.images for x in parts], 1).flatten(0, 1), whole.images)
    assert whole.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert whole.images[0].mean((1, 2)).argmax() == 0
    held = source.held_out(3, FLAT)
    assert held.labels.tolist() == [0, 1, 0]
    assert all(name.startswith("val/") for name in held.names)


def test_a_zip_gives_the_same_as_its_folder(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "classes.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, file.relative_to(folder))
    one, two = (ClassFolders((str(root),), held="val") for root in (folder, packed))
    assert torch.equal(one.batch(5, FLAT, 0, 0).images, two.batch(5, FLAT, 0, 0).images)
    assert torch.equal(one.held_out(9, FLAT).images, two.held_out(9, FLAT).images)


def test_a_class_without_pictures_is_named(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"no pictures of class 'cyan' in .* blue, green, red"):
        ClassFolders((str(folder),), ("red", "cyan")).batch(2, FLAT, 0, 0)


def arrays(held: float = 0.3) -> Arrays:
    labels = torch.arange(40) % 2
    images = (labels * 150 + torch.arange(40)).to(torch.uint8)[:, None, None, None]
    return Arrays(images.repeat(1, 1, 8, 8), labels, held)


def test_arrays_hold_a_part_out_and_draw_the_rest() -> None:
    source = arrays()
    held, usual = set(source.names(True)), set(source.names())
    assert held
    assert not held & usual
    assert len(held | usual) == 40
    batch = source.batch(6, FLAT, 0, 0)
    assert batch.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert torch.equal((batch.images.mean((1, 2, 3)) > 0.5).long(), batch.labels)
    seen = {round(float(x) * 255) % 150 for x in batch.images.mean((1, 2, 3))}
    assert not {str(place) for place in seen} & held
    assert source.held_out(4, FLAT).labels.tolist() == [0, 1, 0, 1]
    assert repr(source) == repr(arrays())
    assert repr(source) != repr(arrays(0.1))


def test_arrays_are_read_from_npz_and_made_of_batches(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (6, 5, 5), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=np.arange(6, dtype=np.uint8) % 2)
    read = Arrays.from_npz(tmp_path / "digits.npz")
    whole = read.all()
    assert whole.images.shape == (6, 3, 5, 5)
    torch.testing.assert_close(whole.images[:, 0], torch.from_numpy(x).float() / 255)
    assert torch.equal(Arrays.of(whole).images[:, :1], read.images)
    with pytest.raises(ValueError, match="no image of class 1"):
        Arrays(read.images, read.labels * 2).batch(2, FLAT, 0, 0)


@pytest.mark.parametrize("net", ["strided", "vgg"])
def test_a_classifier_learns_resumes_and_loads_by_its_file(
    net: str, folder: Path, tmp_path: Path
) -> None:
    shrink = (3, 3) if net == "strided" else (2, 2)
    recipe = ClassifierRecipe(
        tuple(COLOURS), net, 8, channels=3, widths=(8, 8), shrink=shrink, hidden=16, rate=1e-2
    )
    plan = Plan(30, 6, warmup=3, clip=5.0, held=6, average=0.8, validate_every=15, save_seconds=0.0)
    source = ClassFolders((str(folder),), held="val")
    unbroken = fit(recipe, source, tmp_path / "one.safetensors", plan, FLAT, "cpu")

    def dies(label: str, done: int, total: int | None) -> None:
        if done == 7:
            raise KeyboardInterrupt

    again = tmp_path / "two.safetensors"
    with pytest.raises(KeyboardInterrupt), progress.listening(dies):
        fit(recipe, source, again, plan, FLAT, "cpu")
    fit(recipe, source, again, plan, FLAT, "cpu")
    classifier, twin = load(str(unbroken)), load(str(again))
    assert classifier.names == ("blue", "green", "red")
    assert classifier.view.crop == 8
    held = source.held_out(6, FLAT)
    with torch.no_grad():
        answers = classifier(held.images)
        assert torch.equal(answers, twin(held.images))
        alone = torch.cat([classifier(held.images[i : i + 1]) for i in range(6)])
    assert torch.equal(answers.argmax(1), held.labels)
    torch.testing.assert_close(alone, answers)


def test_a_recipe_says_whether_it_learns_from_labels(folder: Path) -> None:
    assert isinstance(found(ClassifierRecipe(("a", "b")), folder), ClassFolders)
    assert isinstance(found(VaeRecipe(), folder), Pictures)


@pytest.mark.parametrize("names", [("red", "blue", "green"), ("green", "red", "blue"), ()])
def test_names_in_any_order_stand_for_the_folders_of_those_names(
    names: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    recipe = ClassifierRecipe(names, "vgg", 8, 3, (8, 8), shrink=(2, 2), hidden=16, rate=1e-2)
    plan = Plan(steps=25, batch=6, warmup=3, clip=5.0, average=0.8, held=3, validate_every=25)
    classifier = load(str(fit(recipe, folder, tmp_path / "net.safetensors", plan, FLAT, "cpu")))
    assert classifier.names == (names or tuple(COLOURS))
    images = torch.tensor(list(COLOURS.values()))[:, :, None, None].expand(-1, -1, 8, 8) / 255
    with torch.no_grad():
        answers = classifier(images).argmax(1).tolist()
    assert [classifier.names[label] for label in answers] == list(COLOURS)


def test_names_that_are_not_those_of_the_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    for names in (("red", "blue"), ("red", "blue", "cyan"), ("red", "blue", "green", "green")):
        with pytest.raises(
            ValueError, match=rf"names are {', '.join(names)}, but .*blue, green, r"
        ):
            fit(ClassifierRecipe(names), folder, tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


def test_folders_that_were_chosen_may_have_other_names_than_their_classes(folder: Path) -> None:
    chosen = ClassFolders((str(folder),), ("red", "blue"))
    for names in (("red", "blue"), ("n02", "n01")):
        recipe = ClassifierRecipe(names)
        assert agreed(recipe, chosen) == (recipe, chosen)
    for names in (("blue", "red"), ("n02", "n01", "n03")):
        with pytest.raises(ValueError, match=r"but the chosen folders are red, blue; give one nam"):
            agreed(ClassifierRecipe(names), chosen)


def test_numbers_of_classes_are_for_the_folders_in_their_own_order(folder: Path) -> None:
    source = ClassFolders((str(folder),))
    for recipe in (GanmexRecipe("mnist", (3, 8, 5)), MaskRecipe("mnist", labels=(3, 8, 5))):
        assert agreed(recipe, source) == (recipe, source)
        assert source.batch(3, FLAT, 0, 0).images.mean((2, 3)).argmax(1).tolist() == [2, 1, 0]
    for two in (GanmexRecipe("mnist", (3, 8)), MaskRecipe("mnist", labels=(3, 8))):
        with pytest.raises(ValueError, match=r"2 numbers for 3 class folders \(blue, green, red\)"):
            agreed(two, source)
    unlabelled = Pictures((str(folder),))
    assert agreed(MaskRecipe("mnist"), unlabelled)[1] is unlabelled


def test_a_picture_in_no_class_folder_is_no_class_of_its_own(tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/1.png", "sheet.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (9, 9), "red").save(tmp_path / name)
    for recipe in (ClassifierRecipe(), ClassifierRecipe(("cat", "dog"))):
        with pytest.raises(
            ValueError, match=r"such as sheet.png .*class folders are cat, dog: put"
        ):
            fit(recipe, tmp_path, tmp_path / "net.safetensors")
    chosen = ClassFolders((str(tmp_path),), ("cat", "dog"))
    assert [name for _, name in chosen.names()] == ["cat/1.png", "dog/1.png"]


def test_another_order_of_classes_is_another_set(folder: Path) -> None:
    usual, sorted_, other = (
        ClassFolders((str(folder),), classes).digest()
        for classes in ((), ("blue", "green", "red"), ("red", "green", "blue"))
    )
    assert usual == sorted_ == Pictures((str(folder),)).digest()
    assert other != usual


def test_a_classifier_needs_a_known_net_and_two_classes() -> None:
    with pytest.raises(ValueError, match="one of strided, vgg"):
        ClassifierRecipe(("a", "b"), "resnet")
    with pytest.raises(ValueError, match="give one each"):
        ClassifierRecipe(("a", "b"), widths=(8,))
    with pytest.raises(ValueError, match="nothing to tell apart"):
        ClassifierRecipe(("a",))
    with pytest.raises(ValueError, match="names are empty"):
        ClassifierRecipe().networks()


def test_weights_of_no_classifier_are_refused() -> None:
    from importlib import resources

    file = Path(str(resources.files("rather"))) / "weights" / "rather-inpainter-v2.safetensors"
    with pytest.raises(ValueError, match="holds a FourierUNet, which is no classifier"):
        load(str(file))


def test_the_shipped_digit_classifier_answers_the_same_twice() -> None:
    classifier = load("mnist")
    assert classifier.names == tuple("0123456789")
    images = torch.rand(3, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(classifier(images), classifier(images))
        assert not torch.allclose(classifier(images).sum(1), torch.ones(3))  # logits


def test_squares_show_the_whole_and_carry_masks(folder: Path, tmp_path: Path) -> None:
    source = ClassFolders((str(folder),), held="val")
    for name in source.names():
        (tmp_path / name[1]).parent.mkdir(parents=True, exist_ok=True)
        mask = Image.new("L", (5, 4))
        mask.paste(255, (0, 0, 2, 4))
        mask.save(tmp_path / name[1])
    batch = squares(source, 8, masks=tmp_path, count=2)
    assert batch.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert batch.regions is not None
    assert batch.regions[:, :, :3].all()
    assert not batch.regions[:, :, 4:].any()
    assert squares(source, 8).regions is None
    assert Arrays.of(squares(source, 8)).batch(3, FLAT, 0, 0).labels.tolist() == [0, 1, 2]
