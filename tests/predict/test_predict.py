import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from keras_depth import colormap, command, geometry, images
from keras_depth.errors import InputError
from keras_depth.predict import __main__ as predict
from keras_depth.predict import image_sources

REPOSITORY = Path(__file__).parents[2]
NO_PICTURE = "not a picture; give one of JPEG, PNG, PPM, BMP, WEBP, TIFF"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A network whose depth is known: 10 m times the mean of R, G and B."""
    folder = tmp_path_factory.mktemp("run")
    image = keras.Input((32, 48, 3), name="image")
    layer = keras.layers.Conv2D(1, 1, kernel_initializer=keras.initializers.Constant(10 / 3))
    keras.Model(image, layer(image), name="lite_basic_interl_t").save(folder / "model.keras")
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder: what the commands say is about relative paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(run_folder, capsys, monkeypatch):
    """Runs the command as `python -m keras_depth.predict RUN ...`: exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["predict", str(run_folder), *arguments])
        with pytest.raises(SystemExit) as leaving:
            command.run(predict.main)
        out, err = capsys.readouterr()
        return leaving.value.code, out, err

    return run


def picture(path, level=51, size=(40, 60)):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), level, np.uint8))


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def read(path):
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return pixels


def test_a_picture_becomes_millimetres_and_colors(run, work):
    picture("room.png", level=51)  # 51 / 255 of 10 m
    code, out, err = run("room.png", "--output", "out")
    assert (code, err) == (0, "")
    assert files("out") == ["room_color.png", "room_depth.png"]
    depth = read("out/room_depth.png")
    assert depth.dtype == np.uint16 and depth.shape == (40, 60) and (depth == 2000).all()
    assert read("out/room_color.png").shape == (40, 66, 3)
    line, following = out.splitlines()
    assert line.startswith("out: 1 picture, ") and "2.00 / 2.00 / 2.00 m (min / median" in line
    assert following.startswith("next: ") and following.endswith(" --format saved_model")


def test_all_formats(run, work):
    cv2.imwrite(
        "room.png", np.tile(np.linspace(0, 255, 60).astype(np.uint8)[None, :, None], (40, 1, 3))
    )
    code, *_ = run(
        "room.png", "--output", "a/b", "--format", "npy,png,ply,color", "--range", "0,10",
        "--intrinsics", "50,50,29.5,19.5",
    )  # fmt: skip
    assert code == 0
    assert files("a/b") == ["room_cloud.ply", "room_color.png", "room_depth.npy", "room_depth.png"]
    depth = np.load("a/b/room_depth.npy")
    assert depth.dtype == np.float32 and depth.shape == (40, 60)
    np.testing.assert_array_equal(read("a/b/room_depth.png"), np.rint(1000 * depth))
    color = read("a/b/room_color.png")[..., ::-1]
    np.testing.assert_array_equal(color, colormap.colorize_with_bar(depth, 0, 10))
    pinhole = geometry.Intrinsics(50, 50, 29.5, 19.5)
    rgb = images.read("room.png")[geometry.measured(depth)]
    geometry.write_ply("expected.ply", geometry.back_project(depth, pinhole), rgb)
    assert Path("a/b/room_cloud.ply").read_bytes() == Path("expected.ply").read_bytes()


def test_another_camera_and_shape(run, run_folder, work):
    """Metres follow the focal length, which is said once; a wide picture is not stretched."""
    (run_folder / "camera.json").write_text('{"focal_length": [24, 24], "size": [32, 48]}')
    try:
        for name in ("a", "b"):
            picture(f"in/{name}.png", level=51, size=(40, 120))  # 2 m
        # 120 pixels become 48: the focal length of 60 becomes 24; stretched, 24 by 48.
        given = ("--intrinsics", "60,60,59.5,19.5", "--format", "npy")
        code, out, err = run("in", "--output", "out", "--fit", "letterbox", *given)
        assert (code, err) == (0, "")
        assert out.splitlines()[0] == (
            "metres x 1: these pictures' focal length is 24 pixels at 32x48, the network's camera"
            " has 24"
        )
        assert out.count("metres x") == 1
        np.testing.assert_allclose(np.load("out/b_depth.npy"), 2, rtol=1e-5)
        code, out, _ = run("in", "--output", "out", *given)
        assert code == 0 and out.startswith("metres x 1.41: ")
        np.testing.assert_allclose(np.load("out/b_depth.npy"), 2 * 2**0.5, rtol=1e-5)
    finally:
        (run_folder / "camera.json").unlink()


def test_stills_have_their_own_colors_and_a_range_makes_them_equal(run, work):
    picture("in/a.png", 50)
    picture("in/b.png", 200)
    run("in", "--output", "own", "--format", "color")
    run("in", "--output", "same", "--format", "color", "--range", "0,10")
    own, same = [[read(f"{d}/{n}_color.png")[0, 0] for n in "ab"] for d in ("own", "same")]
    assert (own[0] == own[1]).all() and (same[0] != same[1]).any()


def test_far_depth_is_said():
    summary = predict.Summary(clipped=2)
    summary.add(np.array([[1.0, 80.0]], np.float32), 0.005)
    assert "2 pixels beyond 65.535 m are 65.535 m" in str(summary)


def test_the_time_of_one_picture_is_that_of_the_set_up_too():
    summary = predict.Summary()
    summary.add(np.ones((2, 2), np.float32), 0.51)
    assert str(summary).startswith("1 picture, 510.0 ms with the network's set-up, 1.00 / 1.00")
    summary.add(np.ones((2, 2), np.float32), 0.005)
    summary.add(np.ones((2, 2), np.float32), 0.007)
    assert str(summary).startswith("3 pictures, 6.0 ms each (median after the first), 1.00 / 1.00")


def test_the_old_spelling_of_color_is_taken_with_a_warning(run, work):
    picture("a.png")
    code, _, err = run("a.png", "--output", "out", "--format", "npy,colour")
    assert (code, err) == (0, "warning: --format colour is now spelled color\n")
    assert files("out") == ["a_color.png", "a_depth.npy"]


def test_a_folder_is_taken_in_order_and_without_other_files(run, work):
    for name in ("b.JPG", "a.png", "c.bmp", "d.ppm", "e.tif"):
        picture(f"in/{name}")
    cv2.imwrite("in/f.pgm", np.full((40, 60), 51, np.uint8))
    for name in ("._a.jpg", ".DS_Store", "Thumbs.db"):  # of macOS and Windows
        Path("in", name).write_text("hello")
    code, out, err = run("in", "--output", "out", "--format", "npy")
    assert (code, err) == (0, "") and out.startswith("out: 6 pictures")
    assert files("out") == [f"{name}_depth.npy" for name in "abcdef"]
    assert [source.name for source in image_sources.find(["in"])] == list("abcdef")
    picture("numbered/10.png"), picture("numbered/9.png")
    assert [source.name for source in image_sources.find(["numbered"])] == ["9", "10"]


def test_what_is_passed_over_in_a_folder_is_said(run, work):
    for name in ("a.png", "sub/b.png", "raw/c.png", "d.jpg/e.png"):
        picture(f"in/{name}")
    for name in ("b.HEIC", "c.heic", "d.gif", "README"):
        Path("in", name).write_text("hello")
    code, out, err = run("in", "--output", "out", "--format", "npy")
    assert code == 0 and out.startswith("out: 1 picture")
    assert err == (
        "warning: in: passed over 4 files (1 .gif, 2 .heic, 1 without ending) and 3 folders"
        " (d.jpg, raw, sub); give folders by their names, and pictures as JPEG or PNG\n"
    )
    code, _, err = run("in/sub", "in", "--output", "out", "--format", "npy")
    assert code == 0 and err.count("passed over") == 1  # nothing of sub


def test_options_may_stand_between_inputs(run, work):
    picture("a.png"), picture("b.png")
    assert run("a.png", "--output", "out", "--format", "npy", "b.png")[0] == 0
    assert files("out") == ["a_depth.npy", "b_depth.npy"]


def test_one_bad_picture_does_not_stop_the_others(run, work):
    picture("in/a.png"), picture("in/c.png")
    Path("in/b.png").write_text("hello")
    code, out, err = run("in", "--output", "out", "--format", "png")
    assert code == 2 and out.startswith("out: 2 pictures")
    assert err == f"error: in/b.png: {NO_PICTURE}\n"
    assert files("out") == ["a_depth.png", "c_depth.png"]


def test_only_files_of_the_same_name_are_replaced(run, work):
    picture("a.png", 51)
    Path("out").mkdir()
    Path("out/other.txt").write_text("keep me")
    Path("out/a_depth.png").write_text("replace me")
    assert run("a.png", "--output", "out", "--format", "png")[0] == 0
    assert Path("out/other.txt").read_text() == "keep me"
    assert read("out/a_depth.png")[0, 0] == 2000
    assert files("out") == ["a_depth.png", "other.txt"]  # and no temporary file is left


# Videos and cameras


def video(path, codec="mp4v", levels=(0, 51, 102, 153), size=(48, 64)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, size[::-1])
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((*size, 3), level, np.uint8))
    writer.release()


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    frames = []
    while (frame := capture.read())[0]:
        frames.append(frame[1][..., ::-1])
    return frames


@pytest.mark.parametrize("name, codec", [("walk.mp4", "mp4v"), ("walk.avi", "MJPG")])
def test_a_video(run, work, name, codec):
    video(name, codec)
    code, out, err = run(name, "--output", "out", "--format", "npy,color")
    assert (code, err) == (0, "") and out.startswith("out: 4 pictures")
    assert files("out") == [*(f"walk_{i:06d}_depth.npy" for i in range(4)), "walk_color.mp4"]
    for index, metres in enumerate((0, 2, 4, 6)):
        depth = np.load(f"out/walk_{index:06d}_depth.npy")
        np.testing.assert_allclose(depth, metres, atol=0.15)  # the codec loses a little
    frames = frames_of("out/walk_color.mp4")
    assert len(frames) == 4 and frames[0].shape == (48, 72, 3)
    # One range for all of its frames: the colors are of depth, and do not change with the scene.
    depth = np.stack([np.load(f"out/walk_{i:06d}_depth.npy") for i in range(4)])
    near, far = colormap.depth_range(depth)
    for frame, metres in zip(frames, depth, strict=True):
        expected = colormap.colorize(metres, near, far)[24, 32]
        np.testing.assert_allclose(frame[24, 32].astype(int), expected, atol=20)


def test_the_first_frames_of_a_video(run, work):
    video("walk.mp4")
    assert run("walk.mp4", "--output", "out", "--format", "png", "--frames", "2")[0] == 0
    assert files("out") == ["walk_000000_depth.png", "walk_000001_depth.png"]


def test_a_video_that_was_cut(run, work):
    video("whole.avi", "MJPG", levels=range(0, 240, 8))
    content = Path("whole.avi").read_bytes()
    Path("half.avi").write_bytes(content[: len(content) // 2])
    code, out, err = run("half.avi", "--output", "out", "--format", "npy,color")
    assert code == 2 and "next: " not in out
    read = len(files("out")) - 1
    assert 2 < read < 25 and len(frames_of("out/half_color.mp4")) == read  # is kept
    assert out.startswith(f"out: {read} pictures")
    assert err == (
        f"error: half.avi: cut short or damaged: {read} of its 30 frames can be read, and are"
        " kept; copy it again\n"
    )
    # Those that are asked for are there.
    assert run("half.avi", "--output", "out", "--format", "npy", "--frames", "2")[0] == 0


class FakeCamera:
    """Stands in for cv2.VideoCapture: endless frames, and Ctrl-C after three of them."""

    opened: list = []

    def __init__(self, origin):
        self.opened.append(origin)
        self.count = 0

    def isOpened(self):
        return True

    def get(self, _):
        return 10.0

    def read(self):
        if self.count == 3:
            raise KeyboardInterrupt
        self.count += 1
        return True, np.full((48, 64, 3), 51, np.uint8)

    def release(self):
        self.opened.remove(self.opened[-1])


@pytest.fixture
def fake_camera(monkeypatch):
    """Only what is written is read as it is."""
    real = cv2.VideoCapture

    def capture(origin):
        written = isinstance(origin, str) and ".partial" in origin
        return real(origin) if written else FakeCamera(origin)

    monkeypatch.setattr(cv2, "VideoCapture", capture)


@pytest.mark.parametrize(
    "arguments, count",
    [(["camera:2"], 3), (["--camera", "2"], 3), (["--camera", "2", "--frames", "2"], 2)],
)
def test_a_camera_until_ctrl_c_or_the_number_of_frames(
    run, work, monkeypatch, fake_camera, arguments, count
):
    code, out, err = run(*arguments, "--output", "out", "--format", "png,color")
    assert (code, err) == (0, "") and out.startswith(f"out: {count} pictures")
    expected = [*(f"camera2_{i:06d}_depth.png" for i in range(count)), "camera2_color.mp4"]
    assert files("out") == sorted(expected)
    assert FakeCamera.opened == []  # released
    monkeypatch.undo()
    assert len(frames_of(work / "out" / "camera2_color.mp4")) == count


def test_ctrl_c_before_a_camera_s_first_frame(run, work, monkeypatch, fake_camera):
    monkeypatch.setattr(FakeCamera, "__init__", lambda self, _: setattr(self, "count", 3))
    monkeypatch.setattr(FakeCamera, "release", lambda self: None)
    code, _, err = run("camera:2", "--output", "out", "--format", "color")
    assert (code, err) == (130, "interrupted\n") and files("out") == []


def test_a_camera_that_stops(run, work, monkeypatch, fake_camera):
    monkeypatch.setattr(
        FakeCamera, "read", lambda self: (False, None) if self.count == 3 else read(self)
    )

    def read(self):
        self.count += 1
        return True, np.full((48, 64, 3), 51, np.uint8)

    code, out, err = run("camera:2", "--output", "out", "--format", "color")
    assert code == 2 and out.startswith("out: 3 pictures")
    assert err == "error: camera 2: stopped after 3 frames, which are kept; check its cable\n"
    monkeypatch.undo()
    assert len(frames_of(work / "out" / "camera2_color.mp4")) == 3


def test_ctrl_c_in_a_video_leaves_nothing_half_written(run, work, fake_camera):
    Path("walk.mp4").write_bytes(b"\0\0\0\x08ftyp")
    code, _, err = run("walk.mp4", "--output", "out", "--format", "color")
    assert (code, err) == (130, "interrupted\n") and files("out") == []


# Bad input


def truncated(path, **options):
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, **options)
    Path(path).write_bytes(Path(path).read_bytes()[:9000])


def huge():
    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    Path("huge.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))
    )


def depth_16_bit():
    cv2.imwrite("depth.png", np.full((9, 9), 2000, np.uint16))


def broken_video():
    video("broken.mp4")
    Path("broken.mp4").write_bytes(Path("broken.mp4").read_bytes()[:600])


def headless():
    video("walk.avi", "MJPG", range(100))
    Path("walk.avi").write_bytes(Path("walk.avi").read_bytes()[4096:])


def film_and_frame():
    video("walk.mp4"), picture("walk_000000.png")


def twins():
    picture("a/room.png"), picture("b/room.jpg")


def occupied():
    picture("room.png"), Path("out").write_text("a file")


def text(path, content):
    return lambda: Path(path).write_text(content)


BAD_INPUT = {
    # name: (what is made first, the arguments, what is said)
    "no input": (None, "", "give pictures, folders, videos or --camera 0"),
    "missing": (None, "gone.png", "gone.png: no such file or folder; check its name"),
    "empty folder": (lambda: Path("in").mkdir(), "in", "in: no picture or video in this folder"),
    "folder of others": (
        lambda: (picture("in/sub/a.png"), text("in/a.heic", "")()),
        "in",
        "in: no picture or video in this folder, but 1 file (1 .heic) and 1 folder (sub); looked",
    ),
    "lost link": (
        lambda: (Path("in").mkdir(), Path("in/a.png").symlink_to("gone.png")),
        "in",
        "in/a.png: no such file; check its name",
    ),
    "no picture": (text("a.txt", "hi"), "a.txt", "a.txt: not a picture; give one of JPEG"),
    "HEIC": (
        text("a.HEIC", "\0\0\0\x18ftypheic"),
        "a.HEIC",
        "a.HEIC: a HEIC picture, which is not read; convert it to JPEG or PNG",
    ),
    "empty file": (text("a.jpg", ""), "a.jpg", "a.jpg: not a picture"),
    "truncated jpg": (lambda: truncated("t.jpg", quality=95), "t.jpg", "t.jpg: cannot be read ("),
    "truncated png": (lambda: truncated("t.png"), "t.png", "t.png: cannot be read ("),
    "truncated ppm": (lambda: truncated("t.ppm"), "t.ppm", "t.ppm: cannot be read ("),
    "truncated bmp": (lambda: truncated("t.bmp"), "t.bmp", "t.bmp: cannot be read ("),
    "huge": (huge, "huge.png", "huge.png: more than 89,478,485 pixels; shrink it first"),
    "depth": (depth_16_bit, "depth.png", "depth.png: a picture of one channel with more than 8"),
    "broken video": (broken_video, "broken.mp4", "broken.mp4: cannot be opened; it is damaged"),
    "no start": (headless, "walk.avi", "walk.avi: does not begin as a video does: its start is"),
    "MPEG": (
        text("a.MPG", ""),
        "a.MPG",
        "a.MPG: a video that is not read; convert it to mp4 (H.264), or give one of .mp4, .avi,",
    ),
    "film and frame": (
        film_and_frame,
        "walk_000000.png walk.mp4",
        "walk.mp4 and walk_000000.png: both would be written as walk_000000_*; rename one",
    ),
    "no camera": (None, "camera:77", "camera 77: cannot be opened; check that it is plugged in"),
    "no camera -1": (None, "--camera -1", "a whole number"),
    "same names": (twins, "a b", "a/room.png and b/room.jpg: both would be written as room_*"),
    "output is a file": (occupied, "room.png --output out", "out: cannot be written (File exists)"),
    "output in a file": (
        occupied,
        "room.png --output out/o",
        "out/o: cannot be written (Not a directory)",
    ),
    "output is input": (twins, "a --output a", "--output a: also an input"),
    "unknown format": (None, "a.png --format pgn", "did you mean 'png'?"),
    "range": (None, "a.png --range 10,0", "0 <= NEAR < FAR"),
    "range of one": (None, "a.png --range 10", "give 2 numbers with commas between them"),
    "range of words": (None, "a.png --range near,far", "give 2 numbers with commas between them"),
    "intrinsics": (None, "a.png --intrinsics 1,2,nan,4", "give 4 numbers"),
    "focal length": (None, "a.png --intrinsics 0,2,3,4", "above 0"),
    "camera of metres": (
        lambda: picture("a.png"),
        "a.png --focal-baseline 384",
        "leave out --focal-baseline",
    ),
    "two cameras": (
        None,
        "a.png --fov 60 --intrinsics 9,9,4,4",
        "--intrinsics: not allowed with argument --fov",
    ),
    "two focal lengths": (
        None,
        "a.png --fov 60 --focal-baseline 9",
        "--focal-baseline holds a focal length too; leave out --fov",
    ),
    "half a sphere": (None, "a.png --fov 180", "a field of view is below 180 degrees"),
    "unknown fit": (None, "a.png --fit box", "invalid choice: 'box'"),
    "another size": (
        lambda: picture("a.png"),
        "a.png --intrinsics 500,500,320,240",
        "center at 320,240, but the picture is 60x40 pixels: intrinsics of another size",
    ),
    "ply": (None, "a.png --format ply", "needs --intrinsics FX,FY,CX,CY in pixels of the input"),
    "frames": (None, "camera:0 --frames 0", "a whole number, 1 or more"),
    "encoding": (lambda: picture("a.png"), "a.png --encoding metrik", "did you mean 'metric'?"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_sentence_and_exit_code_2(run, work, name):
    prepare, arguments, message = BAD_INPUT[name]
    if prepare:
        prepare()
    output = () if "--output" in arguments else ("--output", "o")
    code, out, err = run(*arguments.split(), *output)
    assert (code, out) == (2, "")
    last = err.strip().split("\n")[-1]  # argparse prints how the command is used before
    assert "error: " in last and message in last
    assert err.startswith("usage: ") or err.count("\n") == 1
    assert not Path("o").exists() or files("o") == []


def test_a_folder_with_a_name_that_is_not_utf_8(run, work):
    picture("in/a.png")
    Path(os.fsdecode(b"in/caf\xe9.png")).write_bytes(Path("in/a.png").read_bytes())
    code, out, err = run("in", "--output", "out")
    assert (code, err) == (0, "") and out.startswith("out: 2 pictures, ")
    assert Path(os.fsdecode(b"out/caf\xe9_depth.png")).is_file()


def test_the_output_folder_must_be_named(run):
    code, _, err = run("a.png")
    assert code == 2 and "required: --output" in err


@pytest.mark.parametrize("run_name, message", [("gone", "no such file"), (".", "holds no model")])
def test_a_bad_run(capsys, work, run_name, message):
    picture("a.png")
    with pytest.raises(InputError, match=message):
        predict.main([run_name, "a.png", "--output", "o"])


def test_another_backend_is_refused(run, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    code, _, err = run("a.png", "--output", "o")
    assert code == 2 and err.startswith("error: KERAS_BACKEND=jax: ") and "TensorFlow" in err


def test_command_exit_codes(capsys):
    def bad():
        raise InputError("room.jpg: bad")

    def interrupted():
        raise KeyboardInterrupt

    for main, code, said in (
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (bad, 2, "error: room.jpg: bad\n"),
        (interrupted, 130, "interrupted\n"),
    ):
        with pytest.raises(SystemExit) as leaving:
            command.run(main)
        assert leaving.value.code == code and capsys.readouterr().err == said


def python(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    line = [sys.executable, "-m", "keras_depth.predict", *map(str, arguments)]
    return subprocess.Popen(
        line, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def test_in_a_process_of_its_own(run_folder, work):
    picture("in/a.png", 102)
    Path("in/b.png").write_text("hello")
    process = python(run_folder, "in", "--output", "out", "--format", "png")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out.startswith("out: 1 picture, ") and "4.00 / 4.00 / 4.00 m" in out
    assert err.endswith(
        "error: in/b.png: not a picture; give one of JPEG, PNG, PPM, BMP, WEBP, TIFF\n"
    )
    assert "Traceback" not in err
    assert (read("out/a_depth.png") == 4000).all()


def test_arguments_are_checked_before_tensorflow_is_imported(work):
    code = (
        "import sys\n"
        "from keras_depth import command\n"
        "from keras_depth.predict import __main__ as predict\n"
        "try: command.run(lambda: predict.main(['run', 'gone.png', '--output', 'o']))\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and done.stdout == "False\n"
    assert done.stderr == "error: gone.png: no such file or folder; check its name\n"


def test_a_real_picture(samples, run, work):
    room = samples / "nyu/sync/basement_0001a/rgb_00000.jpg"
    intrinsics = ",".join(map(str, geometry.NYU))
    with pytest.warns(UserWarning, match="metres are not scaled: ") as warned:
        code, _, err = run(
            str(room), "--output", "out", "--format", "npy,color,ply", "--intrinsics", intrinsics
        )
    assert (code, err, len(warned)) == (0, "", 1)
    assert np.load("out/rgb_00000_depth.npy").shape == (480, 640)
    assert read("out/rgb_00000_color.png").shape == (480, 720, 3)
