"""The command maps what it is given, and says in one sentence what it cannot use."""

import json
import shutil

import cv2
import keras
import numpy as np
import pytest

from keras_depth.data.rendered.walks import Walks
from keras_depth.images import encode_png
from keras_depth.map import __main__ as command
from keras_depth.map import drawing, mapping, sequences, trajectories
from keras_depth.map.trajectories import Trajectory
from tests.helpers.commands import call
from tests.helpers.files import write_file
from tests.helpers.write_bag import STORES, Stored, write_bag
from tests.helpers.write_tum import write_tum

COUNT = 16  # frames of the recordings


@pytest.fixture(scope="module")
def recordings(walk, tmp_path_factory):
    """tum/, pictures/ (without depth and camera) and film.avi: the first frames of the walk."""
    folder = tmp_path_factory.mktemp("recordings")
    samples = [
        {"image": image, "depth": depth}
        for image, depth in zip(walk.images[:COUNT], walk.depths[:COUNT], strict=True)
    ]
    write_tum(folder / "tum", samples, walk.truth.times[:COUNT], walk.truth.poses[:COUNT])
    film = cv2.VideoWriter(
        str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (160, 120)
    )
    for i, sample in enumerate(samples):
        write_file(folder / "pictures" / f"{i}.png", encode_png(sample["image"]))
        film.write(sample["image"][..., ::-1])
    film.release()
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network whose depth is known: 3 m times the mean of R, G and B."""
    folder = tmp_path_factory.mktemp("run")
    image = keras.Input((24, 32, 3), name="image")
    layer = keras.layers.Conv2D(1, 1, kernel_initializer=keras.initializers.Constant(1.0))
    keras.Model(image, layer(image), name="lite_basic_interl_t").save(folder / "model.keras")
    return folder


@pytest.fixture
def work(recordings, tmp_path, monkeypatch):
    """A working folder with copies of the recordings."""
    shutil.copytree(recordings, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(work, walk, capsys):
    """Runs the command: exit code, stdout, stderr."""

    def run(*arguments, camera=True):
        intrinsics = ["--intrinsics", ",".join(map(str, walk.intrinsics))] if camera else []
        code = call(command, [*arguments, "--output", "out", *intrinsics])
        return code, *capsys.readouterr()

    return run


def result(folder="out"):
    return json.loads((command.Path(folder) / "map.json").read_text())


def test_a_recording_with_its_own_depth(run, work, walk):
    code, out, err = run("truth", "tum", "--every", "2")
    assert (code, err) == (0, "")
    assert out.startswith("out: 16 frames, 0 lost, ")
    assert "against the truth: APE 0." in out and "F-score 1.00 at 5 cm" in out
    assert sorted(path.name for path in (work / "out").iterdir()) == [
        "above.png", "cloud.ply", "map.json", "trajectory.txt",
    ]  # fmt: skip
    path = trajectories.read(work / "out" / "trajectory.txt")
    np.testing.assert_allclose(path.times, walk.truth.times[:COUNT], atol=1e-6)
    np.testing.assert_allclose(path.poses[0], np.eye(4), atol=1e-8)
    stored = result()
    assert stored["frames"] == COUNT and stored["lost"] == [] and stored["points"] > 1000
    assert stored["errors"]["ape_se3_metres"]["rmse"] < 0.03
    assert stored["errors"]["map"]["accuracy_mean_metres"] < 0.03
    assert stored["network"] == "truth" and not stored["keyframe_scale"]
    assert set(stored["milliseconds_median"]) <= set(mapping.PARTS)
    assert f"element vertex {stored['points']}\n".encode() in (work / "out/cloud.ply").read_bytes()
    picture = cv2.imread(str(work / "out" / "above.png"))
    assert picture.shape == (1000, 1000, 3) and picture.std() > 10


def test_a_video_and_a_network(run, network):
    code, out, err = run(network, "film.avi")
    assert code == 0, err
    assert out.startswith(f"out: {COUNT} frames, ") and "next: " in out
    stored = result()
    assert stored["errors"] is None and stored["keyframe_scale"]
    assert stored["intrinsics"]["fx"] == pytest.approx(129.7, abs=0.1)


def test_how_many_frames_there_are_is_known_before(work, walk):
    write_recorded(work / "bag", walk)
    for name, count in (("film.avi", COUNT), ("bag", 5), ("pictures", COUNT), ("tum", COUNT)):
        assert sequences.find(name, sequences.Asked()).count == count


def test_depth_without_a_scale_is_warned_of(run, network):
    with pytest.warns(UserWarning, match="its metres are right by chance alone"):
        assert run(network, "film.avi", "--encoding", "minmax", "--frames", "3")[0] == 0


def test_the_network_runs_for_the_frames_that_need_depth(walk):
    from keras_depth.map.sequences import Frame

    asked = []

    def depth(frame):
        asked.append(frame.number)
        return walk.depths[frame.number]

    mapper = mapping.Mapper(depth, walk.intrinsics, mapping.Options(every=5))
    for i in range(10):
        mapper.add(Frame(i, i / 30, walk.images[i]))
    assert asked[0] == 0 and 5 in asked and len(asked) == len(set(asked)) < 8


def test_pictures_and_their_poses_of_a_file(run, network, work, walk):
    """The times of pictures are their numbers."""
    poses = Trajectory(np.arange(COUNT, dtype=float), walk.truth.poses[:COUNT])
    trajectories.write(work / "poses.txt", poses)
    code, out, _ = run(network, "pictures", "--ground-truth", "poses.txt", "--frames", "9")
    assert code == 0 and out.startswith("out: 9 frames, ")
    assert "against the truth: APE" in out and "map: accuracy" not in out


def test_a_rendered_walk_brings_all(run, monkeypatch):
    small = lambda count, seed, split: Walks(count, (120, 160), seed, split)  # noqa: E731
    monkeypatch.setattr("keras_depth.map.sequences.Walks", small)
    code, out, _ = run("truth", "walks:1", "--frames", "8", camera=False)
    assert code == 0 and out.startswith("out: 8 frames, 0 lost") and "map: accuracy" in out
    errors = result()["errors"]
    for kind in ("se3", "sim3"):  # of 1 cm from frame to frame
        assert errors[f"ape_{kind}_metres"]["rmse"] < 0.03
        assert errors[f"rpe_{kind}_metres"]["rmse"] < 0.01
    assert errors["rpe_degrees"]["rmse"] < 1


def test_one_recording_below_is_taken_with_its_files(run, work):
    """Its camera may be that of the folder above."""
    write_file(work / "top/camera.yaml", b"focal_length: 130\nprincipal_point: [81, 63]\n")
    (work / "tum").rename(work / "top/tum")
    code, out, _ = run("truth", "top", "--frames", "5", camera=False)
    assert code == 0 and "against the truth: APE" in out
    shutil.copytree(work / "top/tum", work / "top/second")
    code, _, err = run("truth", "top", camera=False)
    assert code == 2 and "top: holds 2 recordings, " in err and "second, " in err
    assert "; map one at a time" in err


def test_lists_of_times_in_any_order(run, work, walk):
    lines = (work / "tum/rgb.txt").read_text().splitlines()
    (work / "tum/rgb.txt").write_text("\n".join([*lines[::-1], *lines[-2:]]))
    code, out, _ = run("truth", "tum")
    assert code == 0 and out.startswith(f"out: {COUNT} frames, 0 lost")
    path = trajectories.read(work / "out" / "trajectory.txt")
    np.testing.assert_allclose(path.times, walk.truth.times[:COUNT], atol=1e-6)
    np.testing.assert_allclose(path.poses[0], np.eye(4), atol=1e-8)


@pytest.mark.parametrize("folder", ["tum", "pictures"])
def test_a_camera_file_of_another_size(run, work, network, folder):
    text = b"focal_length: 519\nprincipal_point: [100, 100]\nsize: [480, 640]\n"
    write_file(work / folder / "camera.yaml", text)
    code, _, err = run(network, folder, camera=False)
    assert code == 2 and "the picture is (120, 160) but " in err
    assert "camera.yaml is for (480, 640) (rows, columns)" in err
    assert run(network, folder, "--frames", "3")[0] == 0  # --intrinsics say it


def test_a_camera_file_beside_the_pictures(run, work):
    (work / "tum/camera.yaml").write_text(
        "focal_length: [129.7, 129.9]\nprincipal_point: [81.0, 63.1]\n"
    )
    assert run("truth", "tum", camera=False)[0] == 0
    assert result()["intrinsics"] == {"fx": 129.7, "fy": 129.9, "cx": 81.0, "cy": 63.1}


def write_recorded(folder, walk, info_size=(120, 160), damaged=(), with_depth=()):
    """Writes a bag of 5 pictures, of which some are damaged, and the depth of some; info_size
    None: without CameraInfo."""
    types = STORES["jazzy"].types
    messages = []
    for i in range(5):
        nanoseconds = 10**18 + i * 10**8
        stamp = types["builtin_interfaces/msg/Time"](sec=10**9, nanosec=i * 10**8)
        header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")

        def add(topic, kind, *values, header=header, nanoseconds=nanoseconds):
            message = types[f"sensor_msgs/msg/{kind}"](header, *values)
            messages.append(Stored(topic, f"sensor_msgs/msg/{kind}", nanoseconds, message))

        pixels = walk.images[i].ravel()[: 99 if i in damaged else None]
        add("/camera/image", "Image", 120, 160, "rgb8", 0, 480, pixels)
        if i in with_depth:
            depth = walk.depths[i].ravel().view(np.uint8)
            add("/camera/depth", "Image", 120, 160, "32FC1", 0, 640, depth)
        if info_size:
            region = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            fx, fy, cx, cy = walk.intrinsics
            k = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1])
            p = np.array([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0])
            lens = "plumb_bob", np.zeros(5), k, np.eye(3).ravel(), p
            add("/camera/camera_info", "CameraInfo", *info_size, *lens, 0, 0, region)
    write_bag(folder, messages)


def test_a_bag_brings_its_camera_and_its_times(run, work, network, walk):
    write_recorded(work / "bag", walk)
    code, out, err = run(network, "bag", camera=False)
    assert code == 0, err
    assert out.startswith("out: 5 frames, ")
    assert result()["intrinsics"]["fx"] == pytest.approx(walk.intrinsics.fx)
    first = [*trajectories.read(work / "out/trajectory.txt").times, None][0]
    assert first == 1e9
    assert "holds no depth" in run("truth", "bag", camera=False)[2]


def test_a_damaged_picture_of_a_bag_is_one_lost_frame(run, work, network, walk):
    write_recorded(work / "bag", walk, damaged=(0, 2))
    code, out, err = run(network, "bag", camera=False)
    assert code == 2 and out.startswith("out: 5 frames, 2 lost")
    assert err.count("error: bag: topic /camera/image, time ") == 2
    assert [each["frame"] for each in result()["lost"]] == [0, 2]


@pytest.mark.parametrize("info_size", [None, (480, 640)])
def test_intrinsics_in_place_of_those_of_a_bag(run, work, network, walk, info_size):
    write_recorded(work / "bag", walk, info_size)
    assert run(network, "bag")[::2] == (0, "")
    code, _, err = run(network, "bag", camera=False)
    assert code == 2 and ("nothing says its camera" in err) == (info_size is None)


def test_pictures_of_a_bag_without_depth_are_counted(run, work, walk):
    write_recorded(work / "bag", walk, with_depth=(0, 1, 3))
    with pytest.warns(UserWarning, match="bag: 2 of 5 pictures have no depth on /camera/depth"):
        code, out, _ = run("truth", "bag", camera=False)
    assert code == 0 and out.startswith("out: 3 frames, 0 lost")
    _, _, err = run("n", "bag", "--depth-topic", "/camera/depth", camera=False)
    assert "bag: --depth-topic is for truth, which uses that depth; leave it out" in err


def test_a_blank_wall_is_lost_and_said(run, work):
    for i in range(6):
        depth = np.full((120, 160), 2, np.float32)
        write_file(work / "white/rgb" / f"{i}.png", encode_png(np.full((120, 160, 3), 9, np.uint8)))
        np.save(make(work / "white/depth") / f"{i}.npy", depth)
    code, out, err = run("truth", "white")
    assert code == 0 and out.startswith("out: 6 frames, 6 lost, 0 keyframes, 0 points")
    assert "warning: 6 of 6 frames are lost (0, 1, 2, 3, 4, ...): too little in them can be" in err
    stored = result()
    assert [each["frame"] for each in stored["lost"]] == [*range(6)]
    assert (work / "out/above.png").is_file()


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_frames_that_cannot_be_used_are_lost_and_the_rest_is_mapped(run, work):
    (work / "tum/rgb/0.133333.png").write_bytes(b"no picture")
    other = encode_png(np.zeros((60, 80, 3), np.uint8))
    shutil.rmtree(work / "out", ignore_errors=True)
    (work / "tum/rgb/0.300000.png").write_bytes(other)
    code, out, err = run("truth", "tum")
    assert code == 2 and out.startswith("out: 16 frames, 2 lost")
    assert err.count("error: ") == 2 and "0.133333.png" in err and "0.300000.png" in err
    assert "too little in them" not in err
    assert [each["frame"] for each in result()["lost"]] == [4, 9]


def test_pictures_of_two_sizes(run, work, network):
    write_file(work / "pictures/7.png", encode_png(np.zeros((60, 80, 3), np.uint8)))
    code, out, err = run(network, "pictures")
    assert code == 2 and out.startswith("out: 16 frames, ")
    assert (
        "7.png: the picture is (60, 80), and the first one (120, 160) (rows, columns); give"
        " pictures of one camera, all of one size" in err
    )


def test_a_video_that_was_cut_keeps_what_was_mapped(run, work, network):
    content = (work / "film.avi").read_bytes()
    (work / "film.avi").write_bytes(content[: len(content) // 2])
    code, out, err = run(network, "film.avi")
    assert code == 2 and "error: film.avi: cut short or damaged" in err
    assert 4 < result()["frames"] < COUNT


def test_ctrl_c_writes_what_was_mapped(run, monkeypatch):
    add, count = mapping.Mapper.add, iter(range(99))

    def stop(self, frame):
        if next(count) == 5:
            raise KeyboardInterrupt
        return add(self, frame)

    monkeypatch.setattr(mapping.Mapper, "add", stop)
    code, out, err = run("truth", "tum")
    assert code == 130 and err == "interrupted\n"
    assert result()["stopped"] and result()["frames"] == 5


def test_ctrl_c_while_scoring_keeps_the_map(run, work, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_depth.map.results.score", stop)
    code, _, err = run("truth", "tum")
    assert code == 130 and err == "interrupted\n"
    assert result()["stopped"] and result()["errors"] is None
    assert len(trajectories.read(work / "out/trajectory.txt")) == COUNT


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["truth", "nowhere"], "nowhere: no such file or folder; give a video, a folder, a bag or"),
        (["truth", "film.avi"], "film.avi: has no depth of its own; give a network in the place"),
        (["truth", "pictures/1.png"], "pictures/1.png: one picture makes no map; give a video"),
        (["truth", "walks:x"], "walks:x: give the walk's number, a whole number from 0"),
        (["truth", "tum", "--intrinsics", "1,1,160,60"],
         "tum: the principal point x=160, y=60 is outside the pictures of 120x160"),
        (["truth", "tum", "--set", "data.units_per_meter=1"],
         "unknown setting 'data.units_per_meter': did you mean 'data.units_per_metre'?"),
        (["truth", "tum", "--set", "loss=l1"], "unknown setting 'loss'"),
        (["truth", "film.avi", "--set", "data.stereo=false"],
         "film.avi: --set data.stereo is for folders; leave it out"),
        (["truth", "pictures", "--set", "data.stereo=false"],
         "pictures: --set data.stereo is for recordings with depth"),
        (["truth", "tum", "--ground-truth", "short.txt"],
         "short.txt: holds 2 poses; to compare a path takes 3 or more"),
        (["nothing", "film.avi"], "nothing: no such file or folder, and no preset"),
        (["truth", "tum", "--encoding", "metric"], "truth: --encoding is for networks; leave it"),
        (["truth", "tum", "--focal-baseline", "9"], "truth: --focal-baseline is for networks"),
        (["truth", "tum", "--topic", "/image"], "tum: --topic is for bags; leave it out"),
        (["truth", "walks:1"], "walks:1: its camera is known exactly; leave out --intrinsics"),
        (["truth", "a.txt"], "a.txt: not a video, folder or bag; give a video (.mp4, .avi, .mov,"),
        (["truth", "a.mpg"], "a.mpg: a video that is not read; convert it to mp4 (H.264)"),
        (["truth", "A.BAG"], "A.BAG: cannot be read as a bag"),
        (["truth", "empty"], "empty: an empty folder; give one of pictures, or of rgb/ beside"),
        (["truth", "heic"], "heic: passed over 1 file (1 .heic); give folders by their names"),
        (["truth", "tum", "--ground-truth", "tum"], "tum: a folder; give the file of the true"),
        (["truth", "tum", "--ground-truth", "kitti.txt"],
         "kitti.txt, line 1: twelve numbers, as KITTI's poses have; write them as 'time tx ty"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(run, work, walk, arguments, message):
    trajectories.write(work / "short.txt", walk.truth.take(np.array([0, 1])))
    (work / "kitti.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n")
    (work / "empty").mkdir()
    for name in ("a.txt", "a.mpg", "A.BAG", "heic/1.heic"):
        write_file(work / name, b"nothing")
    code, out, err = run(*arguments, camera="--intrinsics" not in arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not [*(work / "out").glob("*")]


def test_disparity_needs_its_camera(run, network):
    code, out, err = run(network, "film.avi", "--encoding", "disparity", "--frames", "5")
    assert (code, out) == (2, "") and not command.Path("out").exists()
    assert "the network writes disparity, and nothing says what it comes to in metres; give" in err
    given = "--focal-baseline", "20"
    arguments = network, "film.avi", "--encoding", "disparity", "--frames", "5", *given
    code, out, _ = run(*arguments)
    assert code == 0 and out.startswith("out: 5 frames, 0 lost")
    _, _, err = run(network, "film.avi", *given)
    assert "the network writes metres, not disparity; leave out --focal-baseline" in err


def test_a_camera_that_nothing_says(run):
    code, _, err = run("truth", "tum", camera=False)
    assert code == 2 and err == (
        "error: tum: nothing says its camera; give --intrinsics FX,FY,CX,CY in pixels of the input"
        " pictures (NYU Depth v2 at 640x480 has 518.858,519.47,325.582,253.736)\n"
    )


def test_intrinsics_are_checked_at_the_first_picture_that_can_be_read(run, work):
    (work / "tum/rgb/0.000000.png").write_bytes(b"no picture")
    code, out, err = run("truth", "tum", "--intrinsics", "500,500,300,200", camera=False)
    assert (code, out) == (2, "") and "the principal point x=300, y=200 is outside" in err
    code, _, err = run("truth", "tum", "--intrinsics", "130,130,30,60", camera=False)
    assert code == 2 and (
        "warning: tum: the principal point x=30, y=60 is far from the middle of the pictures of"
        " 120x160 (height x width); are the intrinsics of pictures of this size?" in err
    )


def test_a_truth_of_a_part_gives_no_error_of_the_map(run, work, walk):
    """The rest of the map would count as wrong."""
    trajectories.write(work / "part.txt", walk.truth.take(np.arange(8)))
    code, out, _ = run("truth", "tum", "--ground-truth", "part.txt")
    assert code == 0 and "accuracy" not in out
    errors = result()["errors"]
    assert "map" not in errors and "frames in it have no true pose" in errors["no_map_error"]
    assert f"; no error of the map: {errors['no_map_error']}" in out


def test_the_map_is_compared_with_truth_of_the_same_frames(run, work):
    """Those of keyframes are fused too, also where the first frame cannot be read."""
    (work / "tum/rgb/0.000000.png").write_bytes(b"no picture")
    code, out, _ = run("truth", "tum", "--every", "1000")
    assert code == 2 and result()["errors"]["map"]["accuracy_mean_metres"] < 0.03


def test_too_few_poses_to_compare(run):
    code, _, err = run("truth", "tum", "--frames", "2")
    assert code == 0 and result()["errors"] is None
    assert err == "warning: not compared with the truth: 2 frames have a pose, and it takes 3\n"


def test_depth_that_is_none_is_said(run, work):
    for file in (work / "tum/depth").iterdir():
        write_file(file, encode_png(np.zeros((120, 160), np.uint16)))
    code, out, err = run("truth", "tum")
    assert code == 0 and out.startswith("out: 16 frames, 16 lost") and "followed" not in err
    assert (
        "warning: the depth of 16 frames is 0, negative or no number everywhere; check the"
        " network, or the unit of the recording" in err
    )


@pytest.mark.parametrize("options", [("--far", "0.1"), ("--voxel", "1e-7")])
def test_options_that_leave_no_point(run, options):
    code, out, err = run("truth", "tum", *options)
    assert code == 0 and " 0 points" in out
    assert "warning: no point is in the map: all depth is beyond --far" in err


def test_a_truth_of_other_times_is_said_and_the_map_kept(run, work, walk):
    late = Trajectory(walk.truth.times + 100, walk.truth.poses)
    trajectories.write(work / "late.txt", late)
    code, out, err = run("truth", "tum", "--ground-truth", "late.txt")
    assert code == 2 and out.startswith("out: 16 frames, 0 lost")
    assert "error: no estimated pose (0.00 to 0.50 s) is within 0.02 s of a true one" in err
    assert result()["errors"] is None


def test_output_in_the_input(run, capsys):
    call(command, ["truth", "tum", "--output", "tum/rgb", "--intrinsics", "1,1,1,1"])
    assert "--output tum/rgb: in the input, tum; give a folder" in capsys.readouterr().err
    call(command, ["truth", "tum", "--output", "tum", "--intrinsics", "1,1,1,1"])
    assert "--output tum: in the input, tum; give a folder outside it" in capsys.readouterr().err


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_up_is_found_by_floor_and_walls(turn):
    """A floor and two walls, seen by a camera that looks down or to the side."""
    rng = np.random.default_rng(0)
    flat = rng.uniform(0, 3, (3000, 2))
    zero = np.zeros(len(flat))
    floor = np.column_stack([flat, zero])
    walls = [np.column_stack([zero, flat]), np.column_stack([flat[:, 0], zero, flat[:, 1]])]
    points = np.concatenate([floor, *walls]) + rng.normal(0, 0.005, (9000, 3))
    guess = np.array([np.sin(turn), 0, np.cos(turn)])
    np.testing.assert_allclose(drawing.find_up(points, guess), [0, 0, 1], atol=0.02)


def test_an_output_that_cannot_be_written(run, work):
    (work / "out").write_text("a file")
    code, _, err = run("truth", "tum")
    assert code == 2 and "out: cannot be written" in err
