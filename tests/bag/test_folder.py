"""`keras-depth bag --format folder`: from a recording to training data."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import Writer

from keras_depth import data
from keras_depth.bag import frames, topics
from keras_depth.bag.reading import open_bag
from keras_depth.data.folders.camera import read_camera
from keras_depth.geometry import Intrinsics
from tests.bag.world import SIZE, START, Camera, K, P, walk
from tests.bag.world import run as run_as_typed
from tests.helpers.write_bag import Stored, write_bag

STEP = 100_000_000


def metres(index, size=SIZE):
    return np.full(size, 1 + index / 4, np.float32)


def measured(camera, count=3, encoding="16UC1", late=0, **more):
    """Depth maps a little after each picture."""
    return [
        camera.depth(START + index * STEP + late, metres(index), encoding, **more)
        for index in range(count)
    ]


def truth(*arguments):
    return run_as_typed("truth", *arguments, "--format", "folder")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3", "bag"])
def test_the_recorded_depth(storage, encoding, capsys):
    camera = Camera("noetic" if storage == "bag" else "jazzy")
    messages = walk(camera) + measured(camera, encoding=encoding, late=10_000_000)
    path = write_bag(Path("in.bag" if storage == "bag" else "in"), messages, storage)
    assert truth(path, "out") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("out: 3 pictures, ") and "1.00 / 1.25 / 1.50 m" in out[0]
    assert out[1] == "next: python -m keras_depth.data --data folder --data-dir out"
    reader = data.open_reader("folder", "out", None)
    assert len(reader) == 3
    for index in range(3):
        sample = reader.stored(index)
        np.testing.assert_array_equal(sample["image"], camera.pixels(index))
        np.testing.assert_allclose(np.squeeze(sample["depth"]), metres(index), atol=5e-4)
    names = [f"170000000{index // 10}.{index}00000000" for index in range(3)]
    assert sorted(each.stem for each in Path("out/rgb").iterdir()) == names
    assert Path("out/depth.txt").read_text().splitlines()[1] == f"{names[0]} depth/{names[0]}.png"


def test_compressed_pictures_are_kept_as_they_are():
    camera = Camera()
    messages = walk(camera, compressed=True)
    write_bag(Path("in"), messages + measured(camera))
    assert truth("in", "out") == 0
    files = sorted(Path("out/rgb").iterdir())
    assert [each.suffix for each in files] == [".jpg"] * 3
    for file, message in zip(files, messages[::2], strict=True):
        assert file.read_bytes() == message.message.data.tobytes()


def test_the_depth_of_a_network(run, estimator):
    camera = Camera()
    write_bag(Path("in"), walk(camera))
    code, out, _ = run("in", "out", "--format", "folder", "--frames", "2")
    assert code == 0 and out.startswith("out: 2 pictures, ")
    reader = data.open_reader("folder", "out", None)
    assert len(reader) == 2
    expected = estimator(camera.pixels(1))
    np.testing.assert_allclose(np.squeeze(reader[1]["depth"]), expected, atol=6e-4)


def test_depth_that_the_files_cannot_hold():
    """It is no depth, and not the farthest that they can."""
    depth = np.array([[1, 65.535, 65.6, 80, np.inf, np.nan]], np.float32).repeat(6, 0)
    camera = Camera()
    write_bag(Path("in"), [*walk(camera, 1), camera.depth(START, depth, "32FC1")])
    assert truth("in", "out") == 0
    [file] = Path("out/depth").iterdir()
    stored = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert stored[0].tolist() == [1000, 65535, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("topic", "rectified"),
    [
        *((f"/c/{name}", True) for name in ("image_rect", "image_rect_color", "image_rect_raw")),
        *((f"/c/{name}", True) for name in ("rect", "image_rectified", "image_rect/compressed")),
        *((f"/c/{name}/image", True) for name in ("rectified", "rect")),
        *((f"/c/{name}", False) for name in ("image_unrectified", "image_direct", "image")),
        *((f"/c/{name}", False) for name in ("image_corrected", "rect/image_raw", "direct/image")),
    ],
)
def test_names_of_rectified_pictures(topic, rectified):
    assert topics.is_rectified(topic) == rectified


@pytest.mark.parametrize(("topic", "expected"), [("image_raw", K), ("image_rect", P)])
def test_the_camera(topic, expected, capsys):
    """K is the camera of raw pictures, P that of rectified ones."""
    camera = Camera()
    projection = (50.0, 0, 30.5, 0, 0, 49.0, 19.5, 0, 0, 0, 1, 0)
    image = camera.image(START, camera.pixels(0), topic=topic)
    messages = [image, camera.info(START, p=projection), camera.depth(START, metres(0))]
    write_bag(Path("in"), messages)
    assert truth("in", "out") == 0
    known = read_camera(Path("out/camera.yaml"), stereo=False)
    raw = expected is K
    assert known.intrinsics == ((52, 51, 29.5, 20.5) if raw else (50, 49, 30.5, 19.5))
    assert known.size == SIZE
    distorted = "the lens distortion of /front/image_raw is left out of its camera"
    assert (distorted in capsys.readouterr().err) == raw


def test_a_camera_that_is_not_calibrated(capsys):
    camera = Camera()
    info = camera.info(START, k=[0] * 9, p=[0] * 12)
    write_bag(Path("in"), [*walk(camera)[::2], info, *measured(camera)])
    assert truth("in", "out") == 0 and not Path("out/camera.yaml").exists()
    assert "is not calibrated (K is 0), so there is no camera.yaml" in capsys.readouterr().err


def test_a_camera_that_changes(capsys):
    camera = Camera()
    messages = walk(camera)
    messages[3] = camera.info(START + STEP, k=(60.0, *K[1:]))
    write_bag(Path("in"), messages + measured(camera))
    assert truth("in", "out") == 0
    assert read_camera(Path("out/camera.yaml"), stereo=False).intrinsics[0] == 52
    assert capsys.readouterr().err.splitlines()[-1] == (
        "warning: in: the CameraInfo on /front/camera_info changes at 1700000000.106000000;"
        " camera.yaml holds the first"
    )


@pytest.mark.parametrize("twice", [False, True])
def test_pictures_of_two_sizes(twice, capsys):
    """The number of frames that is named works, though a picture was sent twice."""
    camera = Camera()
    messages = walk(camera)
    messages[4] = camera.image(START + 2 * STEP, camera.pixels(2, (48, 64)))
    if twice:
        messages.insert(1, messages[0])
    write_bag(Path("in"), messages + measured(camera))
    assert truth("in", "out") == 2 and not Path("out").exists()
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: in: topic /front/image_raw, time 1700000000.205000000: a picture of 64x48 pixels"
        " after those of 60x40, and a folder holds pictures of one size; --frames 2 stops before it"
    )
    assert truth("in", "out", "--frames", "2") == 0


def test_depth_of_another_size(capsys):
    camera = Camera()
    half = [camera.depth(START + i * STEP, metres(i, (20, 30))) for i in range(3)]
    write_bag(Path("in"), walk(camera) + half)
    assert truth("in", "out") == 0
    warning = "in: the depth is 30x20, the pictures 60x40: read the folder with"
    assert f"{warning} --set data.resize_depth=nearest" in capsys.readouterr().err
    reader = data.open_reader("folder", "out", None, resize_depth="nearest")
    assert np.squeeze(reader[2]["depth"]).shape == SIZE


def test_pairs_by_time():
    """Each is the other's nearest, at most 0.02 s apart."""
    camera = Camera()
    pictures = [camera.image(START + t * 1_000_000, camera.pixels(0)) for t in (0, 33, 66, 100)]
    depths = [camera.depth(START + t * 1_000_000, metres(0)) for t in (20, 69, 125)]
    write_bag(Path("in"), sorted(pictures + depths, key=lambda each: each.time))
    with open_bag("in") as bag:
        found = [
            tuple((each.stamp - START) // 1_000_000 for each in pair)
            for pair in frames.pairs(bag, "/front/image_raw", "/front/aligned/image_raw")
        ]
    assert found == [(33, 20), (66, 69)]


def test_stamps_in_disorder(capsys):
    """Pictures come later than their stamps say; each finds its depth, and the rest is counted."""
    camera = Camera()
    order = [0, 2, 1, 3, 5, 4]
    messages = [camera.image(START + i * STEP, camera.pixels(i)) for i in range(6)]
    late = [messages[i]._replace(time=START + n * STEP) for n, i in enumerate(order)]
    depths = [camera.depth(START + i * STEP, metres(i)) for i in range(5)]
    write_bag(Path("in"), sorted([*late, *depths], key=lambda each: each.time))
    assert truth("in", "out") == 0
    reader = data.open_reader("folder", "out", None)
    for index in range(5):
        sample = reader.stored(index)
        np.testing.assert_array_equal(sample["image"], camera.pixels(index))
        np.testing.assert_allclose(np.squeeze(sample["depth"]), metres(index), atol=5e-4)
    assert capsys.readouterr().err.splitlines()[-1] == (
        "warning: in: 1 of 6 pictures were left out: they have no depth at most 0.02 s from them,"
        " or the stamp of another"
    )


def test_an_mcap_without_chunks():
    """rosbags reads such a file from one place at a time."""
    camera = Camera()
    write_bag(Path("in"), walk(camera) + measured(camera))
    with Path("in/in.mcap").open("rb") as source, Path("plain.mcap").open("wb") as target:
        writer = Writer(target, use_chunking=False)
        writer.start("ros2")
        known = {}
        for schema, channel, message in make_reader(source).iter_messages():
            if channel.topic not in known:
                kind = writer.register_schema(schema.name, schema.encoding, schema.data)
                known[channel.topic] = writer.register_channel(channel.topic, "cdr", kind)
            time = message.log_time
            writer.add_message(known[channel.topic], time, message.data, time)
        writer.finish()
    assert truth("plain.mcap", "out") == 0 and len(list(Path("out/rgb").iterdir())) == 3


def test_names_before_1970():
    camera = Camera()
    messages = [camera.image(START, camera.pixels(0)), camera.depth(START, metres(0))]
    for each in messages:
        each.message.header.stamp.sec, each.message.header.stamp.nanosec = -5, 1
    write_bag(Path("in"), messages)
    assert truth("in", "out") == 0
    assert [each.name for each in Path("out/rgb").iterdir()] == ["-4.999999999.png"]


def test_pictures_of_one_stamp(run):
    camera = Camera()
    messages = [each._replace(message=walk(camera)[0].message) for each in walk(camera)[::2]]
    write_bag(Path("in"), messages)
    code, out, err = run("in", "out", "--format", "folder")
    assert code == 0 and out.startswith("out: 1 picture")
    assert err.endswith(
        "warning: in: 2 of 3 pictures were left out: they have the stamp of another\n"
    )


def test_a_picture_that_was_sent_twice():
    camera = Camera()
    messages = walk(camera, 2) + measured(camera, 2)
    messages.append(messages[0]._replace(time=messages[0].time + STEP // 2))
    messages.append(messages[4]._replace(time=messages[4].time + STEP // 2))
    write_bag(Path("in"), sorted(messages, key=lambda each: each.time))
    assert truth("in", "out") == 0 and len(list(Path("out/rgb").iterdir())) == 2


def compressed_depth(camera, encoding, form="png"):
    """As image_transport's compressed_depth_image_transport writes it."""
    depth = np.linspace(0.5, 8, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    a, b = 100.0 * 101, 1.0
    stored = np.rint(1000 * depth if encoding == "16UC1" else a / depth + b).astype(np.uint16)
    content = struct.pack("<iff", 0, a, b) + cv2.imencode(".png", stored)[1].tobytes()
    if form == "plain":
        content = content[12:]
    if form == "rvl":
        content = content[:12] + bytes(40)
    kind = "sensor_msgs/msg/CompressedImage"
    message = camera.types[kind](
        camera.header(START),
        f"{encoding}; png compressed" if form == "plain" else f"{encoding}; compressedDepth {form}",
        np.frombuffer(content, "u1"),
    )
    return depth, Stored("/front/aligned/image_raw/compressedDepth", kind, START, message)


@pytest.mark.parametrize(
    ("encoding", "form"), [("16UC1", "png"), ("32FC1", "png"), ("16UC1", "plain")]
)
def test_compressed_depth(encoding, form):
    camera = Camera()
    depth, message = compressed_depth(camera, encoding, form)
    write_bag(Path("in"), [*walk(camera, 1), message])
    with open_bag("in") as bag:
        topic = topics.choose_pictures(bag)
        [(picture, measured)] = frames.pairs(bag, topic, topics.choose_depth(bag, topic))
        found = frames.decode_depth(bag, measured)
    assert picture.stamp == START and found.dtype == np.float32
    np.testing.assert_allclose(found, depth, atol=6e-4 if encoding == "16UC1" else 4e-3)


def test_depth_that_is_not_read(capsys):
    camera = Camera()
    write_bag(Path("in"), [*walk(camera, 1), compressed_depth(camera, "16UC1", "rvl")[1]])
    assert truth("in", "out") == 2 and not Path("out").exists()
    err = capsys.readouterr().err.splitlines()[-1]
    assert err.startswith(
        "error: in: topic /front/aligned/image_raw/compressedDepth, time 17000000"
    )
    assert (
        "depth of format '16UC1; compressedDepth rvl' is not a PNG; record the depth topic" in err
    )


@pytest.mark.parametrize(
    ("extra", "arguments", "message"),
    [
        ([], [], "in: holds no depth, which is messages of sensor_msgs/msg/Image with encoding"),
        (
            [Camera().depth(START, metres(0), topic=f"{name}/image") for name in "ab"],
            [],
            "in: holds depth on several topics, /front/a/image, /front/b/image; add --depth-topic",
        ),
        (
            [Camera().depth(START, metres(0), frame="depth_optical")],
            [],
            "in: the pictures are of frame 'front_optical' and the depth on"
            " /front/aligned/image_raw of 'depth_optical', so it is not registered to them;",
        ),
        (
            [Camera().depth(START, metres(0))],
            ["--depth-topic", "/front/image_raw"],
            "in: topic /front/image_raw holds no depth; depth is on /front/aligned/image_raw",
        ),
        (
            [Camera().depth(START + STEP // 2, metres(0))],
            [],
            "in: no picture on /front/image_raw has depth on /front/aligned/image_raw at most 0.02"
            " s from it; compare the stamps of both",
        ),
    ],
)
def test_truth_that_is_not_there(extra, arguments, message, capsys):
    write_bag(Path("in"), walk(Camera()) + extra)
    assert truth("in", "out", *arguments) == 2 and not Path("out").exists()
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {message}")


def test_depth_of_another_frame_that_was_asked_for():
    camera = Camera()
    write_bag(Path("in"), walk(camera) + measured(camera, frame="depth_optical"))
    assert truth("in", "out", "--depth-topic", "/front/aligned/image_raw") == 0


def test_what_a_bag_gives_to_others():
    """Pictures with the header's times, or the bag's where the header has none; the camera."""
    camera = Camera()
    messages = walk(camera)
    messages[2].message.header.stamp.sec = messages[2].message.header.stamp.nanosec = 0
    write_bag(Path("in"), messages)
    with open_bag("in") as bag:
        found = list(frames.stamped(bag, "/front/image_raw"))
        *_, (seconds, last) = frames.pictures(bag)
        assert frames.intrinsics(bag) == Intrinsics(K[0], K[4], K[2], K[5])
        assert bag.topics["/front/image_raw"] == topics.Topic(topics.IMAGE, 3)
    assert [frame.stamp for frame in found] == [
        START, START + STEP + 5_000_000, START + 2 * STEP
    ]  # fmt: skip
    assert seconds == (START + 2 * STEP) / 1e9
    np.testing.assert_array_equal(last, camera.pixels(2))
