"""python -m keras_depth.benchmark: how large a network is, and how fast it runs here."""

import argparse
import json
import os
from math import prod
from pathlib import Path
from typing import Any

from keras_depth.command import count, load_tensorflow, program, run, setting, size
from keras_depth.errors import InputError, unknown_name
from keras_depth.files import write_text

_RUNTIMES = ("tensorflow", "onnxruntime", "litert")
_EXAMPLES = """\
examples:
  # a network with random weights, at its own size
  python -m keras_depth.benchmark --arch lite_basic_interl_t
  # at another size, with an option of the network, and its training step on 4 pictures
  python -m keras_depth.benchmark --arch lite_basic_interl_t --size 480x640 \\
      --option decoder=interleave --batch 4 --training
  # two networks, exported for three runtimes and timed in turn: a table
  python -m keras_depth.benchmark --arch lite_basic_interl_t --arch mobilenet_v2_unet \\
      --size 224x320 --runtime tensorflow,onnxruntime,litert
  # a trained network, and the same values for a program
  python -m keras_depth.benchmark runs/lite_basic_interl_t-synthetic --json lite.json"""


def main() -> int:
    arguments = _parser().parse_args()
    _check(arguments)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
    load_tensorflow()
    from keras_depth.predict.estimator import load_model

    if arguments.run:
        model = load_model(arguments.run)
        models = {model.name: model}
    else:
        models = {name: _create(name, arguments) for name in arguments.arch}
    if arguments.runtime:
        result: Any = compare(models, arguments.runtime, arguments.batch, arguments.repeats)
    else:
        (model,) = models.values()
        result = measure(model, arguments.batch, arguments.repeats, arguments.training)
        print(table(result))
    if arguments.json:
        write_text(arguments.json, json.dumps(result, indent=2) + "\n")
    return 0


def compare(
    models: dict[str, Any], runtimes: list[str], batch: int, repeats: int
) -> dict[str, Any]:
    """Times networks by several runtimes, prints a Markdown table, and returns what --json writes.

    Raises:
        InputError: a runtime is not installed, or a network cannot be exported.
    """
    from keras_depth.benchmark import compare_runtimes
    from keras_depth.environment import environment

    rows = compare_runtimes.run(models, runtimes, batch, repeats)
    result: dict[str, Any] = {
        "rows": rows,
        "precision": "fp32",
        "batch": batch,
        "repeats": repeats,
        "threads": _threads(),
        "environment": environment(),
    }
    within = result["threads"]["within_operations"]
    print(compare_runtimes.table(rows))
    print(
        f"\nfp32, batch {batch}, on {_devices(result['environment'])} with {within} threads; uint8"
        f" pictures in, metres out; {repeats} calls of each, in turn, each network by each runtime"
        " in a process of its own"
    )
    return result


def measure(model: Any, batch: int, repeats: int, training: bool = False) -> dict[str, Any]:
    """Measures a network on this machine.

    Args:
        model: Keras model with an input (B, h, w, 3) of a fixed size; training changes its weights.
        batch: pictures that go through it at once.
        repeats: timed calls.
        training: also time training steps, with the loss of the architecture's recipe.

    Returns:
        What `table` prints and --json writes; milliseconds, bytes.

    Raises:
        InputError: the batch does not fit into memory, or nothing says which loss trains the model.
    """
    import tensorflow as tf

    from keras_depth import memory
    from keras_depth.benchmark import macs, timing
    from keras_depth.environment import environment

    loss = _loss(model) if training else None
    height, width = model.inputs[0].shape[1:3]
    result = {
        "architecture": model.name,
        "size": [height, width],
        "parameters": {
            "all": model.count_params(),
            "trainable": sum(prod(weight.shape) for weight in model.trainable_weights),
        },
        "multiplications": macs.count(model),
        "batch": batch,
        "repeats": repeats,
    }
    try:
        result["inference"] = _times(timing.inference(model, batch), batch, repeats)
        if loss:
            step = timing.training_step(model, loss, batch)
            result["training"] = {"loss": loss.name, **_times(step, batch, repeats)}
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(f"a batch of {batch} does not fit into memory; lower --batch") from error
    result["peak_memory"] = memory.peak()
    result["threads"] = _threads()
    result["environment"] = environment()
    return result


def table(result: dict[str, Any]) -> str:
    """Returns what `measure` found, a line for each thing."""
    parameters, environment = result["parameters"], result["environment"]
    height, width = result["size"]
    rows = {
        "network": result["architecture"],
        "input": f"{height}x{width}, batch {result['batch']}",
        "parameters": f"{parameters['all']:,} ({parameters['trainable']:,} trainable)",
        "one picture": f"{result['multiplications'] / 1e9:.3f} GMAC",
        "inference": _speed(result["inference"]),
    }
    if "training" in result:
        rows["training step"] = f"{_speed(result['training'])}, {result['training']['loss']}, Adam"
    rows["times"] = f"medians of {result['repeats']} calls (10th to 90th percentile)"
    if result["peak_memory"]:
        rows["peak memory"] = f"{result['peak_memory'] / 1e6:,.0f} MB, of the whole process"
    devices = _devices(environment)
    within, across = result["threads"].values()
    rows["devices"] = f"{devices}; {within} threads within an operation, {across} across"
    packages = environment["packages"]
    rows["versions"] = f"TensorFlow {packages['tensorflow']}, Keras {packages['keras']}"
    return "\n".join(f"{name:<15}{text}" for name, text in rows.items())


def _times(function, batch: int, repeats: int) -> dict[str, float]:
    import numpy as np

    from keras_depth.benchmark import timing

    (seconds,) = timing.seconds({"call": function}, repeats).values()
    median, low, high = np.percentile(1000 * seconds, (50, 10, 90)).tolist()
    return {
        "median": median,
        "percentile_10": low,
        "percentile_90": high,
        "pictures_per_second": 1000 * batch / median,
    }


def _speed(times: dict[str, Any]) -> str:
    low, high = times["percentile_10"], times["percentile_90"]
    return (
        f"{times['median']:.1f} ms ({low:.1f} to {high:.1f}),"
        f" {times['pictures_per_second']:.1f} pictures a second"
    )


def _loss(model):
    """Returns the loss that the recipe of the model's architecture trains it with."""
    from keras_depth import losses, models, recipes

    architecture = models.of(model)
    if architecture is None:
        raise InputError(
            f"model {model.name!r} is none of the registered models, so nothing says which"
            " loss trains it; leave out --training"
        )
    arguments = dict(recipes.load(f"{architecture.paper}/{architecture.recipe}").loss)
    return losses.get(arguments.pop("name"), **arguments)


def _devices(environment: dict[str, Any]) -> str:
    return ", ".join(name.removeprefix("/device:") for name in environment["devices"])


def _threads() -> dict[str, int]:
    import tensorflow as tf

    # TensorFlow's default, 0, means one thread for each core that the process may use.
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    threading = tf.config.threading
    return {
        "within_operations": threading.get_intra_op_parallelism_threads() or cores,
        "across_operations": threading.get_inter_op_parallelism_threads() or cores,
    }


def _create(name: str, arguments: argparse.Namespace):
    from keras_depth import models

    options = dict(arguments.option)
    shape = (*arguments.size, 3) if arguments.size else None
    try:
        return models.create_model(name, shape, **options)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{name} cannot take --option {options}: {reason}") from error


def _check(arguments: argparse.Namespace) -> None:
    if (arguments.run is None) == (arguments.arch is None):
        raise InputError("give RUN or --arch, one of the two; --help shows an example of each")
    if arguments.arch and len(arguments.arch) > 1 and not arguments.runtime:
        raise InputError("several networks are compared by --runtime; give one, or one network")
    if arguments.runtime and arguments.training:
        raise InputError("exported networks are not trained; leave out --runtime or --training")
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
        description="Measures how large a network is, and how fast it runs on this machine.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", nargs="?", type=Path, metavar="RUN", help="run folder or .keras file")
    add(
        "--arch",
        action="append",
        metavar="NAME",
        help="in place of RUN: an architecture with random weights (repeatable with --runtime)",
    )
    add("--size", type=size, metavar="HxW", help="of its input (the architecture's own)")
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
        help=f"of {', '.join(_RUNTIMES)}: export the networks, and time them in a table",
    )
    add("--batch", type=count, default=1, metavar="N", help="pictures at once (1)")
    add("--repeats", type=count, default=20, metavar="N", help="calls a median is of (20)")
    add(
        "--training",
        action="store_true",
        help="also time training steps, with the loss of the architecture's recipe and Adam",
    )
    add("--json", type=Path, metavar="FILE", help="write the same values there")
    return parser


if __name__ == "__main__":
    run(main)
