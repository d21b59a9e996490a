"""What tests of the running node share: networks, nodes in processes of their own, and a client."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
# Tests of others on this network do not hear ours; 101 is the last domain that Linux has free.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


@pytest.fixture(scope="session", autouse=True)
def ros(tmp_path_factory):
    """ROS, in this process."""
    import rclpy

    os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("log"))
    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture(scope="session")
def write_network():
    """Writes a network into a folder, which it returns."""
    import dummy_network

    return dummy_network.write


@pytest.fixture(scope="session")
def model(write_network, tmp_path_factory):
    """The folder of a network of 12x16."""
    return write_network(tmp_path_factory.mktemp("networks") / "dummy" / "1").parent


@pytest.fixture(scope="module")
def client(ros):
    """A camera and a listener, on the topics' usual names."""
    from client import Client

    client = Client()
    yield client
    client.close()
