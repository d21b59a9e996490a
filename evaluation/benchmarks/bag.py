"""Times `keras-depth bag` beside its network: pictures a second read and written, and its memory.

The network is a stand-in that returns the same depth each time, so all that is timed is the bag:
reading, decoding, encoding depth, writing. Each case is a process of its own, whose peak of memory
is taken with few pictures and with many: it must not grow with the length of the bag.

    python evaluation/benchmarks/bag.py --pictures 300
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from keras_depth.command import count, run, size
from keras_depth.memory import keep_freed_memory

FORMATS = ("mcap", "sqlite3", "bag")
COLUMNS = (
    *("depth", "pictures a second", "ms a picture", "of these CPU"),
    *("MB a picture, written", "peak memory, MB", "with {}, MB"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=count, default=300, help="of a bag (300)")
    parser.add_argument("--size", type=size, default=(480, 640), help="of a picture (480x640)")
    parser.add_argument("--depth", type=size, default=(240, 320), help="of the network (240x320)")
    parser.add_argument("--repeats", type=count, default=3, help="runs of each case (3)")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    arguments = parser.parse_args()
    few = max(arguments.pictures // 4, 1)
    print(
        f"rgb8, {arguments.size[0]}x{arguments.size[1]}, {arguments.pictures} pictures, medians\n"
    )
    print(f"| | {' | '.join(COLUMNS).format(few)} |\n|---|{'---:|' * len(COLUMNS)}", flush=True)
    for storage in arguments.formats:
        for depth in (arguments.depth, arguments.size):
            cells = row(storage, arguments.size, depth, arguments.pictures, few, arguments.repeats)
            print(f"| {storage} | {' | '.join(cells)} |", flush=True)


def row(storage, size, depth, pictures, few, repeats):
    """Returns the cells of one format and one size of depth."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        bags = [folder / f"{number}.bag" for number in (pictures, few)]
        if storage != "bag":
            bags = [path.with_suffix("") for path in bags]
        measured = []
        for path, number, times in zip(bags, (pictures, few), (repeats, 1), strict=True):
            with context.Pool(1, maxtasksperchild=1) as pool:
                pool.apply(write, (path, storage, size, number))
            for _ in range(times):
                with context.Pool(1, maxtasksperchild=1) as pool:
                    measured.append(pool.apply(add_depth, (path, depth)))
        bytes_written = measured[0][2] / pictures
    seconds, cpu, _, peak = np.median(measured[:repeats], axis=0)
    return (
        f"{depth[0]}x{depth[1]}",
        f"{pictures / seconds:.0f}",
        f"{1000 * seconds / pictures:.2f}",
        f"{1000 * cpu / pictures:.2f}",
        f"{bytes_written / 1e6:.2f}",
        f"{peak / 1e6:.0f}",
        f"{measured[-1][3] / 1e6:.0f}",
    )


def add_depth(path, depth_size):
    """Returns the seconds, the CPU's seconds, the bytes written and the peak of memory, bytes."""
    from keras_depth.bag import depth_bag, reading

    keep_freed_memory()  # as the command does
    depth = np.random.default_rng(0).uniform(0.5, 9.0, depth_size).astype(np.float32)
    output = path.with_name(f"out{path.suffix}")
    start, cpu = time.perf_counter(), time.process_time()
    with reading.open_bag(path) as bag:
        depth_bag.add_depth(bag, depth_bag.choose_topics(bag, None), lambda _: depth, output)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    files = [output] if output.is_file() else list(output.iterdir())
    written = sum(file.stat().st_size for file in files)
    for file in files:
        file.unlink()
    if output.is_dir():
        output.rmdir()
    return seconds, cpu, written, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def write(path, storage, size, pictures):
    """Writes a bag of noise, with its CameraInfo."""
    from rosbags import rosbag1, rosbag2
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC if storage == "bag" else Stores.ROS2_JAZZY)
    serialize = store.serialize_ros1 if storage == "bag" else store.serialize_cdr
    image, info = (store.types[f"sensor_msgs/msg/{name}"] for name in ("Image", "CameraInfo"))
    roi = store.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    (height, width), camera = size, np.array([500, 0, 320, 0, 500, 240, 0, 0, 1], np.float64)
    projection = np.insert(camera.reshape(3, 3), 3, 0, 1).reshape(-1)
    data = np.random.default_rng(0).integers(0, 256, 3 * height * width, np.uint8)
    if storage == "bag":
        writer = rosbag1.Writer(path)
    else:
        plugin = rosbag2.StoragePlugin[storage.upper()]
        writer = rosbag2.Writer(path, version=9, storage_plugin=plugin)
    with writer:
        topics = [
            writer.add_connection(f"/camera/{name}", kind.__msgtype__, typestore=store)
            for name, kind in (("image_raw", image), ("camera_info", info))
        ]
        for index in range(pictures):
            stamp = store.types["builtin_interfaces/msg/Time"](1_700_000_000 + index, 0)
            extra = {"seq": index} if storage == "bag" else {}
            header = store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera", **extra)
            messages = (
                image(header, height, width, "rgb8", 0, 3 * width, data),
                info(
                    *(header, height, width, "plumb_bob", np.zeros(5), camera),
                    *(np.eye(3).reshape(-1), projection, 0, 0, roi),
                ),
            )
            for topic, message in zip(topics, messages, strict=True):
                time_ns = (1_700_000_000 + index) * 10**9
                writer.write(topic, time_ns, serialize(message, topic.msgtype))


if __name__ == "__main__":
    run(main)
