"""python -m keras_depth.train: trains a recipe, and scores the result on held-out frames."""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from keras_depth import recipes
from keras_depth.command import count, load_tensorflow, run
from keras_depth.errors import InputError

_EXAMPLES = """\
examples:
  # on rendered rooms, with no data set, in minutes
  python -m keras_depth.train --arch lite_basic_interl_t
  # this network's published row, on NYU Depth v2 in any of its layouts
  python -m keras_depth.train --arch lite_basic_interl_t --data nyu --data-dir ~/nyu \\
      --weights imagenet
  # a row by name, with changes
  python -m keras_depth.train --recipe row07_basic_sc_nonbt_adaptive_berhu --data-dir ~/nyu \\
      --set epochs=5 --set loss.preset=run

The same command again goes on after a stop, to bit-identical weights (checked on CPUs)."""


def main() -> int:
    arguments = parse()
    if not (arguments.arch or arguments.recipe):
        raise InputError("give --arch or --recipe; --help shows examples")
    load_tensorflow()
    from keras_depth.evaluate import evaluator
    from keras_depth.run_folder import RunFolder
    from keras_depth.train import loop

    recipe = read_recipe(arguments)
    folder = RunFolder(arguments.output or Path("runs") / run_name(arguments.recipe, recipe))
    print(f"training {recipe.architecture} on {recipe.data['name']} in {folder.path}")
    if not loop.train(recipe, folder, arguments.checkpoint_every):
        if folder.report_file.exists():
            print(f"nothing left to do: see {folder.report_file}; --output starts another run")
        else:
            print(
                f"done: {folder.path}; there is no report from here: the first worker writes it, or"
                " no depth was measured to score with"
            )
        return 0
    report, _ = evaluator.evaluate_run(folder.path, output=folder.path)
    print(report.summary())
    print(f"report: {folder.report_file}\npictures: {folder.figures}")
    return 0


def run_name(asked: str | None, recipe: recipes.Recipe) -> str:
    """Names a run by the recipe that was asked for; by its network, where that says too little."""
    if not asked:
        return f"{recipe.architecture}-{recipe.data['name']}"
    name = Path(asked).stem
    namesakes = [known for known in recipes.list_recipes() if known.split("/")[1] == name]
    return f"{recipe.architecture}-{name}" if len(namesakes) > 1 else name


def read_recipe(arguments: argparse.Namespace) -> recipes.Recipe:
    """Finds the recipe that the arguments ask for, with their changes."""
    from keras_depth import protocols

    if arguments.recipe:
        name = arguments.recipe
    else:
        name = _recipe_of(arguments.arch, arguments.data)
    overrides = list(arguments.set)
    if arguments.data:
        overrides.append(f"data.name={arguments.data}")
    if arguments.data_dir:
        overrides.append(f"data.dir={json.dumps(str(arguments.data_dir.expanduser().resolve()))}")
    recipe = recipes.load(
        name,
        overrides,
        architecture=arguments.arch,
        weights=arguments.weights,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
    )
    own, asked = recipes.load(name).data, [setting.split("=")[0] for setting in arguments.set]
    frames = recipe.data["name"], recipe.data.get("list")
    if "protocol" not in asked and frames != (own["name"], own.get("list")):
        # The recipe's protocol is for its own data.
        recipe = dataclasses.replace(recipe, protocol=protocols.usual(*frames))
    return recipe


def _recipe_of(network: str, data: str | None) -> str:
    """Returns the recipe of a network: on rendered frames, or its row on a data set."""
    from keras_depth import models
    from keras_depth.data import RENDERED

    architecture = models.get(network)
    paper = architecture.paper
    own = [name for name in recipes.list_recipes() if name.startswith(f"{paper}/")]
    if data in (None, *RENDERED):
        wanted, other = ("drives", "rooms") if data == "drives" else ("rooms", "drives")
        return f"{paper}/{wanted}" if f"{paper}/{wanted}" in own else f"{paper}/{other}"
    default = f"{paper}/{architecture.recipe}"
    for name in (default, *own):  # a paper may have a row of this data set beside its first one
        recipe = recipes.load(name)
        if (recipe.architecture, recipe.data["name"]) == (network, data):
            return name
    return default


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m keras_depth.train",
        description="Trains a depth network, and scores it on held-out frames.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--arch", metavar="NAME", help="architecture; its default recipe unless --recipe")
    add("--recipe", metavar="NAME", help="a published row's recipe, or a YAML file")
    add("--data", metavar="NAME", help="synthetic, drives, nyu, kitti, folder or prepared")
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
