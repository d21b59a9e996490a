"""Recipes whose network, loss and frames do not fit together."""

import warnings

import numpy as np
import pytest

from keras_depth import depth_png, models, recipes
from keras_depth.data.prepared.builder import prepare
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.images import encode_png, to_uint8
from keras_depth.run_folder import RunFolder
from keras_depth.train import checks, loop, setup
from tests.helpers.architectures import make_architecture
from tests.helpers.docs_world import write_recording
from tests.helpers.files import write_file
from tests.helpers.tiny import TINY, recipe, stereo_recipe, tiny, write_run

pytestmark = pytest.mark.usefixtures("tiny_networks")


def test_an_encoding_that_the_last_activation_cannot_produce(monkeypatch, tmp_path):
    monkeypatch.setitem(models.ARCHITECTURES, TINY, make_architecture(TINY, tiny, encoding="unit"))
    for encoding in ("centimetres", "metric"):
        with pytest.raises(
            InputError, match=f"outputs 0..1, but encoding '{encoding}' .* one of unit, minmax"
        ):
            loop.train(recipe(f"encoding={encoding}"), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_warnings(tmp_path, kitti, monkeypatch):
    """Of a frozen encoder with random weights, and of depth beyond the encoding's range."""

    def frozen(input_shape, weights, *, name):
        model = tiny(input_shape, weights)
        model.layers[1].trainable = False
        return model

    monkeypatch.setitem(models.ARCHITECTURES, TINY, make_architecture(TINY, frozen))
    data = f"data={{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, validation_frames: 2}}"
    with pytest.warns(UserWarning) as caught:
        loop.train(recipe(data, "encoding=unit", "epochs=1"), RunFolder(tmp_path / "run"))
    said = [str(warning.message) for warning in caught]
    assert any(
        "its encoder is frozen, and its weights are random; give --weights" in s for s in said
    )
    assert any("encoding 'unit' cannot represent depth beyond 10 m, but" in s for s in said)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.stereo=false"], "loss 'stereo' needs stereo pairs; set data.stereo=true"),
        (["loss.name=mse"], "loss 'mse' does not fit tiny_stereo_for_tests, which learns from ste"),
        (["augmentation.crop=[8, 16]"], "a fraction of the width, which a crop would change"),
    ],
)
def test_pairs_that_cannot_be_trained_on(tmp_path, kitti, overrides, message):
    pairs = f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, stereo: true}}"
    with pytest.raises(InputError, match=message):
        loop.train(stereo_recipe(pairs, *overrides), RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_loss_of_depth_needs_depth(tmp_path, kitti):
    blind = f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, depth: none}}"
    with pytest.raises(InputError, match="loss 'adaptive_berhu' learns from depth; set data.depth"):
        loop.train(recipe(f"data={blind}"), RunFolder(tmp_path / "run"))
    with pytest.raises(InputError, match="does not fit tiny_for_tests, which learns from depth"):
        loop.train(recipe("loss={name: stereo}"), RunFolder(tmp_path / "run"))


def test_missing_frames_and_a_wrong_unit_are_said(tmp_path):
    """Each once, in a line; the training goes on."""
    rooms = Rooms(8, (16, 32))
    for index, sample in enumerate(rooms):
        write_file(tmp_path / f"rgb/{index}.png", encode_png(to_uint8(sample["image"])))
        write_file(
            tmp_path / f"depth/{index}.png", encode_png(depth_png.quantize(sample["depth"], 1000))
        )
    (tmp_path / "depth/5.png").unlink()
    data = f"{{name: folder, dir: {tmp_path}, max_missing: 0.2, units_per_metre: 5000}}"
    with pytest.warns(UserWarning) as caught:
        loop.train(recipe(f"data={data}", "epochs=1"), RunFolder(tmp_path / "run"))
    missing, unit = (
        [text for text in (str(each.message) for each in caught) if part in text]
        for part in ("without all their files", "units_per_metre")
    )
    assert len(missing) == len(unit) == 1
    assert missing[0].endswith(
        f"; 1 of 7 frames are without all their files, first {tmp_path}/rgb/5.png"
    )
    assert unit[0].startswith("training frames: hint: median depth 0.")
    assert "give units_per_metre=1000 (median" in unit[0]


def test_pairs_are_asked_of_a_folder_without(tmp_path):
    write_file(tmp_path / "rgb/1.png", encode_png(np.zeros((16, 32, 3), np.uint8)))
    write_file(tmp_path / "depth/1.png", encode_png(depth_png.quantize(np.ones((16, 32)), 1000)))
    data = f"{{name: folder, dir: {tmp_path}, units_per_metre: 1000, hold_out: 0}}"
    (tmp_path / "test").symlink_to(".")
    (tmp_path / "train").symlink_to(".")
    with pytest.raises(InputError, match="a recording of your own has them in left/ and right/"):
        loop.train(stereo_recipe(data, "batch_size=1"), RunFolder(tmp_path / "run"))


def test_frames_that_are_enlarged(tmp_path):
    """A prepared copy of another size, and a recording."""
    write_recording(tmp_path / "data", Rooms(8, (16, 32)), 1000)
    copy = prepare(
        "folder", tmp_path / "data", tmp_path / "copy", (16, 32), {"units_per_metre": 1000}
    )
    asked = recipe(f"data={{name: prepared, dir: {copy}}}", "size=[48, 64]")
    frames = recipes.open_data(asked, "train")
    message = (
        r"16x32 are enlarged to 48x64, .*; --set size=\[16, 32\] trains at their own size, or "
    )
    with pytest.warns(UserWarning, match=message + "prepare the copy at 48x64"):
        checks.warn_of_enlarged_frames(asked, frames)
    folder = f"{{name: folder, dir: {tmp_path / 'data'}, units_per_metre: 1000}}"
    asked = recipe(f"data={folder}", "size=[16, 48]")
    with pytest.warns(UserWarning, match="RGB-D folder.* 16x32 are enlarged to 16x48.* own size$"):
        setup.build(asked, RunFolder(tmp_path / "run"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        checks.warn_of_enlarged_frames(recipe("size=[17, 32]"), frames)  # hardly
        checks.warn_of_enlarged_frames(recipe("size=[8, 16]"), frames)


def test_pairs_of_another_camera(tmp_path, kitti):
    pairs = f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, stereo: true}}"
    source = tmp_path / "source"
    asked = stereo_recipe(pairs, f"weights={source}")
    write_run(source, stereo_recipe(pairs))
    frames = recipes.open_data(asked, "train")
    own = 384.381 * 32 / 1242
    for known, times in ((own / 2, "2 times"), (own * 4, "0.25 times"), (own, None), (None, None)):
        if known:
            RunFolder(source).write_camera(known)
        else:
            RunFolder(source).camera_file.unlink()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            checks.warn_of_other_camera(asked, frames)
        said = [str(each.message) for each in caught if each.category is UserWarning]
        assert len(said) == bool(times)
        if times:
            assert f"weights {source}: trained on pairs of another camera" in said[0]
            assert f"{times} as large" in said[0]
