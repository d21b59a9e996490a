"""One row: counted, trained, scored and timed; each part is kept as a file, and done once."""

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth import evaluation, multiplications, timing, trainer, transfer
from keras_depth.architectures import create_model
from keras_depth.errors import InputError
from keras_depth.files import write_text
from keras_depth.reproduction.plan import RowPlan
from keras_depth.run_folder import RunFolder, environment

REPEATS = 5  # timed calls of a network
# Frames that the standard protocols are meant for.
_STANDARD_FRAMES = {"nyu": "official", "kitti": "eigen"}


def count(plan: RowPlan) -> dict[str, Any]:
    """Counts the row's network, as the paper has it: parameters, and multiplications a picture."""
    return _once(plan.folder / "counts.json", lambda: _counts(_network(plan)))


def train(plan: RowPlan) -> None:
    """Trains the row's recipe, from where it was stopped; a run that was given is taken as it is.

    Raises:
        InputError: see `trainer.train`.
    """
    if plan.run is None and not (plan.folder / "paper" / "report.json").exists():
        trainer.train(plan.recipe, RunFolder(plan.run_folder))


def score(plan: RowPlan) -> None:
    """Scores the run under the paper's protocol, in `paper/`, and the standard one, `standard/`.

    Where the frames of one are not there, its folder says so, and is tried again next time.
    """
    real = not plan.rendered
    own_list = plan.recipe.data.get("list")
    usual = _STANDARD_FRAMES[plan.network.data["name"]]
    elsewhere = real and own_list not in (None, usual)
    frames = {
        "paper": (plan.row.protocol, dict(plan.row.frames) if real else {}),
        "standard": (plan.standard, {"list": usual} if elsewhere else {}),
    }
    for name, (protocol, options) in frames.items():
        folder = plan.folder / name
        if (folder / "report.json").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        try:
            evaluation.evaluate_run(
                plan.run_folder,
                data=plan.recipe.data["name"],
                data_dir=plan.recipe.data.get("dir"),
                data_options=options,
                protocol=protocol,
                output=folder,
            )
        except InputError as error:
            write_text(folder / "not_scored.txt", f"{error}\n")


def time(plan: RowPlan, reference: RowPlan) -> dict[str, Any]:
    """Times the row's network and the one that it is compared with, in turn, batch 1."""
    return _once(plan.folder / "time.json", lambda: _times(plan, reference))


def _counts(model: keras.Model) -> dict[str, Any]:
    return {
        "parameters": model.count_params(),
        "trainable": sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
        "multiplications": multiplications.count(model),
    }


def _times(plan: RowPlan, reference: RowPlan) -> dict[str, Any]:
    plans = {"seconds": plan}
    if plan.row.row != reference.row.row:
        plans["reference_seconds"] = reference
    functions = {
        name: timing.inference(transfer.for_inference(_network(each)), batch=1)
        for name, each in plans.items()
    }
    seconds = {
        name: float(np.median(values))
        for name, values in timing.seconds(functions, REPEATS).items()
    }
    return {"reference": reference.row.row, **seconds, "environment": environment()}


def _network(plan: RowPlan) -> keras.Model:
    recipe = plan.network
    return create_model(recipe.architecture, (*plan.row.input_size, 3), **recipe.options)


def _once(file: Path, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns what the file holds; computes and writes it where it is not there."""
    if not file.exists():
        values = compute()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(values, indent=2) + "\n")
        keras.backend.clear_session()
        gc.collect()  # a network is a cycle of references
    return json.loads(file.read_text(encoding="utf-8"))
