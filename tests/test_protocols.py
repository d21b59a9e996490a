"""Protocols as data: what each one says, and how one is varied."""

import dataclasses

import pytest

from keras_depth import metrics, protocols
from keras_depth.errors import InputError

LINES = {
    "full": "no crop; depth > 0 m; flip none; resized as depth; alignment none; mean of images",
    "nyu_eigen": "crop 45:471, 41:601 of 480x640; 0.001 < depth < 10 m; flip none;"
    " resized as depth; alignment none; prediction clipped to 0.001..10 m; mean of images",
    "nyu_densedepth": "crop 20:460, 24:616 of 480x640; depth > 0 m; flip mean; resized as depth;"
    " alignment none; prediction clipped to 0.1..10 m; pooled pixels",
    "nyu_fastdepth": "truth resized by 0.5208; crop 11:239, 14:318 of 250x333; depth > 0 m;"
    " flip none; resized as depth; alignment none; mean of images",
    "ecmr2019": "crop 48:432, 64:576 of 480x640; depth > 0 m; flip none; resized as depth;"
    " alignment none; pooled pixels",
    "msfnet_nyu": "truth resized by 0.5; crop 6:234, 8:312 of 240x320; depth > 0 m; flip none;"
    " resized as depth; alignment none; mean of images, root last",
    "das2024": "crop 20:461, 24:617 of 480x640; depth > 0 m; flip none; resized as depth;"
    " prediction times 0.75; alignment none; mean of images;"
    " beware: the authors' code, not their paper, has the 0.75, for networks that write 10 m as 1;"
    " r2_pooled leaves out images outside 0..1; compare these numbers with no others",
    "wang_relative": "truth resized by 0.5; no crop; depth > 0 m; flip none; resized as depth;"
    " alignment none; mean of batches of 8 images;"
    " beware: its RMS is rms_rel here, a relative error without unit; holes are left out and truth"
    " is of the nearest pixels, where the authors' code scores holes as 0.1 m and interpolates;"
    " compare these numbers with no others",
    "kitti_eigen_garg": "crop 0.40810811:0.99189189, 0.03594771:0.96405229 of the size;"
    " 0.001 < depth < 80 m; flip none; resized as disparity; alignment none;"
    " prediction clipped to 0.001..80 m; mean of images",
    "kitti_eigen_garg_50m": "crop 0.40810811:0.99189189, 0.03594771:0.96405229 of the size;"
    " 0.001 < depth < 50 m; flip none; resized as disparity; alignment none;"
    " prediction clipped to 0.001..50 m; mean of images",
    "kitti_eigen_eigen": "crop 0.3324324:0.91351351, 0.0359477:0.96405229 of the size;"
    " 0.001 < depth < 80 m; flip none; resized as disparity; alignment none;"
    " prediction clipped to 0.001..80 m; mean of images",
    "kitti_eigen_benchmark": "no crop; depth > 0 m; flip none; resized as disparity;"
    " alignment none; prediction clipped to 0.001..80 m; mean of images",
    "kitti_stereo2015": "no crop; depth > 0 m; flip none; resized as disparity;"
    " alignment none; prediction clipped to 0.001..80 m; mean of images",
    "msfnet_kitti": "no crop; 0.001 < depth < 80 m; flip none; resized as depth;"
    " alignment none; mean of images, root last",
}


def test_names():
    assert list(protocols.PROTOCOLS) == list(LINES)
    for name in LINES:
        protocol = protocols.get(name)
        assert protocol.name == name and protocol.description and protocol.source
        assert protocol.changed == ()
    assert tuple(protocols.REDUCTIONS) == metrics.REDUCTIONS
    with pytest.raises(InputError, match="unknown protocol 'nyu_eigne': did you mean 'nyu_eigen'"):
        protocols.get("nyu_eigne")


@pytest.mark.parametrize("name", LINES)
def test_the_line_says_every_setting(name):
    assert protocols.get(name).line() == f"{name}: {LINES[name]}"


def test_a_varied_protocol_says_so():
    varied = protocols.get("kitti_eigen_garg", {"alignment": "median", "max_depth": 50})
    assert varied.alignment == "median" and varied.max_depth == 50
    assert varied.line() == (
        "kitti_eigen_garg (changed: alignment, max_depth):"
        " crop 0.40810811:0.99189189, 0.03594771:0.96405229 of the size; 0.001 < depth < 50 m;"
        " flip none; resized as disparity; alignment median; prediction clipped to 0.001..80 m;"
        " mean of images"
    )
    assert protocols.get("kitti_eigen_garg").alignment == "none", "the protocol itself stays"


def test_what_does_not_differ_is_no_change():
    same = {"alignment": "none", "max_depth": 80, "clip_prediction": [1e-3, 80]}
    assert protocols.get("kitti_eigen_garg", same) == protocols.get("kitti_eigen_garg")
    twice = protocols.vary(protocols.get("full", {"flip": "mean"}), {"flip": "ramp", "scale": 5.4})
    assert twice.changed == ("flip", "scale")


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("flip", "ramp", "ramp"),
        ("resize_as", "disparity", "disparity"),
        ("reduction", "root_last", "root_last"),
        ("scale", 5.4, 5.4),
        ("resize", 0.25, 0.25),
        ("min_depth", 1, 1),
        ("max_depth", 20.0, 20.0),
        ("crop", [0, 10, 5, 20], (0, 10, 5, 20)),
        ("crop", None, None),
        ("crop", "none", None),
        ("clip_prediction", [0.5, 20], (0.5, 20)),
        ("clip_prediction", None, None),
    ],
)
def test_every_setting_can_be_varied(key, value, kept):
    protocol = protocols.get("nyu_eigen", {key: value})
    assert getattr(protocol, key) == kept
    assert protocol.changed == (key,)


def test_a_crop_of_another_frame_needs_both():
    whole = {"crop": [0, 375, 0, 1242], "frame": [375, 1242]}
    assert protocols.get("kitti_eigen_garg", whole).changed == ("crop", "frame")
    with pytest.raises(InputError, match=r"crop \[0, 375, 0, 1242\] is not .* frame \[1, 1\]"):
        protocols.get("kitti_eigen_garg", {"crop": [0, 375, 0, 1242]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"aligment": "median"}, "unknown protocol setting 'aligment': did you mean 'alignment'"),
        ({"name": "mine"}, "unknown protocol setting 'name'"),
        ({"flip": "meen"}, "setting flip: 'meen': did you mean 'mean'"),
        ({"alignment": True}, "setting alignment: 'True'"),
        ({"max_depth": "far"}, "setting max_depth: 'far' is not a number"),
        ({"max_depth": True}, "setting max_depth: True is not a number"),
        ({"max_depth": None}, "setting max_depth: None is not a number"),
        ({"min_depth": float("nan")}, "setting min_depth: nan is not a number"),
        ({"crop": [1, 2, 3]}, r"setting crop: \[1, 2, 3\] is not \[top, bottom, left, right\], or"),
        ({"frame": 480}, r"setting frame: 480 is not \[height, width\]"),
        ({"clip_prediction": 80}, r"clip_prediction: 80 is not \[low, high\], or none"),
        ({"crop": [471, 45, 41, 601]}, "top, bottom, left, right within frame"),
        ({"crop": [45, 481, 41, 601]}, r"within frame \[480, 640\]"),
        ({"min_depth": 10}, "above min_depth 10 and below max_depth 10"),
        ({"min_depth": -1}, "above min_depth -1"),
        ({"clip_prediction": [10, 1]}, "a lower and a higher number of metres"),
        ({"scale": 0}, "scale must be a number above 0"),
        ({"resize": -1}, "resize must be a number above 0"),
        ({"resize": 5}, "resize must be a number above 0, and 1 at most"),
        ({"crop": [0.1, 0.2, 0.3, 0.4]}, r"crop .* is not in whole pixels of frame \[480, 640\]"),
        ({"crop": [5, 5, 41, 601]}, "top, bottom, left, right within frame"),
        ({"clip_prediction": [-2, -1]}, "a lower and a higher number of metres"),
        ({"frame": [0, 640]}, r"frame \[0, 640\] is no size; give \[height, width\], above 0"),
        ("x", "protocol settings 'x': give a dictionary"),
        ([], r"protocol settings \[\]: give a dictionary"),
    ],
)
def test_bad_changes(changes, message):
    with pytest.raises(InputError, match=message):
        protocols.get("nyu_eigen", changes)


def test_a_protocol_of_ones_own():
    own = protocols.Protocol("mine", "my frames", "me", crop=(0, 100, 0, 640), max_depth=5.0)
    assert own.line().startswith("mine: crop 0:100, 0:640 of 480x640; 0 < depth < 5 m;")
    with pytest.raises(InputError, match="protocol mine: no depth is above min_depth 5"):
        dataclasses.replace(own, min_depth=5.0)
