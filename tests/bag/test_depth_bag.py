"""`keras-depth bag`: a copy of the bag with depth beside the pictures."""

import shlex
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags import rosbag1, rosbag2
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.typesys import get_types_from_msg

from keras_depth import geometry
from keras_depth.bag import __main__ as bag_command
from keras_depth.map import __main__ as map_command
from tests.bag.world import IMAGE, INFO, NETWORK, SIZE, START, Camera, K, P, read, walk
from tests.bag.world import run as run_as_typed
from tests.helpers.write_bag import STORES, Stored, write_bag

FORMATS = [
    ("mcap", "humble"),
    ("mcap", "jazzy"),
    ("sqlite3", "humble"),
    ("sqlite3", "jazzy"),
    ("bag", "noetic"),
]
BEST_EFFORT = Qos(
    QosHistory.KEEP_LAST,
    5,
    QosReliability.BEST_EFFORT,
    QosDurability.TRANSIENT_LOCAL,
    QosTime(1, 2),
    QosTime(2147483647, 4294967295),
    QosLiveliness.AUTOMATIC,
    QosTime(3, 4),
    False,
)
# A type that nobody has; its messages are copied and not read.
WHEELS = {"msgdef": "int32[] ticks\n", "rihs01": f"RIHS01_{'ab' * 32}"}
WHEELS_1 = {"msgdef": "int32[] ticks\n", "md5sum": "0123456789abcdef0123456789abcdef"}
TICKS = b"\0\1\0\0\2\0\0\0\1\0\0\0\2\0\0\0"


def recording(storage, distro, compressed=False):
    messages = walk(Camera(distro), compressed=compressed)
    extra = {"latching": 1, **WHEELS_1} if storage == "bag" else WHEELS
    messages.insert(1, Stored("/wheels", "my_msgs/msg/Wheels", START + 5_500_000, TICKS, extra))
    if storage != "bag":
        first = messages[0]
        messages[0] = first._replace(extra={"offered_qos_profiles": [BEST_EFFORT]})
    return messages


def name(storage):
    return "in.bag" if storage == "bag" else "in", "out.bag" if storage == "bag" else "out"


@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "jpeg"])
@pytest.mark.parametrize(("storage", "distro"), FORMATS)
def test_depth_beside_the_pictures(run, estimator, storage, distro, compressed):
    source, output = name(storage)
    write_bag(Path(source), recording(storage, distro, compressed), storage, distro)
    code, out, _ = run(source, output)
    assert code == 0 and out.startswith(f"{output}: /front/depth/image (32FC1): 3 pictures, ")
    before, after = raw_messages(source), raw_messages(output)
    added = [each for each in after if each[0].startswith("/front/depth/")]
    assert [each for each in after if each not in added] == before
    assert connections(output, ("/front/depth",)) == connections(source, ())

    pictures = [each for each in parsed(source) if "image_raw" in each[0]]
    depths = [each for each in parsed(output) if each[0] == "/front/depth/image"]
    cameras = [each for each in parsed(output) if each[0] == "/front/depth/camera_info"]
    assert len(pictures) == len(depths) == len(cameras) == 3
    for picture, depth, camera in zip(pictures, depths, cameras, strict=True):
        assert depth[1:3] == (IMAGE, picture[2]) and camera[1:3] == (INFO, picture[2])
        message, info = depth[4], camera[4]
        assert message.header == picture[4].header == info.header
        assert (message.height, message.width) == (info.height, info.width) == NETWORK
        assert (message.encoding, message.step, message.is_bigendian) == ("32FC1", 4 * 48, 0)
        metres = message.data.view("<f4").reshape(NETWORK)
        np.testing.assert_array_equal(metres, estimator(pixels(picture[4]), resize=False))


def pixels(message):
    if hasattr(message, "format"):
        return cv2.imdecode(message.data, cv2.IMREAD_COLOR)[..., ::-1]
    return message.data.reshape(message.height, message.width, 3)


def raw_messages(path):
    with reader_of(path) as reader:
        return [(each.topic, each.msgtype, t, bytes(raw)) for each, t, raw in reader.messages()]


def reader_of(path):
    return rosbag1.Reader(path) if str(path).endswith(".bag") else rosbag2.Reader(path)


def connections(path, without):
    """Topic, type, definition, hash, QoS profiles or latching, and count, of each connection."""
    with reader_of(path) as reader:
        return [each[1:7] for each in reader.connections if not each.topic.startswith(without)]


def parsed(path):
    ros1 = str(path).endswith(".bag")
    store = STORES["noetic" if ros1 else "humble"]
    parse = store.deserialize_ros1 if ros1 else store.deserialize_cdr
    known = [each for each in raw_messages(path) if each[1].startswith("sensor_msgs")]
    return [(*each, parse(each[3], each[1])) for each in known]


def test_the_camera_still_projects_a_point_to_its_pixel(run):
    """K and P of the depth see a point where those of the picture do, in the resized picture."""
    write_bag(Path("in"), walk(Camera()))
    run("in", "out")
    info = [each[4] for each in read("out") if each[0] == "/front/depth/camera_info"][0]
    point = np.array([0.3, -0.2, 2.0, 1.0])
    for before, after in ((np.reshape(K, (3, 3)), info.k), (np.reshape(P, (3, 4)), info.p)):
        after = np.reshape(after, before.shape)
        old, new = (matrix @ point[: matrix.shape[1]] for matrix in (before, after))
        x, y = NETWORK[1] / SIZE[1], NETWORK[0] / SIZE[0]
        u, v = (old[:2] / old[2] + 0.5) * (x, y) - 0.5
        np.testing.assert_allclose(new[:2] / new[2], (u, v))
    scaled = geometry.scale_intrinsics(geometry.Intrinsics(K[0], K[4], K[2], K[5]), SIZE, NETWORK)
    np.testing.assert_allclose(np.array(info.k)[[0, 4, 2, 5]], scaled)
    assert info.distortion_model == "plumb_bob" and list(info.d) == [0.1, -0.2, 0, 0, 0]
    assert list(info.r) == list(np.eye(3).reshape(-1))


def test_millimetres_at_the_pictures_size(run, estimator):
    camera = Camera()
    write_bag(Path("in"), walk(camera))
    assert run("in", "out", "--encoding", "16UC1", "--full-size", "--max-depth", "3")[0] == 0
    messages = read("out")
    depth = [each[4] for each in messages if each[0] == "/front/depth/image"][1]
    info = [each[4] for each in messages if each[0] == "/front/depth/camera_info"][1]
    assert (depth.height, depth.width, depth.encoding, depth.step) == (*SIZE, "16UC1", 2 * SIZE[1])
    metres = estimator(camera.pixels(1))
    expected = np.where(metres > 3, 0, np.rint(1000 * metres))
    np.testing.assert_array_equal(depth.data.view("<u2").reshape(SIZE), expected)
    assert (info.height, info.width) == SIZE and tuple(info.k) == K


def test_other_readers_read_it(run):
    """The package of the mcap format, and SQLite."""
    for storage in ("mcap", "sqlite3"):
        write_bag(Path(storage), walk(Camera()), storage)
        run(storage, f"out_{storage}")
    with open("out_mcap/out_mcap.mcap", "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        counts = summary.statistics.channel_message_counts.items()
        counts = {summary.channels[key].topic: count for key, count in counts}
        messages = list(reader.iter_messages())
    topics = ["image_raw", "camera_info", "depth/image", "depth/camera_info"]
    assert counts == {f"/front/{topic}": 3 for topic in topics}
    assert {schema.name for schema, _, _ in messages} == {IMAGE, INFO}
    assert all(schema.encoding == "ros2msg" and schema.data for schema, _, _ in messages)
    with sqlite3.connect("out_sqlite3/out_sqlite3.db3") as database:
        rows = database.execute(
            "SELECT name, timestamp, data FROM messages JOIN topics ON topic_id = topics.id"
            " ORDER BY messages.id"
        ).fetchall()
    from_mcap = [(channel.topic, message.log_time) for _, channel, message in messages]
    assert [row[:2] for row in rows] == from_mcap
    depth = STORES["jazzy"].deserialize_cdr(rows[1][2], IMAGE)
    assert rows[1][0] == "/front/depth/image" and depth.encoding == "32FC1"


@pytest.mark.parametrize("ending", ["", ".mcap"])
def test_a_file_alone(run, ending):
    write_bag(Path("in"), walk(Camera()))
    assert run("in/in.mcap", f"out{ending}")[0] == 0
    path = Path(f"out{ending}")
    assert path.is_file() == bool(ending) and len(read(path)) == 12
    assert sorted(each.name for each in Path().iterdir()) == ["in", path.name]


def test_the_parts_of_a_split_bag(run):
    messages = walk(Camera("noetic"))
    write_bag(Path("in_1.bag"), messages[2:], "bag")
    write_bag(Path("in_0.bag"), messages[:2], "bag")
    assert run("in_1.bag", "in_0.bag", "out.bag")[0] == 0
    times = [each[2] for each in raw_messages("out.bag") if each[0] == "/front/image_raw"]
    assert times == [each.time for each in messages[::2]]
    write_bag(Path("in"), walk(Camera()))
    assert run("in", "in_0.bag", "out")[2] == (
        "error: in and others: bags of ROS 1 and of ROS 2; give those of one\n"
    )


@pytest.mark.parametrize("mode", ["file", "message", "storage"])
def test_a_compressed_bag_stays_so(run, mode):
    """But for the chunks within an mcap file."""
    write_bag(Path("plain"), walk(Camera()), "mcap")
    with rosbag2.Reader("plain") as reader:
        writer = rosbag2.Writer("in", version=8, storage_plugin=rosbag2.StoragePlugin.MCAP)
        compression = rosbag2.CompressionMode[mode.upper()]
        writer.set_compression(compression, rosbag2.CompressionFormat.ZSTD)
        with writer:
            topics = {
                each.topic: writer.add_connection(
                    each.topic, each.msgtype, typestore=STORES["jazzy"]
                )
                for each in reader.connections
            }
            for each, time, raw in reader.messages():
                writer.write(topics[each.topic], time, raw)
    assert run("in", "out")[0] == 0
    with rosbag2.Reader("out") as reader:
        assert reader.compression_mode == ("" if mode == "storage" else mode)
        assert sum("/depth/" in each.topic for each, _, _ in reader.messages()) == 6


@pytest.mark.parametrize("form", rosbag1.Writer.CompressionFormat)
def test_a_compressed_bag_of_ros_1(run, form):
    camera = Camera("noetic")
    writer = rosbag1.Writer("in.bag")
    writer.set_compression(form)
    with writer:
        topic = writer.add_connection("/front/image_raw", IMAGE, typestore=STORES["noetic"])
        for each in walk(camera)[::2]:
            raw = STORES["noetic"].serialize_ros1(each.message, IMAGE)
            writer.write(topic, each.time, raw)
    assert run("in.bag", "out.bag")[0] == 0
    after = raw_messages("out.bag")
    assert [each for each in after if each[0] == "/front/image_raw"] == raw_messages("in.bag")


def test_types_without_a_definition(run):
    """As sqlite3 bags of Humble and before are."""
    write_bag(Path("in"), recording("sqlite3", "humble"), "sqlite3", "humble")
    with sqlite3.connect("in/in.db3") as database:
        database.executescript(
            "DROP TABLE message_definitions; DROP TABLE schema;"
            " ALTER TABLE topics DROP COLUMN type_description_hash;"
        )
    text = Path("in/metadata.yaml").read_text()
    lines = text.replace("version: 8", "version: 5").split("\n")
    kept = [line for line in lines if "RIHS01" not in line and "type_description" not in line]
    Path("in/metadata.yaml").write_text("\n".join(kept))
    code, _, err = run("in", "out")
    assert (code, err) == (0, "")
    assert [each for each in raw_messages("out") if "/depth/" not in each[0]] == raw_messages("in")
    with rosbag2.Reader("out") as reader:
        definitions = {each.topic: each.msgdef.data for each in reader.connections}
    assert definitions["/wheels"] == "" and "uint32 height" in definitions["/front/image_raw"]


def test_the_camera_info_follows_the_camera(run):
    """That of the picture's stamp, even if it comes later, else the latest, else the first."""
    camera = Camera()
    messages = walk(camera, 4)
    messages[3] = camera.info(START + 100_000_000, k=(60.0, *K[1:]))
    del messages[5], messages[1]  # those of the third picture and of the first
    write_bag(Path("in"), messages)
    run("in", "out")
    infos = [each[4] for each in read("out") if each[0] == "/front/depth/camera_info"]
    scale = NETWORK[1] / SIZE[1]
    np.testing.assert_allclose([info.k[0] / scale for info in infos], [60, 60, 60, 52])


def test_pictures_that_change_their_size(run):
    camera = Camera()
    messages = walk(camera, 4)
    for index in (2, 3):
        time = START + index * 100_000_000
        messages[2 * index] = camera.image(time, camera.pixels(index, (48, 64)))
        messages[2 * index + 1] = camera.info(time, (48, 64))
    write_bag(Path("in"), messages)
    assert run("in", "out", "--full-size")[::2] == (0, "")
    infos = [each[4] for each in read("out") if each[0] == "/front/depth/camera_info"]
    assert [(each.height, each.width) for each in infos] == 2 * [SIZE] + 2 * [(48, 64)]


def test_without_camera_info(run):
    camera = Camera()
    write_bag(Path("in"), walk(camera)[::2])
    code, _, err = run("in", "out")
    assert code == 0
    assert err == (
        "warning: in: no /front/camera_info, so the camera of /front/image_raw is not known; points"
        " and maps need it\n"
    )
    assert {each[0] for each in read("out")} == {"/front/image_raw", "/front/depth/image"}


def test_the_only_camera_info(run):
    camera = Camera()
    infos = [camera.info(START, topic="color/camera_info")]
    write_bag(Path("in"), walk(camera)[::2] + infos)
    code, _, err = run("in", "out")
    assert (code, err) == (
        0,
        "warning: in: no /front/camera_info; /front/color/camera_info is taken, the only CameraInfo"
        " in it\n",
    )
    assert sum(each[0] == "/front/depth/camera_info" for each in read("out")) == 3


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (
            Camera(namespace="/thermal", frame="thermal_optical").info(START),
            "its frame is 'thermal_optical', theirs 'front_optical'",
        ),
        (
            Camera(namespace="/other").info(START, (48, 64)),
            "the CameraInfo is for pictures of 64x48, and these are 60x40",
        ),
    ],
)
def test_the_only_camera_info_is_of_another_camera(run, info, reason):
    write_bag(Path("in"), [*walk(Camera())[::2], info])
    code, out, err = run("in", "out")
    assert code == 0 and "next:" not in out
    assert err == (
        "warning: in: no /front/camera_info, so the camera of /front/image_raw is not known; points"
        f" and maps need it ({info.topic} is not taken: {reason})\n"
    )
    assert not any(each[0] == "/front/depth/camera_info" for each in read("out"))


def test_a_camera_that_is_not_calibrated(run):
    camera = Camera()
    write_bag(Path("in"), [*walk(camera)[::2], camera.info(START, k=[0] * 9, p=[0] * 12)])
    code, _, err = run("in", "out")
    assert code == 0 and err == (
        "warning: in: the CameraInfo on /front/camera_info is not calibrated (K is 0), and so is"
        " that of the depth; calibrate the camera to make points or a map of it\n"
    )
    info = [each[4] for each in read("out") if each[0] == "/front/depth/camera_info"][0]
    assert not info.k.any() and not info.p.any() and (info.height, info.width) == NETWORK


def test_one_of_several_cameras(run):
    """Depth is no picture topic, though its type is that of pictures."""
    left, right = Camera(namespace="/left"), Camera(namespace="/right")
    messages = walk(left) + walk(right, compressed=True)
    messages.append(left.depth(START, np.ones(SIZE)))
    write_bag(Path("in"), sorted(messages, key=lambda each: each.time))
    assert run("in", "out") == (
        2,
        "",
        "error: in: holds pictures on several topics, /left/image_raw (sensor_msgs/msg/Image, 3),"
        " /right/image_raw/compressed (sensor_msgs/msg/CompressedImage, 3); add --topic"
        " /left/image_raw, or another of them\n",
    )
    assert run("in", "out", "--topic", "/right/image_raw/compressed")[0] == 0
    topics = {each[0] for each in read("out")}
    assert {"/right/depth/image", "/right/depth/camera_info"} <= topics
    assert not any(topic.startswith("/left/depth") for topic in topics)


def test_two_topics_of_one_namespace(run):
    """Each has its own depth, below it."""
    camera = Camera()
    messages = [camera.image(START, camera.pixels(0), topic=f"image_{side}") for side in "lr"]
    write_bag(Path("in"), [*messages, camera.info(START)])
    assert run("in", "left", "--topic", "/front/image_l")[0] == 0
    assert run("left", "both", "--topic", "/front/image_r")[0] == 0
    assert {each[0] for each in read("both") if "/depth/" in each[0]} == {
        f"/front/image_{side}/depth/{name}" for side in "lr" for name in ("image", "camera_info")
    }


def test_raw_and_compressed_are_one_camera(run):
    messages = walk(Camera()) + walk(Camera(), compressed=True)
    write_bag(Path("in"), sorted(messages, key=lambda each: each.time))
    assert run("in", "out", "--topic", "/front/image_raw")[1].startswith("out: /front/depth/image")


def test_a_stray_file_in_the_folder(run):
    """The format is what the metadata say."""
    write_bag(Path("in"), walk(Camera()), "sqlite3")
    Path("in/notes.mcap.txt").touch()
    assert run("in", "out")[0] == 0 and Path("out/out.db3").exists()


def test_some_pictures(run):
    write_bag(Path("in"), walk(Camera()))
    code, out, err = run("in", "out", "--frames", "2")
    assert code == 0 and ": 2 pictures, " in out and err == ""
    assert len(read("out")) == 7  # not the second CameraInfo, which comes after its picture


def test_as_typed(network, tmp_path, capsys):
    """With the network loaded as the command does."""
    write_bag(tmp_path / "in", walk(Camera()))
    assert run_as_typed(network, tmp_path / "in", tmp_path / "out") == 0
    out = capsys.readouterr().out.splitlines()
    command, arguments = out[1].split(" keras_depth.map ")
    assert command == "next: python -m"
    parsed = map_command.parse(shlex.split(arguments))
    assert (parsed.run, parsed.input) == (str(network), str(tmp_path / "out"))
    assert len(read(tmp_path / "out")) == 12


def test_a_network_that_is_none(run):
    write_bag(Path("in"), walk(Camera()))
    code, _, err = run("in", "out", network="runs/nothing")
    assert code == 2 and err.startswith(
        "error: runs/nothing: no such file or folder, and no preset"
    )


def test_the_copy_of_the_node_s_rules():
    ours = Path(bag_command.__file__).with_name("ros_images.py")
    theirs = ours.parents[2] / "ros2" / "keras_depth_ros" / "keras_depth_ros" / "images.py"
    if not theirs.parents[1].exists():
        pytest.skip("ros2/ is in the repository only")
    assert ours.read_bytes() == theirs.read_bytes()


def test_custom_types_are_known_to_none():
    """The made-up type of these tests is in no store, or they would show nothing."""
    types = get_types_from_msg(WHEELS["msgdef"], "my_msgs/msg/Wheels")
    assert all(not types.keys() & store.fielddefs.keys() for store in STORES.values())
