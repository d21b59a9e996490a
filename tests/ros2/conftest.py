"""The ROS 2 package, which is no part of keras_depth: its modules that need no ROS."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "ros2" / "keras_depth_ros"
sys.path += [str(PACKAGE), str(PACKAGE / "test")]
