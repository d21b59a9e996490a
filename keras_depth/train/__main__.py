"""python -m keras_depth.train: trains a recipe, and scores the model on held-out frames."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_depth.command import count, load_tensorflow, program, run, suggest
from keras_depth.data import DATA_SETS
from keras_depth.errors import InputError

if TYPE_CHECKING:
    from keras_depth.train.start import Start

_EXAMPLES = """\
examples:
  # on rendered rooms: no data set, minutes on a CPU
  python -m keras_depth.train --arch lite_basic_interl_t
  # the published row of this network, on NYU Depth v2 in any of its layouts
  python -m keras_depth.train --arch lite_basic_interl_t --data nyu --data-dir ~/nyu \\
      --weights imagenet
  # a row by name, with changes
  python -m keras_depth.train --recipe row07_basic_sc_nonbt_adaptive_berhu --data-dir ~/nyu \\
      --set epochs=5 --set loss.preset=run
  # go on from a trained network with recordings of your own
  python -m keras_depth.train --weights runs/rooms --data folder --data-dir ~/robot \\
      --set data.units_per_metre=1000

The same command again resumes a stopped run, to bit-identical weights (tested on CPUs)."""


def main() -> int:
    arguments = parse()
    if not (arguments.arch or arguments.recipe or arguments.weights):
        raise InputError(
            "give --arch or --recipe, or --weights with a trained network to fine-tune; --help"
            " shows examples"
        )
    load_tensorflow()
    from keras_depth.evaluate import evaluator
    from keras_depth.train import loop, validation

    start = prepare(arguments)
    recipe, folder = start.recipe, start.folder
    print(*start.lines, sep="\n")
    print(f"training {recipe.architecture} on {recipe.data['name']} in {folder.path}")
    report_is_due = loop.train(
        recipe,
        folder,
        arguments.checkpoint_every,
        other_frames=arguments.other_frames,
        keep_checkpoints=arguments.keep_checkpoints,
    )
    if report_is_due and arguments.no_test:
        print(validation.describe(folder.log_rows()))
        print(f"test frames are not scored; python -m keras_depth.evaluate {folder.path} does")
    elif report_is_due:
        try:
            report, _ = evaluator.evaluate_run(folder.path, output=folder.path)
        except InputError as error:
            folder.write_unscored(error)
            raise
        print(report.summary())
        print(f"report: {folder.report_file}\nfigures: {folder.figures}")
    elif folder.is_scored:
        print(f"nothing left to do: see {folder.report_file}; --output starts another run")
    else:
        print(
            f"done: {folder.path}; no report: the first worker writes it, or no depth was measured"
            " to score with"
        )
    if folder.model_file.exists():
        print(folder.describe_size())
        photos = Path("docs/photos/rgb")  # of a checkout
        pictures = photos if photos.is_dir() else "PICTURE"
        suggest("predict", folder.path, pictures, "--output", "out")
    return 0


def prepare(arguments: argparse.Namespace) -> Start:
    """Finds the recipe that the arguments ask for, with their changes, and its run folder."""
    from keras_depth.train import start  # imports TensorFlow

    return start.prepare(
        arguments.arch,
        arguments.recipe,
        arguments.data,
        arguments.weights,
        data_dir=arguments.data_dir,
        output=arguments.output,
        overrides=arguments.set,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
    )


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the arguments; None: those of the command line."""
    parser = argparse.ArgumentParser(
        prog=program("train"),
        description="Trains a depth network, and scores it on held-out frames.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--arch", metavar="NAME", help="architecture; its default recipe unless --recipe")
    add("--recipe", metavar="NAME", help="a published row's recipe, or a YAML file")
    add("--data", metavar="NAME", help=", ".join(DATA_SETS))
    add("--data-dir", type=Path, metavar="DIR", help="folder of the data set")
    add(
        "--weights",
        metavar="W",
        help="none, imagenet, an encoder's .pth or .h5 file, or a trained network (RUN or .keras),"
        " which is fine-tuned unless --arch or --recipe",
    )
    add("--epochs", type=int, metavar="N")
    add("--batch-size", type=int, metavar="N")
    add("--seed", type=int, metavar="N")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change any other recipe value, for example loss.alpha2=3 (repeatable)",
    )
    add(
        "--output",
        type=Path,
        metavar="RUN",
        help="run folder (runs/ARCH-DATA, runs/RECIPE, or fine-tuned runs/NETWORK-FOLDER)",
    )
    add(
        "--no-test",
        action="store_true",
        help="leave the test frames unscored: choose by validation, score once with evaluate",
    )
    add(
        "--checkpoint-every",
        type=count,
        default=100,
        metavar="N",
        help="steps between checkpoints (100)",
    )
    add(
        "--keep-checkpoints",
        action="store_true",
        help="keep both checkpoints of a finished run; without it, the older one is deleted",
    )
    add(
        "--other-frames",
        action="store_true",
        help="go on with a stopped run though the frames of its data set have changed",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
