"""python -m keras_depth.benchmark: measures the size and the speed of a network."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from keras_depth.command import count, load_tensorflow, program, run, setting, size, suggest
from keras_depth.errors import InputError, check_kinds, first_line, unknown_name
from keras_depth.files import make_folder, write_text

_RUNTIMES = ("tensorflow", "onnxruntime", "litert")
_EXAMPLES = """\
examples:
  # a network with random weights, at its own size
  python -m keras_depth.benchmark --arch lite_basic_interl_t
  # at another size, with an option of the network, and its training step on 4 images
  python -m keras_depth.benchmark --arch lite_basic_interl_t --size 480x640 \\
      --option decoder=interleave --batch 4 --training
  # two networks, exported for three runtimes and timed in turn, as a table
  python -m keras_depth.benchmark --arch lite_basic_interl_t --arch mobilenet_v2_unet \\
      --size 224x320 --runtime tensorflow,onnxruntime,litert
  # a trained network, with the values as JSON too
  python -m keras_depth.benchmark runs/lite_basic_interl_t-rooms --json lite.json"""


def main() -> int:
    arguments = _parser().parse_args()
    _check(arguments)
    if arguments.json:
        make_folder(arguments.json.parent)
    load_tensorflow()
    models, batch, repeats = _models(arguments), arguments.batch, arguments.repeats
    if arguments.runtime:
        from keras_depth.benchmark import compare_runtimes

        result = compare_runtimes.compare(models, arguments.runtime, batch, repeats)
        print(compare_runtimes.report(result))
    else:
        from keras_depth.benchmark import measure

        (model,) = models.values()
        result = measure.measure(model, batch, repeats, arguments.training)
        print(measure.report(result))
    if arguments.json:
        write_text(arguments.json, json.dumps(result, indent=2) + "\n")
    if arguments.run:
        suggest("export", arguments.run, "--format", "onnx", file=sys.stderr)
    else:
        suggest("train", "--arch", arguments.arch[0], file=sys.stderr)
    return 0


def _models(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the models to measure, by name."""
    from keras_depth.predict.loading import load_model

    if arguments.run:
        model = load_model(arguments.run)
        return {model.name: model}
    return {name: _create(name, arguments) for name in arguments.arch}


def _create(name: str, arguments: argparse.Namespace) -> Any:
    from keras_depth import models

    options = dict(arguments.option)
    shape = (*arguments.size, 3) if arguments.size else None
    check_kinds(f"{name} cannot take --option", models.get(name).options, options)
    try:
        return models.create_model(name, shape, **options)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} cannot take --option {options}: {first_line(error)}") from error


def _check(arguments: argparse.Namespace) -> None:
    if (arguments.run is None) == (arguments.arch is None):
        raise InputError("give RUN or --arch, one of the two; --help shows an example of each")
    if arguments.arch and len(arguments.arch) > 1 and not arguments.runtime:
        raise InputError("several networks are compared in runtimes; give --runtime, or one --arch")
    if arguments.runtime and arguments.training:
        raise InputError("an exported network cannot be trained; leave out --runtime or --training")
    if arguments.run and (arguments.size or arguments.option):
        raise InputError(
            f"{arguments.run}: a trained network keeps its size and options; leave out --size and"
            " --option"
        )


def _runtimes(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in _RUNTIMES:
            raise argparse.ArgumentTypeError(str(unknown_name("runtime", name, _RUNTIMES)))
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("benchmark"),
        description="Measures the size of a network, and its speed on this machine.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", nargs="?", type=Path, metavar="RUN", help="run folder, .keras file or preset")
    add(
        "--arch",
        action="append",
        metavar="NAME",
        help="in place of RUN: an architecture with random weights (repeatable with --runtime)",
    )
    add("--size", type=size, metavar="HxW", help="size of the input (the architecture's own)")
    add(
        "--option",
        type=setting,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of the architecture, for example dropout=0 (repeatable)",
    )
    add(
        "--runtime",
        type=_runtimes,
        metavar="NAME,...",
        help=f"export the networks and time them in these runtimes: {', '.join(_RUNTIMES)}",
    )
    add("--batch", type=count, default=1, metavar="N", help="images at once (1)")
    add("--repeats", type=count, default=20, metavar="N", help="timed calls (20)")
    add(
        "--training",
        action="store_true",
        help="also time training steps, with the loss of the architecture's recipe and Adam",
    )
    add("--json", type=Path, metavar="FILE", help="write the values there too")
    return parser


if __name__ == "__main__":
    run(main)
