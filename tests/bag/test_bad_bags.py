"""Bags that are refused, each in one sentence; nothing half is left."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_depth.bag import __main__ as bag_command
from tests.bag.world import IMAGE, SIZE, START, Camera, read, walk
from tests.helpers.write_bag import Stored, write_bag

REOPEN = "was not closed, because its recorder was stopped, still runs, or the copy is cut short;"


@pytest.fixture
def bags(tmp_path, monkeypatch):
    """in/ (mcap), in_sqlite3/ and in.bag."""
    monkeypatch.chdir(tmp_path)
    write_bag(Path("in"), walk(Camera()))
    write_bag(Path("in_sqlite3"), walk(Camera()), "sqlite3")
    write_bag(Path("in.bag"), walk(Camera("noetic")), "bag")


def cut(path, share=0.5):
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(share * len(content))])
    return path


def without_index(path):
    content = bytearray(Path(path).read_bytes())
    start = content.index(b"index_pos=") + len(b"index_pos=")
    content[start : start + 8] = bytes(8)
    Path(path).write_bytes(content)
    return path


def moved(path, to):
    Path(path).rename(to)
    return to


def written(path, content=b"no bag, but long enough for its start to be looked at"):
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_bytes(content)
    return path


def removed(folder, name):
    Path(folder, name).unlink()
    return folder


def logged(path):
    written(f"{path}-wal")
    return path


def changed(folder, old, new):
    path = Path(folder, "metadata.yaml")
    path.write_text(path.read_text().replace(old, new))
    return folder


LZ4 = ("compression_format: ''\n  compression_mode: ''",
       "compression_format: lz4\n  compression_mode: FILE")  # fmt: skip
NOT_BAGS = {
    "nothing": (lambda: "nothing", "nothing: no such file or folder; check its name"),
    "text": (lambda: written("walk.txt"), "walk.txt: not a bag; give the folder that"),
    "folder": (lambda: written("a/walk.txt") and "a", "a: not a bag: this folder has no metadata"),
    "ROS 1 folder": (
        lambda: written("a/walk.bag") and "a",
        "a: a folder of ROS 1 bags; give the files themselves, such as a/walk.bag",
    ),
    "no mcap": (
        lambda: written("walk.mcap"),
        "walk.mcap: cannot be read as a bag (File magic is invalid); copy it again, or repair it"
        " (mcap recover walk.mcap -o walk_repaired.mcap)",
    ),
    "no database": (lambda: written("walk.db3"), "walk.db3: cannot be read as a bag ("),
    "cut mcap": (
        lambda: cut("in/in.mcap"),
        f"in/in.mcap: {REOPEN} repair it: mcap recover in/in.mcap -o in/in_repaired.mcap",
    ),
    "cut mcap in its folder": (
        lambda: cut("in/in.mcap") and "in",
        f"in/in.mcap: {REOPEN} repair it: mcap recover in/in.mcap -o in/in_repaired.mcap",
    ),
    "recorder killed": (
        lambda: removed("in_sqlite3", "metadata.yaml"),
        "in_sqlite3: holds in_sqlite3.db3 but no metadata.yaml: its recorder was stopped before it"
        " closed the bag; repair it: ros2 bag reindex in_sqlite3",
    ),
    "database with a log": (
        lambda: logged("in_sqlite3/in_sqlite3.db3"),
        f"in_sqlite3/in_sqlite3.db3: {REOPEN} repair it: ros2 bag reindex in_sqlite3",
    ),
    "cut database": (
        lambda: cut("in_sqlite3/in_sqlite3.db3") and "in_sqlite3",
        "in_sqlite3: cannot be read as a bag (",
    ),
    "file missing": (
        lambda: removed("in", "in.mcap"),
        "in: cannot be read as a bag (Some database files are missing: ['in/in.mcap']); copy it",
    ),
    "lz4": (
        lambda: changed("in", *LZ4),
        "in: Compression format 'lz4' is not supported; decompress it with `ros2 bag convert`",
    ),
    "active": (
        lambda: moved("in.bag", "in.bag.active"),
        f"in.bag.active: {REOPEN} repair it: rosbag reindex in.bag.active",
    ),
    "unindexed": (
        lambda: without_index("in.bag"),
        f"in.bag: {REOPEN} repair it: rosbag reindex in.bag",
    ),
    "a path that SQLite reads as more": (
        lambda: moved("in_sqlite3", "in#1"),
        "in#1/in_sqlite3.db3: SQLite opens no path with ?, # or %; rename it",
    ),
    "a database alone with such a path": (
        lambda: moved("in_sqlite3/in_sqlite3.db3", "in%20.db3"),
        "in%20.db3: SQLite opens no path with ?, # or %; rename it",
    ),
    "cut ROS 1": (lambda: cut("in.bag"), f"in.bag: {REOPEN} repair it: rosbag reindex in.bag"),
}


@pytest.mark.parametrize("case", NOT_BAGS)
def test_no_bag(run, bags, case):
    make, message = NOT_BAGS[case]
    code, out, err = run(make(), "out.bag" if "ROS 1" in case else "out")
    assert (code, out) == (2, "") and err.startswith(f"error: {message}"), err
    assert err.count("\n") == 1 and not Path("out").exists()


def image_of(encoding="rgb8", **more):
    return lambda: [Camera().image(START, Camera().pixels(0), encoding, **more)]


def later(message, index=2):
    """A recording whose third picture, or its CameraInfo, is another."""
    messages = walk(Camera(), 4)
    messages[2 * index + (message.type.endswith("Info"))] = message
    return messages


THIRD = START + 200_000_000
MESSAGES = {
    "encoding": (image_of("bayer_rggb16"), "pictures of encoding 'bayer_rggb16' cannot be used;"),
    "size": (image_of(step=10), "a picture says that a row of 60 pixels of rgb8 has 10 bytes;"),
    "jpeg in the middle": (
        lambda: [
            *walk(Camera(), 2, compressed=True),
            Camera().jpeg(THIRD, Camera().pixels(2), cut=300),
        ],
        "topic /front/image_raw/compressed, time 1700000000.205000000: a compressed picture is cut"
        " short (300 bytes); --frames 2 stops before it",
    ),
    "message in the middle": (
        lambda: later(Stored("/front/image_raw", IMAGE, THIRD, b"\0\1\0\0\1\2\3")),
        "topic /front/image_raw, time 1700000000.200000000: the message is damaged (",
    ),
    "camera of another size": (
        lambda: [*walk(Camera())[::2], Camera().info(START, (48, 64))],
        "topic /front/camera_info, time 1700000000.006000000: the CameraInfo is for pictures of"
        " 64x48, and these are 60x40;",
    ),
    "camera in the middle": (
        lambda: later(Camera().info(THIRD, (48, 64))),
        "topic /front/camera_info, time 1700000000.206000000: the CameraInfo is for pictures of",
    ),
    "binning": (
        lambda: [*walk(Camera())[::2], Camera().info(START, binning=2)],
        "the CameraInfo says that 2x2 pixels are binned, which is not supported;",
    ),
    "depth alone": (
        lambda: [Camera().depth(START, np.ones(SIZE))],
        "in2: holds no pictures, which are messages of sensor_msgs/msg/Image or",
    ),
    "depth there already": (
        lambda: [*walk(Camera()), Camera().depth(START, np.ones(SIZE), topic="depth/image")],
        "in2: has a topic /front/depth/image already, where the depth would go;",
    ),
    "empty": (lambda: [], "sensor_msgs/msg/CompressedImage; it holds nothing"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages_that_do_not_fit(run, bags, case):
    make, message = MESSAGES[case]
    write_bag(Path("in2"), make())
    code, out, err = run("in2", "out")
    assert (code, out) == (2, "") and message in err, err
    assert err.count("\n") == 1 and err.startswith("error: in2: ")
    assert not list(Path().glob("*out*")) and not list(Path().glob(".partial*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "in_sqlite3"], "in_sqlite3: exists already and is not overwritten; give another"),
        (["in", "in/out"], "in/out: in in, which is the input; give another folder"),
        (["in_sqlite3", "out#1"], "out#1: SQLite takes no path with ?, # or %; give another name"),
        (["in", os.fsdecode(b"out\xff")], "a bag's own name is UTF-8; give such a name"),
        (["in.bag", "out"], "out: a ROS 1 bag is one file; give a name that ends in .bag"),
        (["in", "out.bag"], "out.bag: in is a ROS 2 bag of mcap; give the name of a folder, or"),
        (
            ["in", "out", "--topic", "/front/image"],
            "in: unknown topic '/front/image': did you mean",
        ),
        (
            ["in", "out", "--topic", "/front/camera_info"],
            "in: topic /front/camera_info holds sensor_msgs/msg/CameraInfo, not pictures; give one"
            " of /front/image_raw",
        ),
        (["in", "in.bag/out"], "in.bag: cannot be written ("),
    ],
)
def test_arguments_that_do_not_fit(run, bags, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and message in err, err
    assert not Path("out").exists() and not list(Path().glob(".partial*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["truth", "in", "out"], "truth is the depth that IN holds already; give a network or"),
        (["RUN", "in", "out", "--depth-topic", "/d"], "--depth-topic goes with truth"),
        (
            ["RUN", "in", "out", "--format", "folder", "--encoding", "16UC1"],
            "--encoding is of depth in a bag; a folder holds PNG files of millimetres",
        ),
    ],
)
def test_options_that_do_not_fit(arguments, message, capsys):
    with pytest.raises(SystemExit) as left:
        bag_command.main(arguments)
    assert left.value.code == 2 and message in capsys.readouterr().err


def test_a_topic_of_depth_or_without_messages(run, bags):
    camera = Camera()
    write_bag(Path("in2"), [*walk(camera), camera.depth(START, np.ones(SIZE))])
    assert run("in2", "out", "--topic", "/front/aligned/image_raw")[2] == (
        "error: in2: topic /front/aligned/image_raw holds depth (16UC1), not pictures; give one of"
        " /front/image_raw\n"
    )


def test_a_bag_whose_index_promises_more(run, bags):
    changed("in", "message_count: 6", "message_count: 9")
    assert run("in", "out")[:3:2] == (
        0,
        "warning: in: 6 of its 9 messages could be read; if that is unexpected, repair its index"
        " with `ros2 bag reindex`\n",
    )


def test_without_the_extra(run, bags, monkeypatch):
    monkeypatch.setitem(sys.modules, "rosbags", None)
    assert run("in", "out")[2] == (
        "error: rosbags is not installed; run pip install 'keras_depth[bag]'\n"
    )


@pytest.mark.parametrize("storage", ["mcap", "sqlite3", "bag", "folder"])
def test_a_full_disk(run, bags, monkeypatch, storage):
    """The file system says so when the second picture is written."""
    source = {"sqlite3": "in_sqlite3", "bag": "in.bag"}.get(storage, "in")
    calls = []

    def load(name, full_size, *camera):
        def estimate(picture):
            calls.append(picture)
            if len(calls) > 1:
                raise OSError(28, "No space left on device")
            return np.ones(SIZE, np.float32)

        return estimate

    monkeypatch.setattr(bag_command, "load", load)
    output = "out.bag" if storage == "bag" else "out"
    form = ["--format", "folder"] if storage == "folder" else []
    assert run(source, output, *form)[2].splitlines()[-1] == (
        f"error: {output}: cannot be written (No space left on device); choose another folder, or"
        " make room on the disk"
    )
    assert not list(Path().glob("*out*")) and not list(Path().glob(".partial*"))


@pytest.mark.parametrize("form", ["bag", "folder"])
def test_ctrl_c(run, bags, monkeypatch, form):
    def interrupt(picture):
        raise KeyboardInterrupt

    monkeypatch.setattr(bag_command, "load", lambda *_, **__: interrupt)
    assert run("in", "out", "--format", form)[0] == 130
    assert not list(Path().glob("*out*")) and not list(Path().glob(".partial*"))


KILLED = """
import sys, time
from keras_depth.bag import depth_bag, reading
from pathlib import Path

def estimate(picture):
    print("at work", flush=True)
    time.sleep(60)

with reading.open_bag(sys.argv[1]) as bag:
    depth_bag.add_depth(bag, depth_bag.choose_topics(bag, None), estimate, Path(sys.argv[2]))
"""


def test_killed_and_run_again(run, bags):
    """A second process is refused; what a killed one leaves is marked, and replaced."""
    command = [sys.executable, "-c", KILLED, "in", "out"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "at work\n"
        assert run("in", "out") == (
            2,
            "",
            "error: out: another process is making it; wait until it has ended, stop it, or give"
            " another name\n",
        )
        process.send_signal(signal.SIGKILL)
    assert Path(".partial-out").is_dir() and not Path("out").exists()
    assert run("in", "out")[0] == 0
    assert not Path(".partial-out").exists() and len(read("out")) == 12
    shutil.rmtree("out")


def test_a_disk_without_locks(run, bags, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("keras_depth.files.fcntl.flock", refuse)
    with pytest.warns(UserWarning, match=r"out: this disk has no locks \(Operation not supported"):
        assert run("in", "out")[0] == 0


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_of_the_partial_s_name(run, bags, kind):
    """It is the user's own, so it stays."""
    Path("mine").mkdir()
    Path("mine/notes").touch()
    if kind == "link":
        Path(".partial-out").symlink_to("mine")
    else:
        Path("mine").rename(".partial-out")
    assert run("in", "out")[2] == (
        "error: .partial-out: in the way of out, which is made there; rename it, or give another"
        " name\n"
    )
    assert Path(".partial-out/notes").exists() and not Path("out").exists()


@pytest.mark.parametrize("output", ["out.bag", "out"])
def test_an_output_that_appears_meanwhile(run, bags, monkeypatch, output):
    def load(name, full_size, *camera):
        def estimate(picture):
            Path(output).write_text("mine")
            return np.ones(SIZE, np.float32)

        return estimate

    monkeypatch.setattr(bag_command, "load", load)
    assert run("in.bag" if output == "out.bag" else "in", output)[2] == (
        f"error: {output}: exists already and is not overwritten; give another name\n"
    )
    assert Path(output).read_text() == "mine" and not list(Path().glob(".partial*"))


def test_no_folder_is_made_for_nothing(run, bags):
    assert run("nothing", "some/where/out")[0] == 2 and not Path("some").exists()
    assert run("in", "some/where/out")[0] == 0 and Path("some/where/out").is_dir()
