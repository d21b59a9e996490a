import pytest

from keras_depth.data.folders.camera import find_camera, read_camera, write_camera
from keras_depth.errors import InputError
from keras_depth.geometry import NYU

GOOD = "focal_length: 360.769\nbaseline: 0.53273\n"


def read(tmp_path, text):
    file = tmp_path / "camera.yaml"
    file.write_text(text)
    return read_camera(file)


def test_what_a_file_says(tmp_path):
    camera = read(tmp_path, f"{GOOD}principal_point: [304.53, 86.658]\nsize: [188, 621]\n")
    assert camera.focal_baseline == pytest.approx(192.192, abs=1e-3)
    assert camera.principal_point == (304.53, 86.658) and camera.size == (188, 621)
    assert read(tmp_path, GOOD)[3:] == (None, None)
    assert read(tmp_path, "focal_length: 7e2\nbaseline: 1\n").focal_baseline == 700


def test_one_camera(tmp_path):
    """Without a second camera no baseline is needed."""
    file = tmp_path / "camera.yaml"
    write_camera(file, NYU, (480, 640))
    camera = read_camera(file, stereo=False)
    assert camera.intrinsics == NYU and camera.size == (480, 640)
    with pytest.raises(InputError, match="lacks baseline, the distance of the two cameras"):
        read_camera(file)
    file.write_text("focal_length: 500\n")
    camera = read_camera(file, stereo=False)
    assert camera.focal_length == (500, 500) and camera.intrinsics is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("focal_length: 360", "lacks baseline, the distance of the two cameras in metres; add it"),
        ("baseline: 0.5", "lacks focal_length, the focal length in pixels of the pictures; add it"),
        ("focal_length: 360\nbaseline: wide", "baseline is 'wide'; give the distance of the two"),
        ("focal_length: 360\nbaseline: 0", "baseline is 0; give the distance"),
        ("focal_length: -3\nbaseline: 1", "focal_length is -3; give the focal length in pixels"),
        ("focal_length: .nan\nbaseline: 1", "focal_length is nan; give"),
        (
            "focal_length: [9]\nbaseline: 1",
            "focal_length is [9]; give [x, y] in pixels, two numbers",
        ),
        ("focal_length: true\nbaseline: 1", "focal_length is True; give"),
        (GOOD + "principal_point: 3", "principal_point is 3; give [x, y] in pixels, two numbers"),
        (GOOD + "size: [188, 0]", "size is [188, 0]; give [height, width] in pixels"),
        (GOOD + "size: [188]", "size is [188]; give [height, width] in pixels"),
        (GOOD + "size:", "size is None; give [height, width] in pixels"),
        ("0.5", "is not `key: value` lines; write focal_length and baseline"),
        ("a: [", "not a YAML file"),
        ("focal_length: 0b_", "not a YAML file (invalid literal for int()"),
        ("baseline: 1\nbaseline: 2", "not a YAML file ('baseline' is given twice); correct it"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path}/camera.yaml: {sentence}")


def test_an_unknown_key_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match="'base_line': did you mean 'baseline'?"):
        read(tmp_path, "focal_length: 360\nbase_line: 0.5\n")


def test_pictures_of_another_size(tmp_path):
    picture = tmp_path / "left" / "1.png"
    sized = read(tmp_path, GOOD + "size: [188, 621]")
    sized.check_size(picture, (188, 621))
    with pytest.raises(InputError) as error:
        sized.check_size(picture, (376, 1242))
    assert str(error.value) == (
        f"{picture}: the picture is (376, 1242) but {tmp_path}/camera.yaml is for (188, 621) (rows,"
        " columns); write the focal length and the size of the stored pictures"
    )
    full = read(tmp_path, GOOD + "principal_point: [609, 172.9]")
    full.check_size(picture, (375, 1242))
    with pytest.raises(InputError, match="outside it, at x=609, y=172.9; write the camera of"):
        full.check_size(picture, (94, 310))


def test_the_nearest_file_counts(tmp_path):
    recording = tmp_path / "rig" / "monday" / "1"
    recording.mkdir(parents=True)
    (tmp_path / "camera.yaml").write_text(GOOD)
    with pytest.raises(InputError) as error:
        find_camera(recording, tmp_path / "rig")  # what is above the data set is not its own
    assert str(error.value).startswith(
        f"{recording}: stereo pairs need a camera.yaml here or in a folder above, up to"
        f" {tmp_path}/rig, with focal_length (pixels) and baseline (metres); write it"
    )
    for folder in (tmp_path / "rig", tmp_path / "rig" / "monday", recording):
        (folder / "camera.yaml").write_text(GOOD)
        assert find_camera(recording, tmp_path / "rig") == folder / "camera.yaml"
