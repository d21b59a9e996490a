"""Counts, trains, scores and times one row. Each result is a file, and is computed once."""

import dataclasses
import gc
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_depth import recipes
from keras_depth.benchmark import macs, timing
from keras_depth.data import DATA_SETS
from keras_depth.environment import environment
from keras_depth.errors import InputError
from keras_depth.evaluate import evaluator
from keras_depth.evaluate.frames import Frames
from keras_depth.files import make_folder, read_json, write_text
from keras_depth.models import create_model, reparameterize
from keras_depth.reproduce import settings
from keras_depth.reproduce.plan import RowPlan
from keras_depth.run_folder import RunFolder
from keras_depth.train import loop

SEEN = "seen.json"  # beside a score: which of its frames the model was trained on
REPEATS = 9  # timed calls of a model


def count(plan: RowPlan, plans: Sequence[RowPlan] = ()) -> dict[str, Any]:
    """Counts the parameters of the row's model, and its multiplications for one image.

    Args:
        plan: the row's plan.
        plans: those of the paper's rows; one of the same network gives its counts.
    """
    return _once("counts.json", [plan, *_alike(plan, plans)], lambda: _count(_paper_model(plan)))


def train(plan: RowPlan) -> None:
    """Trains the row's recipe, or continues; a run that the plan names is not trained again.

    Raises:
        InputError: see `loop.train`.
    """
    settings.write(plan)
    if plan.run is None and not (plan.folder / "paper" / "report.json").exists():
        loop.train(plan.recipe, RunFolder(plan.run_folder))


def score(plan: RowPlan) -> None:
    """Scores the run under the paper's protocol (`paper/`) and the standard one (`standard/`).

    If the frames of one are missing, its folder says so, and the next call tries again.

    Raises:
        InputError: neither could be scored.
    """
    real = not plan.rendered
    own_list = plan.recipe.data.get("list")
    # The standard protocol is for the list that is the default of the data set.
    usual = DATA_SETS[plan.paper_recipe.data["name"]].options["list"]
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
    """Scores under one protocol, once; returns the error if it cannot."""
    if (folder / SEEN).exists():  # written last
        return None
    make_folder(folder)
    try:
        report, _ = evaluator.evaluate_run(
            plan.run_folder,
            Frames(plan.recipe.data["name"], plan.recipe.data.get("dir"), "test", options),
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
    """Returns the names of the frames that the run was trained on; None: unknown."""
    run = RunFolder(plan.run_folder)
    if not run.recipe_file.exists():
        return None
    recipe = run.recipe()
    if recipe.data["name"] == plan.recipe.data["name"] and not plan.rendered:
        where = {"dir": plan.recipe.data["dir"]}  # the data set may have moved
        recipe = dataclasses.replace(recipe, data={**recipe.data, **where})
    try:
        frames = recipes.open_data(recipe, "train")
    except InputError:
        return None
    return {frames.name(index) for index in range(len(frames))}


def measure_time(
    plan: RowPlan, reference: RowPlan, plans: Sequence[RowPlan] = ()
) -> dict[str, Any]:
    """Times the row's model and its reference row's in turn, with batch 1.

    Args:
        plan: the row's plan.
        reference: that of the row it is compared with.
        plans: those of the paper's rows; one of the same network, compared with the same row, gives
            its times.
    """
    alike = [each for each in _alike(plan, plans) if each.row.reference == plan.row.reference]
    return _once("time.json", [plan, *alike], lambda: _measure_time(plan, reference))


def _alike(plan: RowPlan, plans: Sequence[RowPlan]) -> list[RowPlan]:
    """Returns the other rows of the same network."""
    return [each for each in plans if each.network == plan.network and each.row != plan.row]


def _count(model: keras.Model) -> dict[str, Any]:
    parameters = macs.parameters(model)
    return {
        "parameters": parameters["all"],
        "trainable": parameters["trainable"],
        "macs": macs.count(model),
    }


def _measure_time(plan: RowPlan, reference: RowPlan) -> dict[str, Any]:
    # By network: a row may be compared with one of its own, or with itself.
    functions = {
        each.network: timing.inference(
            reparameterize.reparameterize_model(_paper_model(each)), batch=1
        )
        for each in {each.network: each for each in (reference, plan)}.values()
    }
    seconds = timing.seconds(functions, REPEATS)
    # Of calls one after the other, so that other load on the machine slows both.
    own, others = seconds[plan.network], seconds[reference.network]
    ratios = own / others
    return {
        "reference": reference.row.row,
        "seconds": float(np.median(own)),
        "reference_seconds": float(np.median(others)),
        "ratio": float(np.median(ratios)),
        "range": [float(ratios.min()), float(ratios.max())],
        "environment": environment(),
    }


def _paper_model(plan: RowPlan) -> keras.Model:
    recipe = plan.paper_recipe
    return create_model(recipe.architecture, (*plan.row.input_size, 3), **recipe.options)


def _once(
    name: str, plans: Sequence[RowPlan], compute: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Reads a result; takes it from a row alike, or computes it, if the file does not exist.

    Args:
        name: the file's.
        plans: the row's, and those of the rows that have the same result.
        compute: returns the result.
    """
    file = plans[0].folder / name
    if file.exists():
        return read_json(file)
    known = [plan.folder / name for plan in plans if (plan.folder / name).exists()]
    values = read_json(known[0]) if known else compute()
    make_folder(file.parent)
    write_text(file, json.dumps(values, indent=2) + "\n")
    if not known:
        keras.backend.clear_session()
        gc.collect()  # a model is a cycle of references
    return values
