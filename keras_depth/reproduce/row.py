"""One row: counted, trained, scored and timed; each part is kept as a file, and done once."""

import dataclasses
import gc
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth import recipes
from keras_depth.benchmark import macs, timing
from keras_depth.environment import environment
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.files import read_json, write_text
from keras_depth.models import create_model, reparameterize
from keras_depth.reproduce import settings
from keras_depth.reproduce.plan import RowPlan
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop

SEEN = "seen.json"  # of a score: which of its frames the network was trained on
REPEATS = 9  # timed calls of a network
# Frames that the standard protocols are meant for.
_STANDARD_FRAMES = {"nyu": "official", "kitti": "eigen"}


def count(plan: RowPlan) -> dict[str, Any]:
    """Counts the row's network, as the paper has it: parameters, and multiplications a picture."""
    return _once(plan.folder / "counts.json", lambda: _counts(_network(plan)))


def train(plan: RowPlan) -> None:
    """Trains the row's recipe, from where it was stopped; a run that was given is taken as it is.

    Raises:
        InputError: see `loop.train`.
    """
    settings.keep(plan)
    if plan.run is None and not (plan.folder / "paper" / "report.json").exists():
        loop.train(plan.recipe, RunFolder(plan.run_folder))


def score(plan: RowPlan) -> None:
    """Scores the run under the paper's protocol, in `paper/`, and the standard one, `standard/`.

    Where the frames of one are not there, its folder says so, and is tried again next time.

    Raises:
        InputError: neither could be scored.
    """
    real = not plan.rendered
    own_list = plan.recipe.data.get("list")
    usual = _STANDARD_FRAMES[plan.network.data["name"]]
    elsewhere = real and own_list not in (None, usual)
    frames = {
        "paper": (plan.row.protocol, dict(plan.row.frames) if real else {}),
        "standard": (plan.standard, {"list": usual} if elsewhere else {}),
    }
    failures = [
        error
        for name, (protocol, options) in frames.items()
        if (error := _score(plan, plan.folder / name, protocol, options))
    ]
    if len(failures) == len(frames):
        raise failures[0]


def _score(
    plan: RowPlan, folder: Path, protocol: str, options: Mapping[str, Any]
) -> InputError | None:
    """Scores under one protocol, once; returns why it cannot."""
    if (folder / SEEN).exists():  # written last
        return None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        report, _ = evaluator.evaluate_run(
            plan.run_folder,
            data=plan.recipe.data["name"],
            data_dir=plan.recipe.data.get("dir"),
            split="test",
            data_options=options,
            protocol=protocol,
            output=folder,
        )
    except InputError as error:
        write_text(folder / "not_scored.txt", f"{error}\n")
        return error
    trained = _trained_on(plan)
    seen = None if trained is None else sorted(trained & {each["name"] for each in report.frames})
    write_text(folder / SEEN, json.dumps({"frames": seen}) + "\n")
    return None


def _trained_on(plan: RowPlan) -> set[str] | None:
    """The names of the frames that the run was trained on; None where that is not known."""
    run = RunFolder(plan.run_folder)
    if not run.recipe_file.exists():
        return None
    recipe = run.recipe()
    if recipe.data["name"] == plan.recipe.data["name"] and not plan.rendered:
        where = {"dir": plan.recipe.data["dir"]}  # which may be another place by now
        recipe = dataclasses.replace(recipe, data={**recipe.data, **where})
    try:
        frames = recipes.open_data(recipe, "train")
    except InputError:
        return None
    return {frames.name(index) for index in range(len(frames))}


def time(plan: RowPlan, reference: RowPlan) -> dict[str, Any]:
    """Times the row's network and the one that it is compared with, in turn, batch 1."""
    return _once(plan.folder / "time.json", lambda: _times(plan, reference))


def _counts(model: keras.Model) -> dict[str, Any]:
    parameters = macs.parameters(model)
    return {
        "parameters": parameters["all"],
        "trainable": parameters["trainable"],
        "multiplications": macs.count(model),
    }


def _times(plan: RowPlan, reference: RowPlan) -> dict[str, Any]:
    functions = {
        name: timing.inference(reparameterize.for_inference(_network(each)), batch=1)
        for name, each in (("reference", reference), ("row", plan))
    }
    seconds = timing.seconds(functions, REPEATS)
    # Of calls one after the other: what else the machine does meets both.
    ratios = seconds["row"] / seconds["reference"]
    return {
        "reference": reference.row.row,
        "seconds": float(np.median(seconds["row"])),
        "reference_seconds": float(np.median(seconds["reference"])),
        "ratio": float(np.median(ratios)),
        "range": [float(ratios.min()), float(ratios.max())],
        "environment": environment(),
    }


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
    return read_json(file)
