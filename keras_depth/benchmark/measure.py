"""Measures one model on this machine: size, multiplications, times and memory."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_depth import losses, memory, models, recipes
from keras_depth.benchmark import macs, timing
from keras_depth.environment import describe, devices, environment
from keras_depth.errors import InputError


def measure(model: keras.Model, batch: int, repeats: int, training: bool = False) -> dict[str, Any]:
    """Measures a model on this machine.

    Args:
        model: Keras model with an input (B, h, w, 3) of a fixed size; training changes its weights.
        batch: images at once.
        repeats: timed calls.
        training: also time training steps, with the loss of the architecture's recipe.

    Returns:
        What `report` prints and --json writes; times in milliseconds, memory in bytes.

    Raises:
        InputError: the batch does not fit into memory, or the model's loss is not known.
    """
    loss = _recipe_loss(model) if training else None
    result = {
        "architecture": model.name,
        "size": list(model.inputs[0].shape[1:3]),
        "parameters": macs.parameters(model),
        "macs": macs.count(model),
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
    result["threads"] = timing.threads()
    result["environment"] = environment()
    return result


def report(result: dict[str, Any]) -> str:
    """Returns the result of `measure` as text, an aspect a line."""
    parameters, threads = result["parameters"], result["threads"]
    height, width = result["size"]
    rows = {
        "model": result["architecture"],
        "input": f"{height}x{width}, batch {result['batch']}",
        "parameters": f"{parameters['all']:,} ({parameters['trainable']:,} trainable)",
        "one image": f"{result['macs'] / 1e9:.3f} GMAC",
        "inference": _speed(result["inference"]),
    }
    if "training" in result:
        rows["training step"] = f"{_speed(result['training'])}, {result['training']['loss']}, Adam"
    rows["times"] = f"medians of {result['repeats']} calls (10th to 90th percentile)"
    if result["peak_memory"]:
        rows["peak memory"] = f"{result['peak_memory'] / 1e6:,.0f} MB, of the whole process"
    rows["devices"] = (
        f"{devices(result['environment'])}; {threads['within_operations']} threads within an"
        f" operation, {threads['across_operations']} across"
    )
    rows["versions"] = describe(result["environment"])
    return "\n".join(f"{name:<15}{text}" for name, text in rows.items())


def _times(call: Callable[[], object], batch: int, repeats: int) -> dict[str, float]:
    (seconds,) = timing.seconds({"call": call}, repeats).values()
    median, low, high = np.percentile(1000 * seconds, (50, 10, 90)).tolist()
    return {
        "median": median,
        "percentile_10": low,
        "percentile_90": high,
        "images_per_second": 1000 * batch / median,
    }


def _speed(times: dict[str, Any]) -> str:
    low, high = times["percentile_10"], times["percentile_90"]
    return (
        f"{times['median']:.1f} ms ({low:.1f} to {high:.1f}),"
        f" {times['images_per_second']:.1f} images/s"
    )


def _recipe_loss(model: keras.Model) -> losses.DepthLoss:
    """Returns the loss with which the recipe of the model's architecture trains it."""
    architecture = models.of(model)
    if architecture is None:
        raise InputError(
            f"model {model.name!r} is none of the registered architectures, so there is no recipe"
            " to take its loss from; leave out --training"
        )
    arguments = dict(recipes.load(f"{architecture.paper}/{architecture.recipe}").loss)
    return losses.get(arguments.pop("name"), **arguments)
