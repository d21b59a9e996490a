"""Averages the weights of networks that training began from the same one.

    python evaluation/trained/average.py runs/a runs/b --output runs/average

Each weight of the result is the mean of theirs, in a run folder of its own with the first run's
recipe: `evaluate`, `predict` and the others take it. Of networks with the same start the mean can
be better than each (Wortsman et al., "Model soups", ICML 2022); of networks that began at random
it is noise. Their batch norm should be frozen: means of statistics are no statistics of the mean.
"""

import argparse
import shutil
from pathlib import Path

import keras
import numpy as np

from keras_depth import command
from keras_depth.errors import InputError
from keras_depth.predict.loading import load_model, resolve
from keras_depth.run_folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="two runs or more")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="a new run")
    arguments = parser.parse_args()
    if len(arguments.runs) < 2:
        raise InputError(f"{arguments.runs[0]}: one run has no average; give two or more")
    first, folder = RunFolder(arguments.runs[0]), RunFolder(arguments.output)
    if folder.recipe_file.exists():
        raise InputError(f"{folder.path}: holds a run already; give --output a new folder")
    models = [load_model(resolve(run, "run").path) for run in arguments.runs]
    model = average(models, arguments.runs)
    folder.begin(first.recipe())
    for file in (first.mean_depth_file, first.camera_file):
        if file.exists():
            shutil.copy(file, folder.path)
    model.save(folder.model_file)
    print(f"average of {len(models)} networks: {folder.path}")


def average(models: list[keras.Model], names: list[Path]) -> keras.Model:
    """Gives the first of the models the mean of all their weights, and returns it.

    Raises:
        InputError: one of them is another network than the first.
    """
    shapes = [[weight.shape for weight in model.weights] for model in models]
    for name, others in zip(names, shapes, strict=True):
        if others != shapes[0]:
            raise InputError(
                f"{name}: its weights have other shapes than those of {names[0]}; give runs of the"
                " same architecture and options"
            )
    weights = zip(*(model.get_weights() for model in models), strict=True)
    models[0].set_weights([np.mean(each, axis=0) for each in weights])
    return models[0]


if __name__ == "__main__":
    command.run(main)
