"""Scoring: known errors give known numbers, and every report says what it scored."""

import json
import re

import keras
import numpy as np
import pytest

from keras_depth import data, depth_png, images, protocols, published, recipes
from keras_depth.data import Reader
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator, frames
from keras_depth.evaluate.depth_maps import DepthMaps, write_ground_truth
from keras_depth.evaluate.report import Report
from keras_depth.models import create_model
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.run_folder import RunFolder
from tests.helpers.files import write_file

H, W = 48, 64


class Frames(Reader):
    """Two frames whose every pixel is 2 m and 4 m; half of the second is not measured."""

    description = "two frames"

    def __len__(self):
        return 2

    def stored(self, index):
        depth = np.full((H, W, 1), (2.0, 4.0)[index], "float32")
        if index == 1:
            depth[:24] = 0
        return {"image": np.zeros((H, W, 3), "uint8"), "depth": depth}

    def name(self, index):
        return f"frame {index}"

    def key(self, index):
        return f"frames/{index}"


class Pairs(Frames):
    """The same, with a focal length times baseline of 40 pixels * metres."""

    stereo = True

    def stored(self, index):
        sample = super().stored(index)
        return sample | {"right": sample["image"], "focal_baseline": np.float32(40)}


def constant(metres, fit=None):
    """A network that says `metres` everywhere."""
    image = keras.Input((H, W, 3))
    depth = keras.layers.Conv2D(
        1, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(metres)
    )(image)
    return DepthEstimator(keras.Model(image, depth), encoding="metric", fit=fit)


class Wide(Frames):
    """Frames of twice the width, whose middle is 2 m away, and what a crop cuts off 90 m."""

    def stored(self, index):
        depth = np.full((2 * H, 4 * W), 90, "float32")
        depth[:, W : 3 * W] = 2
        return {"image": np.zeros((2 * H, 4 * W, 3), "uint8"), "depth": depth}


@pytest.mark.parametrize("changes", [{}, {"flip": "mean"}, {"resize_as": "disparity"}])
def test_what_a_crop_cuts_off_is_not_scored(tmp_path, changes):
    report = evaluate(tmp_path, constant(3.0, "crop"), Wide(), **changes)
    scores = report.scores["model"]["pixel"]
    assert scores["abs_rel"] == pytest.approx(0.5) and 0.48 < report.seen <= 0.5
    assert report.valid_pixels / report.all_pixels == pytest.approx(report.seen)
    assert re.search(
        r"\| fit +\| crop: 4\d\.\d% of the frames is seen, and scored", report.to_markdown()
    )


def test_a_letterboxed_frame_is_scored_whole(tmp_path):
    for fit, line in (("letterbox", True), ("stretch", False)):
        report = evaluate(tmp_path / fit, constant(3.0, fit), Wide())
        assert report.scores["model"]["pixel"]["abs_rel"] == pytest.approx((0.5 + 87 / 90) / 2)
        assert ("letterbox" in report.to_markdown()) == line and report.seen == 1
        assert json.loads((tmp_path / fit / "report.json").read_text())["fit"] == fit


def red():
    """A network that takes the red channel for metres."""
    image = keras.Input((H, W, 3))
    return DepthEstimator(keras.Model(image, image[..., :1]), encoding="metric")


def evaluate(folder, predictor=None, reader=None, **options):
    protocol = options.pop("protocol", "full")
    changes = {
        key: options.pop(key)
        for key in list(options)
        if key not in ("mean_depth", "row", "canonical")
    }
    return evaluator.evaluate(
        predictor or constant(3.0),
        reader or Frames(),
        protocols.get(protocol, changes),
        folder,
        model="three metres",
        **options,
    )


def test_known_errors(tmp_path):
    report = evaluate(tmp_path)
    image, pixel = (report.scores["model"][key] for key in ("image", "pixel"))
    # |3 - 2| / 2 on the first frame, |3 - 4| / 4 on the second, which has half as many pixels.
    assert image["abs_rel"] == pytest.approx((0.5 + 0.25) / 2)
    assert pixel["abs_rel"] == pytest.approx((2 * 0.5 + 0.25) / 3)
    assert image["rmse"] == pixel["rmse"] == pytest.approx(1.0)
    # 3 / 2 and 4 / 3 lie between 1.25 and its square.
    assert image["delta1"] == 0 and image["delta2"] == 1
    assert "d1" not in image
    assert (report.valid_pixels, report.all_pixels) == (H * W * 3 // 2, 2 * H * W)
    assert report.frames == [
        {"name": "frame 0", "valid": 1.0, "abs_rel": pytest.approx(0.5)},
        {"name": "frame 1", "valid": 0.5, "abs_rel": pytest.approx(0.25)},
    ]


def test_what_is_written(tmp_path):
    report = evaluate(tmp_path, mean_depth=np.full((H, W), 2.0, "float32"))
    text = (tmp_path / "report.md").read_text()
    assert "2 frames, 4,608 of 6,144 pixels were valid (75.0%)" in text
    assert r"| abs_rel | 0.3750 | 0.2500 | mean \|p - t\| / t |" in text
    assert "REL is 1.50 of that of the mean training depth map." in text
    assert "| missing | none |" in text and "scale ratios" not in text
    assert "### By distance, pooled pixels" in text
    rows = re.findall(r"^\| [\d.]+(?: to [\d.]+)? m.*$", text, re.MULTILINE)
    assert len(rows) == len(report.distances) > 0
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["scores"] == report.scores
    assert stored["protocol"] == "full" and stored["environment"]["packages"]["tensorflow"]
    assert stored["missing"] == [] and stored["ratios"] is None and stored["changed"] == []
    assert (tmp_path / "figures" / "samples.png").stat().st_size > 10_000


def test_the_protocol_stands_over_the_tables(tmp_path):
    report = evaluate(tmp_path, protocol="ecmr2019", max_depth=3)
    lines = (tmp_path / "report.md").read_text().splitlines()
    line = protocols.get("ecmr2019", {"max_depth": 3}).line()
    assert line.startswith("ecmr2019 (changed: max_depth): crop 48:432, ")
    assert lines[lines.index("## Scores") :][:5] == [
        *("## Scores", "", line, ""),
        "### Pooled pixels, as the protocol's source has it",
    ]
    assert "### Mean of images" in lines
    assert report.summary().startswith(line)
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["line"] == line and stored["changed"] == ["max_depth"]


def test_a_reduction_of_its_own_is_a_third_table(tmp_path):
    """Hu's: the mean of the images' mean squares, and the root of that."""
    report = evaluate(tmp_path, constant(5.0), protocol="msfnet_nyu")
    scores = report.scores["model"]
    assert list(scores) == ["root_last", "image", "pixel"]
    assert scores["image"]["rmse"] == pytest.approx((3 + 1) / 2)
    assert scores["root_last"]["rmse"] == pytest.approx(np.sqrt((9 + 1) / 2))
    assert scores["root_last"]["abs_rel"] == scores["image"]["abs_rel"]
    # 114 of 228 rows are above the hole's end: rows 6 to 23 of 24, of which 0 to 11 are no truth.
    assert scores["pixel"]["rmse"] == pytest.approx(np.sqrt((2 * 9 + 1) / 3), rel=0.05)
    assert (
        "### Mean of images, root last, as the protocol's" in (tmp_path / "report.md").read_text()
    )


def test_the_published_row_stands_beside(tmp_path):
    row = published.row("irv2_unet", 4)
    report = evaluate(tmp_path, row=row)
    text = (tmp_path / "report.md").read_text()
    assert f"## Published: {row.name}, row 4 of irv2_unet" in text
    here = report.scores["model"]["image"]["abs_rel"]
    assert f"| abs_rel | {row.metrics['abs_rel']:g} | {here:.4f} |" in text
    assert (
        "- The protocol nearest to the paper's scoring is das2024; these numbers are under another."
        in text
    )
    assert "- Scored here: two frames." in text
    assert "- What can be reproduced: " + row.reproducible in text
    summary = report.summary()
    assert "published, IRv2, row 4 of irv2_unet: abs_rel 0.064  rmse 0.228" in summary
    assert "what can be reproduced: " + row.reproducible in summary
    assert json.loads((tmp_path / "report.json").read_text())["published"]["row"] == 4
    evaluate(tmp_path, row=row, protocol="das2024")
    assert "are under another" not in (tmp_path / "report.md").read_text()


def test_images_that_r2_leaves_out_are_counted(tmp_path, monkeypatch):
    """Of a slanted plane and of a wall, which does not vary; against a constant it is negative."""
    depth = np.linspace(1, 5, H, dtype="float32")[:, None, None] * np.ones((H, W, 1), "float32")
    images = [
        {"image": np.repeat(depth, 3, axis=2) / 5, "depth": depth},
        {"image": np.ones((H, W, 3), "float32"), "depth": np.full((H, W, 1), 2, "float32")},
    ]
    monkeypatch.setattr(Frames, "stored", lambda self, index: images[index])
    known = evaluate(tmp_path, red(), protocol="das2024", scale=5, mean_depth=np.ones((H, W)) * 9)
    assert known.scores["model"]["image"]["r2_pooled"] == pytest.approx(1, abs=1e-4)
    assert "r2_pooled" not in known.scores["mean training depth"]["image"]
    assert [frame["r2_pooled"] is None for frame in known.frames] == [False, True]
    text = (tmp_path / "report.md").read_text()
    assert "of 1 of 2 images, the others' are undefined or not in 0..1" in text
    assert "| r2_pooled | 1.0000 |  |" in text


def test_das2024_takes_7_5_metres_for_1(tmp_path):
    """The authors' 10 m are the encoding's, their 0.75 the protocol's."""
    image = keras.Input((H, W, 3))
    one = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", bias_initializer="ones")(image)
    network = DepthEstimator(keras.Model(image, one), encoding="minmax")
    report = evaluate(tmp_path, network, protocol="das2024")
    rel = [5.5 / 2, 3.5 / 4]
    assert [frame["abs_rel"] for frame in report.frames] == pytest.approx(rel)
    report = evaluate(tmp_path, network, protocol="das2024", mean_depth=np.full((H, W), 3.0))
    mean = report.scores["mean training depth"]["image"]["abs_rel"]
    assert mean == pytest.approx((1 / 2 + 1 / 4) / 2), "the mean map is metres, not times 0.75"
    assert "beware: the authors' code, not their paper, has the 0.75" in report.line


def test_wang_s_batches_are_of_eight_frames(tmp_path, monkeypatch):
    """Of the first eight frames together the root of the mean square, then of the ninth alone."""
    truths = [2.0] * 4 + [4.0] * 5
    monkeypatch.setattr(Frames, "__len__", lambda self: 9)
    monkeypatch.setattr(
        Frames,
        "stored",
        lambda self, index: {
            "image": np.zeros((H, W, 3), "uint8"),
            "depth": np.full((H, W, 1), truths[index], "float32"),
        },
    )
    scores = evaluate(tmp_path, protocol="wang_relative").scores["model"]["batch"]
    first = np.sqrt((0.5**2 + 0.25**2) / 2)
    assert scores["rms_rel"] == pytest.approx((first + 0.25) / 2)


def test_alignment_and_its_ratios(tmp_path):
    report = evaluate(tmp_path, alignment="median", mean_depth=np.full((H, W), 9.0, "float32"))
    for scores in report.scores.values():
        assert scores["image"]["abs_rel"] == pytest.approx(0, abs=1e-6), (
            "any constant fits, aligned"
        )
    # 2 / 3 and 4 / 3: median 1, and ratio / median deviates by 1/3 on either side.
    assert [frame["ratio"] for frame in report.frames] == pytest.approx([2 / 3, 4 / 3])
    assert report.ratios == pytest.approx({"median": 1.0, "std": 1 / 3})
    text = "median 1.000, std of ratio / median 0.333"
    assert f"| scale ratios | {text} |" in (tmp_path / "report.md").read_text()
    assert f"  scale ratios: {text}" in report.summary()
    assert json.loads((tmp_path / "report.json").read_text())["ratios"] == report.ratios


def test_frames_without_truth_have_no_ratio(tmp_path):
    report = evaluate(tmp_path, alignment="median", max_depth=3)
    assert [frame["ratio"] for frame in report.frames] == [pytest.approx(2 / 3), None]
    assert report.ratios == pytest.approx({"median": 2 / 3, "std": 0})


def test_flip_asks_the_network_twice(tmp_path, monkeypatch):
    """Red to the left is near; in the mirrored picture, and mirrored back, it is the same."""
    picture = np.zeros((H, W, 3), "uint8")
    picture[..., 0] = np.linspace(51, 255, W)
    depth = picture[..., :1] / np.float32(255)
    monkeypatch.setattr(Frames, "stored", lambda self, index: {"image": picture, "depth": depth})
    for flip in ("none", "mean", "ramp"):
        report = evaluate(tmp_path, red(), flip=flip)
        assert report.scores["model"]["image"]["abs_rel"] == pytest.approx(0, abs=1e-6), flip
    # A network that looks at the place and not at the picture: the mean is the same everywhere.
    image = keras.Input((H, W, 3))
    place = 0 * image[..., :1] + depth
    biased = DepthEstimator(keras.Model(image, place), encoding="metric")
    assert evaluate(tmp_path, biased).scores["model"]["image"]["abs_rel"] == pytest.approx(
        0, abs=1e-6
    )
    report = evaluate(tmp_path, biased, flip="mean")
    both = (depth + depth[:, ::-1]) / 2
    expected = np.mean(np.abs(both - depth) / depth)
    assert report.scores["model"]["image"]["abs_rel"] == pytest.approx(expected, rel=1e-5)


def test_what_the_network_computes_is_resized_once(tmp_path):
    """From the network's own size to the truth's, as disparity where the protocol says so."""
    image = keras.Input((H, W, 3))
    half = np.tile(np.float32([[1], [4]]), (H // 4, W // 2)).reshape(H // 2, W // 2, 1)
    small = keras.layers.AveragePooling2D(2)(image)
    depth = 0 * small[..., :1] + half
    rows = DepthEstimator(keras.Model(image, depth), encoding="metric")
    error = {}
    for resize_as in ("depth", "disparity"):
        report = evaluate(tmp_path, rows, resize_as=resize_as, max_depth=3)  # the frame of 2 m
        error[resize_as] = report.scores["model"]["image"]["abs_rel"]
    # Rows of 1, 4, 1, 4 ... m: between them lie 1.75 and 3.25, or 1 / 0.8125 and 1 / 0.4375.
    inner = {"depth": (1.75, 3.25), "disparity": (1 / 0.8125, 1 / 0.4375)}
    for resize_as, values in inner.items():
        all_rows = np.array([1, 4, *(H // 2 - 1) * values])
        expected = np.mean(np.abs(all_rows - 2) / 2)
        assert error[resize_as] == pytest.approx(expected, rel=1e-5)


def test_d1_of_stereo_frames(tmp_path):
    # Disparities: true 40 / 2 = 20 and 40 / 4 = 10 pixels, predicted 40 / 3: 6.7 and 3.3 off.
    report = evaluate(tmp_path, reader=Pairs(), mean_depth=np.full((H, W), 2.2, "float32"))
    assert report.scores["model"]["image"]["d1"] == 1
    # 40 / 2.2 = 18.2: 1.8 off, and 8.2.
    baseline = report.scores["mean training depth"]
    assert baseline["image"]["d1"] == pytest.approx(1 / 2)
    assert baseline["pixel"]["d1"] == pytest.approx(1 / 3)
    assert "| d1 | 1.0000 | 0.5000 | share of disparities" in (tmp_path / "report.md").read_text()
    assert "d1 1.000" in report.summary()


def test_d1_is_of_the_unclipped_prediction(tmp_path):
    # 40 / 20 is 8 pixels off 40 / 4; clipped to 5 m, 40 / 5 would be 2 pixels off.
    clipped = {"clip_prediction": [0.001, 5], "min_depth": 3}
    report = evaluate(tmp_path, constant(20.0), Pairs(), **clipped)
    assert report.scores["model"]["pixel"]["d1"] == 1
    assert report.scores["model"]["pixel"]["rmse"] == pytest.approx(1)


def test_missing_frames_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Frames, "missing", [f"{i}.bin" for i in range(5)])
    report = evaluate(tmp_path)
    text = "5 frames of the list: 0.bin, 1.bin, 2.bin, ... (report.json names all)"
    assert f"| missing | {text} |" in (tmp_path / "report.md").read_text()
    assert f"  missing: {text}" in report.summary()
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["missing"] == [f"{i}.bin" for i in range(5)]


def test_true_depth_scored_as_a_prediction(tmp_path):
    write_ground_truth(Frames(), tmp_path / "truth")
    stored = DepthMaps(tmp_path / "truth", Frames())
    report = evaluate(tmp_path, stored)
    values = report.scores["model"]["pixel"]
    assert values["abs_rel"] == 0 and values["rmse"] == 0 and values["delta1"] == 1
    assert report.valid_pixels == H * W * 3 // 2


def test_stored_predictions_cannot_be_mirrored(tmp_path):
    np.save(tmp_path / "all.npy", np.full((2, H // 2, W // 2), 3.0))
    report = evaluate(tmp_path, DepthMaps(tmp_path / "all.npy", Frames()), flip="mean")
    assert report.scores["model"]["image"]["abs_rel"] == pytest.approx((0.5 + 0.25) / 2)
    assert report.line.startswith("full: no crop; depth > 0 m; flip none;"), "back at its own"
    protocol = protocols.get("nyu_densedepth")
    assert (
        protocols.vary(protocol, {"flip": "none"})
        .line()
        .startswith("nyu_densedepth (changed: flip)")
    )
    with pytest.raises(InputError, match="leave out flip"):
        evaluator.evaluate_depth_maps(
            tmp_path / "all.npy", frames.Frames("rooms"), changes={"flip": "ramp"}
        )


def test_a_perfect_baseline_is_not_divided_by(tmp_path):
    report = evaluate(tmp_path, mean_depth=np.full((H, W), 2.0, "float32"), max_depth=3)
    assert report.scores["mean training depth"]["image"]["abs_rel"] == 0
    assert "of that of" not in (tmp_path / "report.md").read_text()


def test_errors_name_the_frame(tmp_path):
    with pytest.raises(InputError, match="frame 0: the median prediction is 0"):
        evaluate(tmp_path, constant(-3.0), alignment="median")


@pytest.mark.parametrize(
    ("name", "options", "protocol"),
    [
        ("rooms", {}, "full"),
        ("nyu", {"depth": "raw"}, "nyu_eigen"),
        ("kitti", {}, "kitti_eigen_garg"),
        ("kitti", {"list": "eigen"}, "kitti_eigen_garg"),
        ("kitti", {"list": "eigen_benchmark"}, "kitti_eigen_benchmark"),
        ("kitti", {"list": "stereo2015"}, "kitti_stereo2015"),
        ("folder", {}, "full"),
    ],
)
def test_the_usual_protocol_of_the_data(tmp_path, monkeypatch, name, options, protocol):
    asked = []

    def opened(*arguments, **options):
        asked.append((*arguments, options))
        return Frames()

    monkeypatch.setattr(frames, "open_reader", opened)
    np.save(tmp_path / "all.npy", np.full((2, 480, 640), 3.0))
    monkeypatch.setattr(Frames, "stored", lambda self, index: _large())
    report, folder = evaluator.evaluate_depth_maps(
        tmp_path / "all.npy", frames.Frames(name, "there", options=options)
    )
    assert report.protocol.name == protocol
    count = {"count": 64} if name == "rooms" else {}
    assert asked == [(name, "there", None, {**count, **options})]
    settings = "".join(f"-{key}={value}" for key, value in options.items())
    assert folder == tmp_path / "all" / "evaluation" / f"{name}-there-{protocol}{settings}"
    assert (folder / "report.md").exists()


def _large():
    return {"image": np.zeros((480, 640, 3), "uint8"), "depth": np.full((480, 640), 2.0)}


def test_what_is_scored_differently_lies_beside(tmp_path):
    np.save(tmp_path / "all.npy", np.full((2, 24, 32), 3.0))
    folders = {
        evaluator.evaluate_depth_maps(
            tmp_path / "all.npy",
            frames.Frames("rooms", options={"count": 2, "size": [24, 32], **options}),
            changes=changes,
        )[1].name
        for options, changes in [
            ({}, {}),
            ({"holes": True}, {}),
            ({}, {"clip_prediction": [0.5, 9.5]}),
        ]
    }
    assert folders == {
        "rooms-full-count=2-size=-24-32",
        "rooms-full-count=2-size=-24-32-holes=True",
        "rooms-full-clip_prediction=-0.5-9.5-count=2-size=-24-32",
    }


def test_reports_of_two_data_sets_never_share_a_folder(tmp_path):
    """Nor does one replace the other's: two folders of one name, or an --output that is taken."""
    for depth, place in ((2, "a/robot"), (3, "b/robot")):
        for index in range(2):
            rgb = images.encode_png(np.zeros((H, W, 3), "uint8"))
            write_file(tmp_path / place / f"rgb/{index}.png", rgb)
            write_file(
                tmp_path / place / f"depth/{index}.png",
                depth_png.encode(np.full((H, W), depth, "float32")),
            )
    np.save(tmp_path / "all.npy", np.full((2, H, W), 3.0))

    def score(place, output=None):
        options = {"units_per_metre": 1000}
        folder = frames.Frames("folder", tmp_path / place, options=options)
        return evaluator.evaluate_depth_maps(tmp_path / "all.npy", folder, output=output)[1]

    first, second = score("a/robot"), score("b/robot")
    assert first != second and second.name.startswith(first.name)
    assert (score("a/robot"), score("b/robot")) == (first, second), "the same again"
    for folder, rel in ((first, 0.5), (second, 0)):
        report = json.loads((folder / "report.json").read_text())
        assert report["scores"]["model"]["image"]["abs_rel"] == rel
    before = (first / "report.md").read_bytes()
    with pytest.raises(InputError, match=r"holds the report of other frames \(folder in .*a/robot"):
        score("b/robot", output=first)
    assert (first / "report.md").read_bytes() == before
    assert score("a/robot", output=first) == first


def test_scores_are_not_lost_where_the_report_cannot_be_written(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise InputError("report.json: cannot be written (No space left on device)")

    np.save(tmp_path / "all.npy", np.full((2, 24, 32), 3.0))
    monkeypatch.setattr(Report, "write", full)
    rooms = frames.Frames("rooms", options={"count": 2, "size": [24, 32]})
    with pytest.raises(InputError, match="No space left"):
        evaluator.evaluate_depth_maps(tmp_path / "all.npy", rooms)
    assert "model, mean of images: abs_rel" in capsys.readouterr().out


def test_nothing_to_score(tmp_path, monkeypatch):
    empty = {"image": np.zeros((H, W, 3), "uint8"), "depth": np.zeros((H, W, 1), "float32")}
    monkeypatch.setattr(Frames, "stored", lambda self, index: empty)
    with pytest.raises(InputError, match="no pixel has a depth that protocol full scores"):
        evaluate(tmp_path / "out")
    assert not list((tmp_path / "out").rglob("report*"))


def test_frames_without_depth_are_refused(tmp_path):
    class Blind(Frames):
        measured = False

    with pytest.raises(InputError, match="two frames: there is no depth to score with; choose it"):
        evaluate(tmp_path, reader=Blind())


def test_depth_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(InputError, match="frame 0: the model's depth holds NaN"):
        evaluate(tmp_path, constant(float("nan")))


@pytest.mark.slow
def test_rendered_frames_are_called_so(tmp_path):
    create_model("lite_basic_interl_t", (48, 64, 3)).save(tmp_path / "net.keras")
    report, folder = evaluator.evaluate_run(tmp_path / "net.keras", frames.Frames("rooms"))
    assert folder == tmp_path / "net" / "evaluation" / "rooms-full"
    assert report.rendered and len(report.frames) == 64
    for text in (report.summary(), (folder / "report.md").read_text()):
        assert "say nothing about NYU" in text


@pytest.mark.slow
def test_other_data_has_no_published_row(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    trained = recipes.load("row15_lite_basic_interl_t", [f"data.dir={tmp_path}", "size=[48, 64]"])
    folder.begin(trained)
    create_model("lite_basic_interl_t", (48, 64, 3)).save(folder.model_file)
    monkeypatch.setattr(recipes, "open_reader", lambda *args, **options: Frames())
    report, _ = evaluator.evaluate_run(folder.path)
    assert report.published.row == 15
    options = {"count": 2, "size": [48, 64]}
    report, _ = evaluator.evaluate_run(folder.path, frames.Frames("rooms", options=options))
    assert report.published is None


def test_a_model_alone_needs_frames(tmp_path):
    create_model("lite_basic_interl_t", (48, 64, 3)).save(tmp_path / "net.keras")
    with pytest.raises(InputError, match="give --data"):
        evaluator.evaluate_run(tmp_path / "net.keras")


def test_real_frames(tmp_path, samples):
    """Two frames of NYU Depth v2 in the layout of BTS' release."""
    create_model("lite_basic_interl_t", (96, 128, 3)).save(tmp_path / "net.keras")
    report, folder = evaluator.evaluate_run(
        tmp_path / "net.keras", frames.Frames("nyu", samples / "nyu" / "sync")
    )
    assert report.protocol.name == "nyu_eigen" and not report.rendered
    assert len(report.frames) == 2
    reader = data.open_reader("nyu", samples / "nyu" / "sync", None)
    inside = [reader[i]["depth"][45:471, 41:601] for i in range(2)]
    assert report.valid_pixels == sum(int((depth > 0).sum()) for depth in inside)
    assert f"{report.valid_pixels:,} of 477,120 pixels were valid" in report.summary()


def test_rendered_drives(tmp_path):
    """With a right picture they have disparities, and their own size is the default."""
    np.save(tmp_path / "all.npy", np.full((1, 8, 16), 10.0))
    options = {"count": 1, "stereo": True, "size": [32, 104]}
    report, folder = evaluator.evaluate_depth_maps(
        tmp_path / "all.npy", frames.Frames("drives", options=options)
    )
    assert report.protocol.name == "full" and report.rendered
    assert 0 <= report.scores["model"]["image"]["d1"] <= 1
    assert "# Depth on rendered frames" in (folder / "report.md").read_text()


def test_real_drives(tmp_path, samples):
    """One LiDAR scan of KITTI, written and scored; and what its x is off its z."""
    options = {"max_missing": 1, "stereo": True}
    reader = data.open_reader("kitti", samples / "kitti_raw", None, depth="lidar", **options)
    write_ground_truth(reader, tmp_path)
    lidar = {**options, "depth": "lidar"}
    report, _ = evaluator.evaluate_depth_maps(
        tmp_path, frames.Frames("kitti", samples / "kitti_raw", options=lidar)
    )
    assert report.protocol.name == "kitti_eigen_garg" and len(report.missing) == 696
    assert report.all_pixels == (371 - 153) * (1197 - 44)
    inside = reader[0]["depth"][153:371, 44:1197]
    assert report.valid_pixels == int(((inside > 1e-3) & (inside < 80)).sum()) > 10_000
    values = report.scores["model"]["image"]
    assert values["abs_rel"] < 2e-4 and values["rmse"] < 0.003 and values["d1"] == 0
    lidar_x = {**options, "depth": "lidar_x"}
    other, _ = evaluator.evaluate_depth_maps(
        tmp_path, frames.Frames("kitti", samples / "kitti_raw", options=lidar_x)
    )
    assert 0.01 < other.scores["model"]["image"]["abs_rel"] < 0.05


def test_a_stereo_network_is_scored_with_and_without_its_mirrored_picture(tmp_path):
    """In metres by each frame's own camera; the blend is monodepth's."""
    left = np.linspace(0.02, 0.2, W, dtype="float32")  # the same whatever the picture
    image = keras.Input((H, W, 3))
    maps = 0 * image[..., :2] + np.tile(left[:, None], (H, 1, 2))
    estimator = DepthEstimator(keras.Model(image, maps), encoding="disparity")
    report = evaluate(tmp_path, estimator, Pairs())
    assert list(report.scores) == ["model", "model, flip ramp"]
    ramp = 1 - np.clip(20 * (np.linspace(0, 1, W, dtype="float32") - 0.05), 0, 1)
    other = left[::-1]
    blend = ramp[::-1] * left + ramp * other + (1 - ramp - ramp[::-1]) * (left + other) / 2
    for name, disparity in zip(report.scores, (left, blend), strict=True):
        depth = 40 / (disparity * W)
        errors = [np.mean(np.abs(depth - truth) / truth) for truth in (2, 4)]
        assert report.scores[name]["image"]["abs_rel"] == pytest.approx(
            np.mean(errors), rel=1e-5
        ), name
        assert "d1" in report.scores[name]["image"]
    assert "|  | model | model, flip ramp |  |" in (tmp_path / "report.md").read_text()
    assert list(evaluate(tmp_path, estimator, Pairs(), flip="mean").scores) == ["model"]


def test_metres_of_a_canonical_camera(tmp_path):
    """A camera of 20 pixels: what one of 10 sees at 1 and 2 m is at 2 and 4 m."""

    class Seen(Frames):
        def stored(self, index):
            camera = {"focal_length": np.array([40, 10], np.float32)}
            return super().stored(index) | camera

    predictor = constant(1.0)
    predictor.focal_length = (10.0, 10.0)
    report = evaluate(tmp_path, predictor, Seen(), canonical=True)
    assert [frame["abs_rel"] for frame in report.frames] == pytest.approx([0, 0.5])
    plain = evaluate(tmp_path, predictor, Seen())
    assert [frame["abs_rel"] for frame in plain.frames] == pytest.approx([0.5, 0.75])
    with pytest.raises(InputError, match="frame 0: its focal length is not known, which"):
        evaluate(tmp_path, predictor, Frames(), canonical=True)
