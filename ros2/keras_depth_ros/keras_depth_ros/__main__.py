"""Starts the node: `ros2 run keras_depth_ros depth`, or `python3 -m keras_depth_ros`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any


def main() -> int:
    """Runs the node until it is interrupted; returns the exit status."""
    # Imports take half a second, and there is nothing to close yet. An exception would be a
    # traceback, or what the module that is imported makes of it.
    before = {each: signal.signal(each, _leave) for each in (signal.SIGINT, signal.SIGTERM)}
    from keras_depth_ros import node

    for each, handler in before.items():
        signal.signal(each, handler)
    try:
        return node.run()
    except KeyboardInterrupt:  # before rclpy's handlers are there
        return 0


def _leave(number: int, frame: Any) -> None:
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
