"""The command: measures in, a run's metres corrected, or one sentence and nothing written."""

import json

import numpy as np
import pytest

from keras_depth import DepthEstimator, images, recipes
from keras_depth.calibrate import __main__ as calibrate
from keras_depth.export import __main__ as export
from keras_depth.predict.exported import Exported
from keras_depth.serve import __main__ as serve
from tests.helpers.commands import call
from tests.helpers.exporting import SIZE, bright_is_far


def test_three_measures_correct_a_scale_that_is_wrong_by_1_3(run, pictures, measure, capsys):
    truth = 1.3 * 10 * 150 / 255
    gray = np.full((*SIZE, 3), 150, np.uint8)
    plain = DepthEstimator.load(run, encoding="metric")
    assert plain(gray).mean() == pytest.approx(truth / 1.3, rel=1e-4)
    wrong_by_1_percent = measure(1.3, near=1.3 * 10 * 30 / 255 * 1.01)
    assert call(calibrate, [run, *wrong_by_1_percent]) == 0
    printed = capsys.readouterr().out
    row = "| near.png:36,24,64,40 | 1.54 m | 1.18 m | -23.8% | 1.53 m | -1.0% |"
    assert row in " ".join(printed.split())
    assert "| mean error " in printed and f"written: {run / 'calibration.json'}" in printed
    suggested = printed.splitlines()[-1]
    assert suggested.startswith("next: python -m keras_depth.predict")
    assert suggested.endswith("near.png --output out")
    depth = DepthEstimator.load(run)(gray)
    np.testing.assert_allclose(depth, truth, rtol=0.03)


def test_a_run_and_its_export_agree(run, measure, here, tmp_path, capsys):
    """Also where the measures shift, and where a camera is given."""
    assert call(calibrate, [run, *measure(1.2, 0.5), "--fov", "60"]) == 0
    stored = json.loads((run / "calibration.json").read_text())
    assert stored["scale"] == pytest.approx(1.2, rel=1e-3)
    assert stored["shift"] == pytest.approx(0.5, rel=1e-2) and stored["measures"] == 3
    focal_length = SIZE[1] / 2 / np.tan(np.radians(30))
    assert stored["camera"]["focal_length"] == pytest.approx([focal_length] * 2)
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    pixels[:, :8] = 0  # none
    estimator = DepthEstimator.load(run)
    assert estimator.focal_length == pytest.approx((focal_length, focal_length))
    expected = estimator(pixels, resize=False)
    assert (expected[:, :3] == 0).all() and expected.max() > 5
    assert call(export, [run, "--format", "onnx", "--output", tmp_path / "out"]) == 0
    (folder,) = (tmp_path / "out").glob("*/1")
    details = json.loads((folder / "export.json").read_text())
    assert details["calibration"]["shift"] == stored["shift"]
    assert details["camera"]["focal_length"] == pytest.approx([focal_length] * 2)
    np.testing.assert_allclose(Exported(folder)(pixels)[..., 0], expected, rtol=1e-4)


def test_the_server_and_a_preset_follow(run, measure, here, tmp_path):
    """An export from before is not served; a preset of the run carries its calibration."""
    ((_, before),) = serve.find(run).items()
    assert list(serve.find(run).values()) == [before]
    assert call(calibrate, [run, *measure(1.2)]) == 0
    ((_, served),) = serve.find(run).items()
    assert served != before and list(serve.find(run).values()) == [served]
    gray = np.full((1, *SIZE, 3), 150, np.uint8)
    depth = DepthEstimator.load(run)
    np.testing.assert_allclose(Exported(served)(gray)[..., 0], depth(gray, resize=False), rtol=1e-4)
    (run / "recipe.yaml").write_text(recipes.load("jetson_fcnn/rooms").to_yaml())
    depth = DepthEstimator.load(run)
    depth.save_to_preset(tmp_path / "preset")
    again = DepthEstimator.load(tmp_path / "preset")
    np.testing.assert_allclose(again(gray), depth(gray), rtol=5e-3)
    assert "is not known" in (tmp_path / "preset" / "card.md").read_text()
    (run / "calibration.json").unlink()
    DepthEstimator.load(run).save_to_preset(tmp_path / "preset")
    np.testing.assert_allclose(again(gray) / 1.2, DepthEstimator.load(run)(gray), rtol=5e-3)


def test_calibrating_again_replaces_the_former_calibration(run, measure):
    assert call(calibrate, [run, *measure(1.2, 0.5)]) == 0
    assert call(calibrate, [run, *measure(0.9)]) == 0
    stored = json.loads((run / "calibration.json").read_text())
    assert stored["scale"] == pytest.approx(0.9, rel=1e-3) and stored["shift"] == 0
    assert stored["camera"] is None


def test_metres_calibrated_for_a_camera_that_is_not_named(run, measure, pictures, tmp_path, capsys):
    """They are not scaled to another one, though the training's camera is known."""
    (run / "camera.json").write_text('{"focal_length": [40, 40], "size": [32, 48]}')
    assert call(calibrate, [run, *measure(1.2)]) == 0
    estimator, picture = DepthEstimator.load(run), pictures / "far.png"
    with pytest.warns(UserWarning, match="not scaled: .*calibration.json names none"):
        np.testing.assert_array_equal(estimator(picture, fov=60), estimator(picture))
    capsys.readouterr()
    assert call(export, [run, "--format", "onnx", "--fov", "60", "--output", tmp_path / "out"]) == 2
    assert "calibration.json names none), so they cannot be scaled" in capsys.readouterr().err


def test_pictures_of_another_camera_than_that_of_the_measures(run, measure, pictures):
    """The ratio multiplies what calibration made of the network's metres."""
    assert call(calibrate, [run, *measure(1.2, 0.5), "--intrinsics", "80,80,48,32"]) == 0
    estimator, picture = DepthEstimator.load(run), pictures / "far.png"
    near = estimator(picture, intrinsics=(60, 60, 48, 32))
    np.testing.assert_allclose(near, 0.75 * estimator(picture), rtol=1e-5)
    np.testing.assert_allclose(near[32, 48], 0.75 * (1.2 * 10 * 200 / 255 + 0.5), rtol=0.01)


def test_another_model_under_the_same_name_is_refused(run, measure):
    assert call(calibrate, [run, *measure(1.2)]) == 0
    model = bright_is_far()
    model.set_weights([2 * weight for weight in model.get_weights()])
    model.save(run / "model.keras")
    with pytest.raises(ValueError, match="of another model.keras than the one beside it"):
        DepthEstimator.load(run)


def test_a_wrong_measure_is_named_and_nothing_is_written(run, measure, capsys):
    wrong = measure(1.3, middle=2.35)
    assert call(calibrate, [run, *wrong]) == 2
    assert capsys.readouterr().err == (
        "error: middle.png:36,24,64,40: measured 2.35 m, the other measures imply 4.08 m; check it,"
        " or leave it out\n"
    )
    assert not (run / "calibration.json").exists()
    assert call(calibrate, [run, *wrong, "--keep-all"]) == 0
    assert (run / "calibration.json").exists()


def test_measures_that_no_scale_makes_better(run, measure, capsys):
    far = 1.2 * 10 * 200 / 255
    assert call(calibrate, [run, *measure(1.0, near=0.85 * 10 * 30 / 255, far=far)]) == 2
    assert "leave it as it is, or add measures" in capsys.readouterr().err
    assert not (run / "calibration.json").exists()


def test_measures_in_a_file(run, pictures, capsys):
    file = pictures / "measures.csv"
    file.write_text(
        "picture,x0,y0,x1,y1,metres\nnear.png,36,24,64,40,1.529\nfar.png,36,24,64,40,10.196\n"
    )
    assert call(calibrate, [run, "--measures", file]) == 0
    assert json.loads((run / "calibration.json").read_text())["scale"] == pytest.approx(1.3, 1e-3)
    assert "a shift takes 3 measures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "holds no measure; add lines of picture,x0,y0,x1,y1,metres"),
        ("a.png,1,2,3,4,0\n", "line 2: '0': give a number above 0"),
        ("a.png,1,2,3,4,two\n", "line 2: 'two': give a number above 0"),
        ("a.png,1,2,3,2.5\n", "line 2: 5 values; write picture,x0,y0,x1,y1,metres"),
        ("a.png,1,2,3,x,1\n", "write it as PICTURE:X0,Y0,X1,Y1=METRES"),
    ],
)
def test_a_file_with_a_bad_line(run, tmp_path, capsys, line, message):
    file = tmp_path / "measures.csv"
    file.write_text("picture,x0,y0,x1,y1,metres\n" + line)
    assert call(calibrate, [run, "--measures", file]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_none(run, tmp_path, capsys):
    assert call(calibrate, [run, "--measures", tmp_path / "none.csv"]) == 2
    assert "none.csv: cannot be read (No such file or directory)" in capsys.readouterr().err
    (tmp_path / "other.csv").write_text("name,depth\n")
    assert call(calibrate, [run, "--measures", tmp_path / "other.csv"]) == 2
    assert "its first line is not picture,x0,y0,x1,y1,metres" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give what you measured: --measure, --measures or --frames"),
        (["--measure", "room.jpg=2"], "write it as PICTURE:X0,Y0,X1,Y1=METRES"),
        (["--measure", "room.jpg:1,2,3,4=two"], "'two': give a number above 0"),
        (["--measure", "room.jpg:1,2,3,4=-1"], "'-1': give a number above 0"),
        (["--measure", "none.jpg:1,2,3,4=2"], "none.jpg: no such file"),
        (["--measure", "PICTURE:36,24,97,40=2"], "is not in the picture, which is 96x64 pixels"),
        (["--measure", "PICTURE:36,24,36,40=2"], "the box 36,24,36,40 is not in the picture"),
        (
            ["--measure", "PICTURE:36,24,64,40=2", "--intrinsics", "600,600,320,240"],
            "intrinsics of another size",
        ),
        (["--measure", "PICTURE:36,24,64,40=2", "--data-option", "a=1"], "is for --frames"),
        (["--frames", "none"], "no such folder"),
    ],
)
def test_bad_arguments(run, pictures, capsys, arguments, message):
    given = [each.replace("PICTURE", str(pictures / "near.png")) for each in arguments]
    assert call(calibrate, [run, *given]) == 2
    assert message in capsys.readouterr().err
    assert not (run / "calibration.json").exists()


def test_a_box_without_depth(run, pictures, capsys):
    pixels = np.zeros((64, 96, 3), np.uint8)
    (pictures / "black.png").write_bytes(images.encode_png(pixels))
    assert call(calibrate, [run, "--measure", f"{pictures}/black.png:1,2,30,40=2"]) == 2
    assert "the network has no depth in the box 1,2,30,40" in capsys.readouterr().err


def test_pictures_of_two_sizes_are_not_of_one_camera(run, pictures, capsys):
    pixels = np.full((32, 96, 3), 99, np.uint8)
    (pictures / "wide.png").write_bytes(images.encode_png(pixels))
    boxes = [f"--measure={pictures}/{name}.png:1,2,9,9=4" for name in ("near", "wide")]
    assert call(calibrate, [run, *boxes, "--fov", "60"]) == 2
    assert "pictures of 32x96, 64x96 are not of one camera" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:msfnet tells near from far")
def test_a_relative_network_is_refused(tmp_path, measure, capsys):
    folder = tmp_path / "relative"
    folder.mkdir()
    bright_is_far("irv2_unet").save(folder / "model.keras")
    assert call(calibrate, [folder, *measure(1.3), "--encoding", "minmax"]) == 2
    assert "so that no scale holds for another picture" in capsys.readouterr().err


def test_a_preset_and_a_keras_file_are_refused(run, measure, capsys):
    assert call(calibrate, ["mobile_interl_nyu", *measure(1.3)]) == 2
    assert "give a run folder" in capsys.readouterr().err
    assert call(calibrate, [run / "model.keras", *measure(1.3)]) == 2
    assert "give a run folder" in capsys.readouterr().err


@pytest.fixture
def recording(tmp_path):
    """Three RGB-D frames of steps in depth, which the network sees 1.3 times too near."""
    for name in ("rgb", "depth"):
        (tmp_path / "recording" / name).mkdir(parents=True)
    for i in range(3):
        gray = np.repeat(np.linspace(40 + 20 * i, 220, 6).astype(np.uint8), 16)
        pixels = np.broadcast_to(gray[None, :, None], (64, 96, 3))
        depth = (1.3 * 10 * gray / 255)[None] * np.ones((64, 1))
        depth[:20] = 0  # not measured
        folder = tmp_path / "recording"
        (folder / "rgb" / f"{i}.png").write_bytes(images.encode_png(np.ascontiguousarray(pixels)))
        stored = np.rint(1000 * depth).astype(np.uint16)
        (folder / "depth" / f"{i}.png").write_bytes(images.encode_png(stored))
    return tmp_path / "recording"


def test_frames_with_depth(run, recording, capsys):
    arguments = [run, "--frames", recording, "--data-option", "units_per_metre=1000"]
    assert call(calibrate, arguments) == 0
    stored = json.loads((run / "calibration.json").read_text())
    assert stored["scale"] == pytest.approx(1.3, rel=0.01) and stored["measures"] == 3
    assert "| 2.png" in capsys.readouterr().out


def test_frames_of_8_bits(run, recording, capsys):
    for file in (recording / "depth").iterdir():
        file.write_bytes(images.encode_png(np.full((64, 96), 99, np.uint8)))
    arguments = [run, "--frames", recording, "--data-option", "units_per_metre=1000"]
    assert call(calibrate, arguments) == 2
    assert "an 8-bit copy has lost the metres" in capsys.readouterr().err


def test_a_frame_without_depth(run, recording, capsys):
    file = recording / "depth" / "1.png"
    file.write_bytes(images.encode_png(np.zeros((64, 96), np.uint16)))
    arguments = [run, "--frames", recording, "--data-option", "units_per_metre=1000"]
    assert call(calibrate, arguments) == 2
    assert "1.png: hardly any depth was measured; leave this frame out" in capsys.readouterr().err
