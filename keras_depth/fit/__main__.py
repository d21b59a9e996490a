"""python -m keras_depth.fit: says whether a network fits a board, before it is there."""

import argparse
import json
import sys
from pathlib import Path

from keras_depth.command import count, load_tensorflow, program, run, size, suggest
from keras_depth.errors import InputError, check_choice
from keras_depth.files import make_folder, write_text
from keras_depth.fit.boards import PRECISIONS, THIS, read_boards
from keras_depth.predict.loading import resolve

_EXAMPLES = """\
examples:
  # the preset on a Jetson Nano, in half precision
  python -m keras_depth.fit mobile_interl_nyu --board nano --precision fp16
  # a network with random weights at another size, on this machine, whose peaks are measured
  python -m keras_depth.fit --arch lite_basic_interl_t --size 480x640 --board this
  # every layer as JSON
  python -m keras_depth.fit mobile_interl_nyu --board orin_nano --json fit.json"""


def main() -> int:
    arguments = _parser().parse_args()
    if (arguments.run is None) == (arguments.arch is None):
        raise InputError("give RUN or --arch, one of the two; --help shows an example of each")
    if arguments.run and arguments.size:
        raise InputError(f"{arguments.run}: a trained network keeps its size; leave out --size")
    boards = read_boards()
    check_choice("board", arguments.board, [*boards, THIS])
    named = boards.get(arguments.board)
    if named:
        named.check_precision(arguments.precision)
    if arguments.json:
        make_folder(arguments.json.parent)
    load_tensorflow()
    from keras_depth.fit import report, roofline, sources, this_machine
    from keras_depth.fit.layers import analyze

    model = sources.load(arguments.run, arguments.arch, arguments.size)
    board = named or this_machine.measure()
    network = analyze(model, arguments.batch)
    asked = roofline.fit(network, board, arguments.precision)
    everything = report.fits(network, board)
    print(report.to_text(asked, everything))
    if arguments.json:
        content = report.to_json(asked, everything)
        write_text(arguments.json, json.dumps(content, indent=2) + "\n")
    if arguments.run and resolve(arguments.run).kind == "exported":
        suggest("serve", arguments.run, file=sys.stderr)
    elif arguments.run:
        suggest("export", arguments.run, "--format", "onnx", file=sys.stderr)
    else:
        suggest("train", "--arch", arguments.arch, file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("fit"),
        description="Says whether a network fits a board: bounds on its time, and its memory.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "run",
        nargs="?",
        type=Path,
        metavar="RUN",
        help="run folder, .keras file, preset or exported network",
    )
    add("--arch", metavar="NAME", help="in place of RUN: an architecture")
    add(
        "--board",
        required=True,
        metavar="NAME",
        help=f"one of {', '.join(read_boards())}, or {THIS}: this machine, which is measured",
    )
    add(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="of weights and maps (fp32)",
    )
    add("--size", type=size, metavar="HxW", help="size of the input (the architecture's own)")
    add("--batch", type=count, default=1, metavar="N", help="images at once (1)")
    add("--json", type=Path, metavar="FILE", help="write the values there, with every layer")
    return parser


if __name__ == "__main__":
    run(main)
