"""Times the ROS 2 node: from a picture sent to its depth received, beside the network's own time.

A camera and a listener in this process, the node in another, the network of `--model` in both: the
same provider, as many threads. Calls of the network and pictures through the node take turns. Runs
where ROS 2 is, as in the environment of `make ros`:

    python -m keras_depth.export mobile_interl_nyu --format onnx --output net
    .venv-ros/bin/python evaluation/benchmarks/ros_node.py net/mobile_interl
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
PAUSE = 0.02  # seconds until the threads of a network that was called wait without computing
PACKAGE = Path(__file__).resolve().parents[2] / "ros2" / "keras_depth_ros"
sys.path[:0] = [str(PACKAGE), str(PACKAGE / "test")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder of keras-depth export --format onnx")
    parser.add_argument("--size", default="240x320", help="HxW of the pictures (240x320)")
    parser.add_argument("--repeats", type=int, default=200, help="pictures (200)")
    arguments = parser.parse_args()

    import rclpy
    from keras_depth_ros.network import Network

    size = tuple(map(int, arguments.size.split("x")))
    rclpy.init()
    network = Network(arguments.model)
    print("| settings | network, ms | through the node, ms | over the network, ms | lost |")
    print("|---|---:|---:|---:|---:|")
    for settings in ({}, {"encoding": "16UC1"}, {"full_size": "true"}, {"compressed": "true"}):
        measure(arguments.model, network, size, settings, arguments.repeats)
    print(f"\nPictures of {arguments.size}, {network.name}, {network.runtime}.")
    rclpy.shutdown()


def measure(model, network, size, settings, repeats):
    """Prints the row of a node with these parameters."""
    import cv2
    import numpy as np
    from client import Client, camera, compressed, picture, running
    from sensor_msgs.msg import CompressedImage, Image

    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    rgb = cv2.GaussianBlur(noise, (0, 0), 5)
    sent = compressed(rgb) if "compressed" in settings else picture(rgb)
    given = [f"{name}:={value}" for name, value in {"model": model, **settings}.items()]
    client = Client(
        "image/compressed" if "compressed" in settings else "image",
        kind=CompressedImage if "compressed" in settings else Image,
    )
    alone, through, lost = [], [], 0
    with running(*(part for each in given for part in ("-p", each))):
        client.meet()
        client.camera.publish(camera(size))
        for _ in range(repeats):
            time.sleep(PAUSE)
            start = time.perf_counter()
            network(rgb)
            alone.append(time.perf_counter() - start)
            time.sleep(PAUSE)
            client.depths.clear()
            start = time.perf_counter()
            client.image.publish(sent)
            lost += not client.spin(lambda: client.depths, 0.5)
            through.append(time.perf_counter() - start)
    client.close()
    network_ms, node_ms = (1000 * np.median(seconds[10:]) for seconds in (alone, through))
    names = ", ".join(f"{name} {value}" for name, value in settings.items()) or "defaults"
    print(
        f"| {names} | {network_ms:.1f} | {node_ms:.1f} | {node_ms - network_ms:.1f} | {lost} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
