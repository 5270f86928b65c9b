"""Training: resumed equals unbroken, pictures as they come, and a model card that tells."""

import json
import signal
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from rather import progress
from rather.data.folder import Crop, Pictures, stepped
from rather.data.holes import HoleMixture
from rather.fitting import InpainterRecipe, Plan, checkpoint, export, fit
from rather.fitting.inpainter import critic_loss, hidden_error, near_loss
from rather.fitting.interruption import SIGNALS, deferred
from rather.networks import weights
from rather.networks.inpainter import FourierUNet
from rather.networks.pyramid import pull_push

RECIPE = InpainterRecipe(widths=(8, 8, 8), blocks=1, critic_from=2)
PLAN = Plan(steps=5, batch=2, warmup=2, validate_every=2, save_seconds=0.0, held=2)
CROP = Crop(size=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of noise, some in a folder below."""
    root = tmp_path_factory.mktemp("pictures")
    (root / "below").mkdir()
    generator = torch.Generator().manual_seed(0)
    for i in range(12):
        pixels = torch.randint(256, (20, 24 + i, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(root / ("below" if i % 2 else "") / f"{i}.png")
    (root / "notes.txt").write_text("no picture")
    return root


@pytest.fixture(scope="module")
def unbroken(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(folder, tmp_path_factory.mktemp("unbroken") / "net.safetensors")


def train(folder: Path, out: Path, plan: Plan = PLAN, **rest: Any) -> Path:
    return fit(RECIPE, folder, out, plan, CROP, "cpu", **rest)


def same(one: Path, two: Path) -> bool:
    left, right = load_file(one), load_file(two)
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def dies_at(step: int) -> Callable[[str, int, int | None], None]:
    def listener(label: str, done: int, total: int | None) -> None:
        if done == step:
            raise KeyboardInterrupt

    return listener


@pytest.mark.parametrize("step", [0, 2, 3, 5])
def test_killed_between_steps_and_resumed_equals_unbroken(
    folder: Path, unbroken: Path, tmp_path: Path, step: int
) -> None:
    out = tmp_path / "net.safetensors"
    with pytest.raises(KeyboardInterrupt), progress.listening(dies_at(step)):
        train(folder, out)
    assert not out.exists() or step == 5
    assert same(train(folder, out), unbroken)


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, int], None]]:
    """Lets Ctrl-C be pressed some times amid a step, after its first network has moved."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    losses = InpainterRecipe.losses

    def stops(at: int, times: int) -> None:
        def stopped(self: Any, nets: Any, given: Any, generator: Any, step: int) -> Iterator[Any]:
            for place, loss in enumerate(losses(self, nets, given, generator, step)):
                for _ in range(times if step == at and place == 1 else 0):
                    signal.raise_signal(signal.SIGINT)
                yield loss

        monkeypatch.setattr(InpainterRecipe, "losses", stopped)

    yield stops
    signal.signal(signal.SIGINT, usual)


SELDOM = replace(PLAN, save_seconds=1000.0)


def test_an_interruption_amid_a_step_is_saved_after_it(
    folder: Path, unbroken: Path, tmp_path: Path, stops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, file = tmp_path / "net.safetensors", tmp_path / "net.safetensors.fit" / "checkpoint.pt"
    stops(3, 1)
    with pytest.raises(KeyboardInterrupt, match=r"step 4 is kept in .*net\.safetensors\.fit, and"):
        train(folder, out, SELDOM)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert checkpoint.load(file)["step"] == 4
    monkeypatch.undo()
    assert same(train(folder, out, SELDOM), unbroken)


@pytest.mark.parametrize(("plan", "kept"), [(SELDOM, None), (PLAN, 3)])
def test_a_second_interruption_saves_no_half_step_and_promises_only_what_is_there(
    plan: Plan,
    kept: int | None,
    folder: Path,
    unbroken: Path,
    tmp_path: Path,
    stops: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, file = tmp_path / "net.safetensors", tmp_path / "net.safetensors.fit" / "checkpoint.pt"
    stops(3, 2)
    with pytest.raises(KeyboardInterrupt, match=f"step {kept} is kept" if kept else "^$"):
        train(folder, out, plan)
    assert (checkpoint.load(file)["step"] if file.exists() else None) == kept
    monkeypatch.undo()
    assert same(train(folder, out, plan), unbroken)


def test_an_interruption_of_the_last_step_is_not_lost(
    folder: Path, unbroken: Path, tmp_path: Path, stops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "net.safetensors"
    stops(4, 1)
    with pytest.raises(KeyboardInterrupt, match="step 5 is kept"):
        train(folder, out, SELDOM)
    assert not out.exists()
    assert same(train(folder, out, SELDOM), unbroken)  # no step is left to interrupt


def test_threads_and_many_processes_are_interrupted_at_once() -> None:
    def handlers() -> tuple[Any, ...]:
        return tuple(map(signal.getsignal, SIGNALS))

    def inside(wait: bool) -> tuple[Any, ...]:
        with deferred(wait):
            return handlers()

    assert inside(False) == handlers()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside, True).result() == handlers()


def test_another_file_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "precious.txt"
    out.write_text("precious")
    with pytest.raises(
        FileExistsError, match=r"precious\.txt exists already.*--force \(force=True"
    ):
        train(folder, out)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
    assert out.read_text() == "precious"
    brief = replace(PLAN, steps=1)
    first = train(folder, out, brief, force=True).read_bytes()
    assert train(folder, out, brief).read_bytes() == first  # its own: the same call again
    with pytest.raises(IsADirectoryError, match="is a folder; name the weights file"):
        train(folder, tmp_path, force=True)


def test_another_training_gives_way_to_force_and_this_one_goes_on(
    folder: Path, unbroken: Path, tmp_path: Path
) -> None:
    out, steps = tmp_path / "net.safetensors", []
    train(folder, out, replace(PLAN, seed=9))
    with pytest.raises(ValueError, match=r"another seed.* in its place with --force"):
        train(folder, out)
    with pytest.raises(KeyboardInterrupt), progress.listening(dies_at(3)):
        train(folder, out, force=True)
    with progress.listening(lambda label, done, total: steps.append(done)):
        train(folder, out, force=True)
    assert steps[0] == 3
    assert same(out, unbroken)


@pytest.mark.parametrize("when", ["while writing", "before renaming", "after renaming"])
def test_killed_inside_a_checkpoint_and_resumed_equals_unbroken(
    folder: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    out, kept = tmp_path / "net.safetensors", Path.replace

    def dying(self: Path, target: Path) -> Path:
        if torch.load(self, weights_only=True)["step"] < 3:
            return kept(self, target)
        if when == "while writing":
            target.with_name("checkpoint.pt.1.new").write_bytes(self.read_bytes()[:1000])
        if when == "after renaming":
            kept(self, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        train(folder, out)
    monkeypatch.undo()
    steps: list[int] = []
    with progress.listening(lambda label, done, total: steps.append(done)):
        train(folder, out)
    assert steps[0] == (3 if when == "after renaming" else 2)
    assert same(out, unbroken)


def test_the_number_of_decoding_threads_changes_nothing(
    folder: Path, unbroken: Path, tmp_path: Path
) -> None:
    out = train(folder, tmp_path / "net.safetensors", replace(PLAN, workers=3))
    assert same(out, unbroken)


def test_another_seed_makes_other_weights(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    assert not same(train(folder, tmp_path / "net.safetensors", replace(PLAN, seed=1)), unbroken)


def test_the_global_generator_is_left_alone(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(folder, tmp_path / "net.safetensors", replace(PLAN, steps=1))
    assert torch.equal(torch.rand(3), expected)


def test_a_training_can_be_lengthened_but_not_mixed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    train(folder, out, replace(PLAN, steps=2))
    train(folder, out, replace(PLAN, steps=3))
    assert weights.load(str(out))[1]["steps"] == 3
    with pytest.raises(ValueError, match="another seed: 0 instead of 9; delete the folder"):
        train(folder, out, replace(PLAN, seed=9))
    with pytest.raises(ValueError, match="another recipe"):
        fit(replace(RECIPE, pixels=1.0), folder, out, PLAN, CROP, "cpu")


def test_a_damaged_checkpoint_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    train(folder, out, replace(PLAN, steps=1))
    file = tmp_path / "net.safetensors.fit" / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"checkpoint.pt cannot be read .* from the start"):
        train(folder, out)


@dataclass
class Bomb:
    """What must never run when a checkpoint is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


def test_a_checkpoint_is_never_unpickled(tmp_path: Path) -> None:
    torch.save({"step": Bomb()}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        checkpoint.load(tmp_path / "checkpoint.pt")


def test_the_card_and_the_journal_tell_how_it_was_made(folder: Path, unbroken: Path) -> None:
    net, card = weights.load(str(unbroken))
    assert isinstance(net, FourierUNet)
    assert card["recipe"] == repr(RECIPE)
    assert card["images seen"] == 10
    assert card["metrics"]["step"] == 5
    assert card["versions"]["torch"] == str(torch.__version__)
    run = unbroken.with_name("net.safetensors.fit")
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "held out" in line] == [2, 4, 5]
    assert [set(line["losses"]) for line in lines if "losses" in line][-1] == {
        "inpainter",
        "critic",
    }
    with Image.open(run / "samples_0000004.png") as sheet:
        assert sheet.size == (4 * 16, 2 * 16)


def test_lines_after_the_checkpoint_are_forgotten(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    train(folder, out, replace(PLAN, steps=2))
    log = tmp_path / "net.safetensors.fit" / "log.jsonl"
    before = log.read_text()
    log.write_text(before + '{"step": 99}\n{"ste')
    train(folder, out, replace(PLAN, steps=2))
    assert log.read_text() == before


def test_a_running_training_can_be_exported(folder: Path, unbroken: Path, tmp_path: Path) -> None:
    run = unbroken.with_name("net.safetensors.fit")
    assert same(export(RECIPE, run, tmp_path / "early.safetensors"), unbroken)


def test_a_network_goes_on_from_one_that_copied_nothing(tmp_path: Path) -> None:
    images, keep = torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    keep[..., 4:20, 4:20] = 0
    small = FourierUNet((8, 8, 8), 1)
    torch.nn.init.normal_(small.head.weight)
    (tmp_path / "small").write_bytes(weights.packed(small, {}))
    net = replace(RECIPE, start=str(tmp_path / "small")).networks()["inpainter"]
    drawn, texture = net(images, keep)
    torch.testing.assert_close(drawn, small(images, keep).whole)
    assert texture.abs().max() > 0
    assert not net.state_dict()["stem.weight"][:, 16:].any()


def test_without_features_the_gate_is_led_by_what_it_makes_of_the_pixels() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 48, 48)
    nets = replace(RECIPE, holes=_boxes()).networks()
    (loss,) = (
        loss
        for name, loss in replace(RECIPE, holes=_boxes()).losses(nets, images, stepped(0, 0), 0)
        if name == "inpainter"
    )
    loss.backward()
    slope = nets["inpainter"].get_parameter("gate.bias").grad
    assert slope is not None
    assert slope > 0  # copied noise is far from the truth: it is to be copied less


@pytest.mark.parametrize("widths", [(8, 8, 4), (16, 16, 24)])
def test_a_network_goes_on_at_its_own_widths_only(
    widths: tuple[int, int, int], unbroken: Path
) -> None:
    with pytest.raises(ValueError, match=r"of shape .* no place; give the settings"):
        replace(RECIPE, widths=widths, start=str(unbroken)).networks()


def test_patience_ends_a_training_that_no_longer_improves(folder: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, steps=60, validate_every=1, patience=1, save_seconds=60.0)
    still = replace(RECIPE, rate=0.0, critic_from=99)
    out = fit(still, folder, tmp_path / "net.safetensors", plan, CROP, "cpu")
    assert weights.load(str(out))[1]["steps"] == 2
    first = out.read_bytes()
    assert fit(still, folder, out, plan, CROP, "cpu").read_bytes() == first  # it stays ended


def test_patience_waits_for_the_first_validation(folder: Path, tmp_path: Path) -> None:
    out = train(folder, tmp_path / "net.safetensors", replace(PLAN, steps=3, patience=9))
    assert weights.load(str(out))[1]["steps"] == 3


def test_a_diverging_loss_stops_before_it_is_saved(folder: Path, tmp_path: Path) -> None:
    wild = replace(RECIPE, rate=1e37)
    with pytest.raises(ValueError, match=r"the loss of inpainter is (nan|inf).* lower rate"):
        fit(wild, folder, tmp_path / "net.safetensors", replace(PLAN, clip=1e9), CROP, "cpu")


def test_it_learns_a_periodic_texture(tmp_path: Path) -> None:
    wave = ((torch.arange(48) * (2 * torch.pi / 8)).sin() * 100 + 128).to(torch.uint8)
    pixels = wave.expand(48, 48)[..., None].expand(48, 48, 3).contiguous()
    (tmp_path / "waves").mkdir()
    for i in range(4):
        Image.fromarray(pixels.roll(i, 1).numpy()).save(tmp_path / "waves" / f"{i}.png")
    recipe = replace(RECIPE, widths=(8, 16, 16), blocks=1, rate=6e-3, holes=_boxes())
    recipe = replace(recipe, copies=False)
    plan = Plan(steps=40, batch=2, warmup=3, average=0.5, validate_every=60, held=4)
    out = fit(
        replace(recipe, critic_from=99), tmp_path / "waves", tmp_path / "w", plan, Crop(32), "cpu"
    )
    net, _ = weights.load(str(out))
    images = Pictures((str(tmp_path / "waves"),)).held_out(4, Crop(32))
    keep = torch.ones(len(images), 1, 32, 32)
    keep[..., 10:22, 10:22] = 0
    made, guess = net(images, keep).whole, pull_push(images, keep)
    assert hidden_error(made, images, keep) < 0.5 * hidden_error(guess, images, keep)


def _boxes() -> HoleMixture:
    return HoleMixture(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_losses_count_only_what_was_hidden() -> None:
    images = torch.rand(2, 3, 16, 16)
    keep = torch.ones(2, 1, 16, 16)
    keep[0, :, :4] = 0
    keep[1, :, :8] = 0
    off = torch.where(keep > 0, images + 9, images + torch.tensor([0.1, 0.3]).view(2, 1, 1, 1))
    assert hidden_error(off, images, keep).item() == pytest.approx(0.2, abs=1e-5)
    assert near_loss(off, images, keep) < 0.5 * hidden_error(off, images, keep)
    nets = RECIPE.networks()
    shown = torch.ones_like(keep)
    one, two = (critic_loss(nets["critic"].eval(), images, x, shown) for x in (images, off))
    torch.testing.assert_close(one, two)


def test_every_picture_is_seen_once_an_epoch(folder: Path) -> None:
    pictures = Pictures((str(folder),), held=0.0)
    seen = [pictures.batch(4, CROP, 0, step) for step in range(3)]
    assert len(pictures.names()) == 12
    assert not pictures.names(True)
    flat = Crop(size=8, zoom=1.0, rare_zoom=1.0, flip=False)
    again = torch.cat([pictures.batch(4, flat, 0, step).mean((2, 3)) for step in range(3)])
    assert len({tuple(row) for row in again.tolist()}) == 12
    assert torch.equal(seen[1], pictures.batch(4, CROP, 0, 1))
    halves = [pictures.batch(4, CROP, 0, 1, slice(i, None, 2)) for i in range(2)]
    assert torch.equal(torch.stack(halves, 1).flatten(0, 1), seen[1])


def test_held_out_pictures_are_never_trained_on(folder: Path) -> None:
    pictures = Pictures((str(folder),), held=0.4)
    train_names, held = set(pictures.names()), set(pictures.names(True))
    assert held
    assert not train_names & held
    assert len(train_names | held) == 12


def test_a_zip_holds_the_same_pictures_as_its_folder(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "pictures.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    one, two = (Pictures((str(root),)) for root in (folder, packed))
    assert [name for _, name in one.names()] == [name for _, name in two.names()]
    assert torch.equal(one.batch(3, CROP, 0, 0), two.batch(3, CROP, 0, 0))


def test_weights_may_be_written_among_the_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), "red").save(tmp_path / "one.png")
    train(tmp_path, tmp_path / "net.safetensors", replace(PLAN, steps=2))
    assert list((tmp_path / "net.safetensors.fit").glob("*.png"))
    assert len(Pictures((str(tmp_path),)).names()) == 1


def test_grey_pictures_become_rgb(tmp_path: Path) -> None:
    Image.new("L", (28, 28), 51).save(tmp_path / "grey.png")
    crop = Pictures((str(tmp_path),)).held_out(1, Crop(28))
    torch.testing.assert_close(crop, torch.full((1, 3, 28, 28), 0.2))


def test_crops_show_the_middle_and_never_leave_the_picture() -> None:
    ramp = torch.arange(100, dtype=torch.uint8).expand(50, 100)[..., None].expand(50, 100, 3)
    photo = Image.fromarray(ramp.contiguous().numpy())
    middle = CROP.central(photo) * 255
    assert middle.mean().item() == pytest.approx(49.5, abs=0.6)
    assert Crop(size=60).central(photo)[0, 0].max() * 255 < 75.5


def test_unreadable_files_are_named_and_passed_over(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    pictures = Pictures((str(tmp_path),), held=0.0)
    with pytest.warns(UserWarning, match=r"skipped .*bad\.png, which cannot be read"):
        batch = pictures.batch(2, Crop(size=8), 0, 0)
    assert (batch[:, 0] == 1).all()
    with pytest.warns(UserWarning, match=r"bad\.png"):
        assert len(pictures.held_out(2, Crop(size=8))) == 1


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pictures in"):
        train(tmp_path, tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match="neither a folder nor a zip file"):
        train(tmp_path / "nowhere", tmp_path / "net.safetensors")
    (tmp_path / "bad.png").write_bytes(b"no picture at all")
    with (
        pytest.warns(UserWarning, match=r"bad\.png"),
        pytest.raises(ValueError, match="none of the 1 pictures"),
    ):
        Pictures((str(tmp_path),)).batch(1, CROP, 0, 0)


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        Plan(batch=0)


def test_missing_features_are_named(folder: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, features=str(tmp_path / "squeezenet.pth"))
    with pytest.raises(ValueError, match="pass features=None to train without"):
        fit(recipe, folder, tmp_path / "net.safetensors", PLAN, CROP, "cpu")
