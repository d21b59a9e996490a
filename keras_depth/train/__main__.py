"""python -m keras_depth.train: trains a recipe, and scores the model on held-out frames."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from keras_depth import recipes
from keras_depth.command import count, load_tensorflow, program, run
from keras_depth.data import DATA_SETS
from keras_depth.errors import InputError

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

The same command again resumes a stopped run, to bit-identical weights (tested on CPUs)."""


def main() -> int:
    arguments = parse()
    if not (arguments.arch or arguments.recipe):
        raise InputError("give --arch or --recipe; --help shows examples")
    load_tensorflow()
    from keras_depth.evaluate import evaluator
    from keras_depth.run_folder import RunFolder, name_run
    from keras_depth.train import loop

    recipe = read_recipe(arguments)
    folder = RunFolder(arguments.output or Path("runs") / name_run(recipe, arguments.recipe))
    print(f"training {recipe.architecture} on {recipe.data['name']} in {folder.path}")
    if loop.train(recipe, folder, arguments.checkpoint_every):
        report, _ = evaluator.evaluate_run(folder.path, output=folder.path)
        print(report.summary())
        print(f"report: {folder.report_file}\nfigures: {folder.figures}")
    elif folder.report_file.exists():
        print(f"nothing left to do: see {folder.report_file}; --output starts another run")
    else:
        print(
            f"done: {folder.path}; no report: the first worker writes it, or no depth was measured"
            " to score with"
        )
    return 0


def read_recipe(arguments: argparse.Namespace) -> recipes.Recipe:
    """Loads the recipe that the arguments ask for, with their changes."""
    overrides = list(arguments.set)
    if arguments.data:
        overrides.append(f"data.name={arguments.data}")
    if arguments.data_dir:
        overrides.append(f"data.dir={json.dumps(str(arguments.data_dir.expanduser().resolve()))}")
    return recipes.load(
        arguments.recipe or recipes.usual(arguments.arch, arguments.data),
        overrides,
        architecture=arguments.arch,
        weights=arguments.weights,
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
    add("--weights", metavar="W", help="none, imagenet, a trained model, or an encoder's .pth file")
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
    add("--output", type=Path, metavar="RUN", help="run folder (runs/ARCH-DATA or runs/RECIPE)")
    add(
        "--checkpoint-every",
        type=count,
        default=100,
        metavar="N",
        help="steps between checkpoints (100)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
