"""Runs any command: `keras-depth train ...` is `python -m keras_depth.train ...`."""

import argparse
import runpy
import sys
from pathlib import Path

from keras_depth import __version__
from keras_depth.errors import unknown_name

COMMANDS = {
    "list": "show the trained networks that come with the package, and all that can be trained",
    "data": "check a data set, and write a copy of it that is fast to read",
    "train": "train a recipe, and score the result on held-out frames",
    "evaluate": "score a network, or depth maps of other programs, under a protocol",
    "predict": "estimate depth in images, videos and camera pictures",
    "export": "write a network for a server, a phone or a board",
    "calibrate": "give a network the metres of your camera, from a tape measure",
    "serve": "serve exported networks over HTTP and gRPC",
    "bag": "add depth to a ROS bag, or make a data set of it",
    "map": "map what a moving camera sees: its path, and a cloud of points",
    "benchmark": "count a network's operations, and time it on this machine",
    "fit": "predict the time and memory of a network on a board",
    "reproduce": "compare a paper's tables with results of this code",
    "build_ops": "compile the interleave op for the installed TensorFlow",
}


def main() -> None:
    """Runs the command that the first argument names, with the other arguments."""
    module = Path(sys.argv[0]).name == "__main__.py"
    program = "python -m keras_depth" if module else "keras-depth"
    parser = _parser(program)
    command = parser.parse_args(sys.argv[1:2] or ["--help"]).command
    if command not in COMMANDS:
        parser.error(str(unknown_name("command", command, COMMANDS)))
    sys.argv[:2] = [f"{program} {command}"]
    runpy.run_module(f"keras_depth.{command}", run_name="__main__")


def _parser(program: str) -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<11}{purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} COMMAND ...",
        description="Monocular depth estimation in Keras: the networks of five papers.",
        epilog=f"commands:\n{lines}\n\n{program} COMMAND --help explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", help="one of the commands below")
    parser.add_argument("--version", action="version", version=f"keras_depth {__version__}")
    return parser


if __name__ == "__main__":
    main()
