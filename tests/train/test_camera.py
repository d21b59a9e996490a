"""The camera of a run: found in its training frames, and what learning for another one does."""

import numpy as np
import pytest

from keras_depth import recipes
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from keras_depth.train import checks, loop, setup
from keras_depth.train.camera import find_camera
from tests.helpers.tiny import recipe, stereo_recipe

pytestmark = pytest.mark.usefixtures("tiny_networks")


class Cameras(Rooms):
    """Frames of 32x64 whose focal lengths are given; None: not known."""

    def __init__(self, *focal_lengths):
        super().__init__(len(focal_lengths), (32, 64))
        self._focal_lengths = focal_lengths

    def stored(self, index):
        camera = self._focal_lengths[index]
        frame = {"image": np.zeros((32, 64, 3), np.uint8), "depth": np.ones((32, 64), np.float32)}
        return frame | ({} if camera is None else {"focal_length": np.array(camera, np.float32)})


def test_one_camera_in_pixels_at_the_models_size():
    """Those of KITTI's five days are one."""
    found = find_camera(Cameras((70, 60), (71, 60), (70.5, 60)), recipe())
    assert found == {"size": (16, 32), "focal_length": (35.25, 30)}
    letterboxed = find_camera(Cameras((70, 60)), recipe("fit=letterbox", "size=[16, 64]"))
    assert letterboxed["focal_length"] == (35, 30)


@pytest.mark.parametrize("frames", [Cameras((70, 60), (72, 60)), Cameras((70, 60), None)])
def test_several_cameras_or_none(frames):
    assert find_camera(frames, recipe()) == {}
    canonical = find_camera(frames, recipe("canonical_focal_length=40"))
    assert canonical == {"size": (16, 32), "focal_length": (40, 40)}


def test_a_run_keeps_its_camera(tmp_path):
    folder = RunFolder(tmp_path / "run")
    loop.train(recipe("epochs=1"), folder)
    assert folder.focal_length() == pytest.approx(Rooms(1, (16, 32)).intrinsics[:2])


def test_canonical_training_is_scored_in_each_frames_metres(tmp_path):
    """A fixed camera: then the network learns another unit, and all scores stay the same."""
    runs = {}
    for focal_length in ("null", 16):
        folder = RunFolder(tmp_path / f"run_{focal_length}")
        data = "data={name: rooms, frames: 8, validation_frames: 3, cameras: 1, fov: [90, 90]}"
        asked = [data, "epochs=1", f"canonical_focal_length={focal_length}"]
        loop.train(recipe(*asked), folder)
        report, _ = evaluator.evaluate_run(folder.path)
        runs[focal_length] = (folder.log_rows()[-1], report.scores["model"]["image"]["abs_rel"])
    # At 90 degrees the focal length is half the width: 16, so nothing is scaled.
    assert runs["null"] == runs[16]
    assert RunFolder(tmp_path / "run_16").focal_length() == (16, 16)
    # The very weights, said to be of a camera half as long: its depth is half as far.
    folder = RunFolder(tmp_path / "run_16")
    folder.write_camera(focal_length=(32.0, 32.0), size=(16, 32))
    image = Rooms(1, (16, 32), cameras=1, fov=(90, 90))[0]["image"]
    estimator = DepthEstimator.load(folder.path)
    near = estimator(image, intrinsics=(16, 16, 15.5, 7.5))
    np.testing.assert_allclose(near, estimator(image) / 2, rtol=1e-6)
    halved, _ = evaluator.evaluate_run(folder.path, output=tmp_path / "halved")
    assert halved.scores["model"]["image"]["abs_rel"] != runs[16][1]


def test_what_cannot_be_learned_for_one_camera(tmp_path, kitti):
    pairs = f"{{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, stereo: true}}"
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(InputError, match="canonical_focal_length: .* learns disparity from stereo"):
        loop.train(stereo_recipe(pairs, "canonical_focal_length=20"), folder)
    for calibration in kitti.glob("**/calib_cam_to_cam.txt"):
        calibration.rename(calibration.with_suffix(".hidden"))
    try:
        blind = f"data={{name: kitti, dir: {kitti}, list: all, hold_out: 0.25, depth: none}}"
        asked = recipe(blind, "canonical_focal_length=20")
        frames = recipes.open_data(asked, "train")
        with pytest.raises(InputError, match="image_02.*png: its focal length is not known, which"):
            checks.check_canonical(asked, setup.make_loss(asked), frames)
    finally:
        for hidden in kitti.glob("**/calib_cam_to_cam.hidden"):
            hidden.rename(hidden.with_suffix(".txt"))
    assert not folder.path.exists()
