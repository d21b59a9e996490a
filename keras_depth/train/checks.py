"""Checks whether a recipe's network, loss and frames fit together."""

import warnings

import keras
import numpy as np

from keras_depth import models
from keras_depth.data.checks.depth_values import DepthValues, find_unit_faults
from keras_depth.data.pipeline import check_focal_length
from keras_depth.data.reader import Reader, spread
from keras_depth.encodings import ENCODINGS, Encoding
from keras_depth.errors import InputError, check_choice
from keras_depth.evaluate.frames import Frames
from keras_depth.losses import DepthLoss
from keras_depth.predict.loading import resolve
from keras_depth.recipes import Recipe
from keras_depth.train.start import names_network

_UNIT_FRAMES = 16  # evenly spread, whose depth is looked at
_ENLARGED = 1.1  # by so much a side may be larger without a word
_OTHER_CAMERA = 1.05  # and so much the disparity of the same view


def check_encoding(recipe: Recipe, encoding: Encoding) -> None:
    """Raises InputError if the network's last activation cannot produce the encoding."""
    own = ENCODINGS[models.get(recipe.architecture).encoding]
    if own.bounded and not encoding.bounded:
        bounded = [name for name, entry in ENCODINGS.items() if entry.bounded]
        raise InputError(
            f"{recipe.architecture} outputs 0..1, but encoding {encoding.name!r} is not limited to"
            f" that range; choose one of {', '.join(bounded)}"
        )


def check_loss(recipe: Recipe, loss: DepthLoss, encoding: Encoding, frames: Reader) -> None:
    """Raises InputError unless the loss fits the network and the frames hold what it needs."""
    data, name = frames.description, recipe.loss["name"]
    pairs = loss.target_kind == "pair"
    if pairs != encoding.stereo:
        source, fitting = ("stereo pairs", "stereo") if encoding.stereo else ("depth", "mse_rel")
        raise InputError(
            f"loss {name!r} does not fit {recipe.architecture}, which learns from {source}; choose"
            f" another loss, such as {fitting!r}, or another architecture"
        )
    if pairs and not frames.stereo:
        raise InputError(
            f"{data}: loss {name!r} needs stereo pairs; set data.stereo=true if the data set has"
            " them; a recording of your own has them in left/ and right/"
        )
    if pairs and recipe.augmentation.get("crop"):
        raise InputError(
            "augmentation.crop: disparity is a fraction of the width, which a crop would change;"
            " remove crop"
        )
    if not pairs and not frames.measured:
        raise InputError(
            f"{data}: loss {name!r} learns from depth; set data.depth to one that the data set has,"
            " or put depth/ beside the pictures of a recording"
        )


def check_canonical(recipe: Recipe, loss: DepthLoss, *readers: Reader) -> None:
    """Raises InputError if depth is learned for a canonical camera, and that cannot be."""
    if recipe.canonical_focal_length is None:
        return
    if loss.target_kind == "pair":
        raise InputError(
            f"canonical_focal_length: {recipe.architecture} learns disparity from stereo pairs, not"
            " metres; leave canonical_focal_length out"
        )
    for frames in readers:
        check_focal_length(frames.stored(0), frames.name(0))  # the others: when they are read


def check_batch_norm(recipe: Recipe) -> None:
    """Raises InputError unless a batch norm that is frozen has statistics to keep."""
    check_choice("value of batch_norm", recipe.batch_norm, ("trained", "frozen"))
    if recipe.batch_norm == "frozen" and not names_network(recipe.weights):
        raise InputError(
            "batch_norm: frozen keeps a trained network's statistics, which weights"
            f" {recipe.weights} do not have; give a network with --weights RUN, or --set"
            " batch_norm=trained"
        )


def warn_of_frozen_noise(recipe: Recipe, model: keras.Model) -> None:
    """Warns if an encoder keeps the random weights it starts with."""
    if recipe.weights == "none" and not all(layer.trainable for layer in model.layers):
        thaw = "encoder_rate=1" if recipe.encoder_rate == 0 else "options.frozen=false"
        warnings.warn(
            f"{recipe.architecture}: its encoder is frozen, and its weights are random; give"
            f" --weights, or --set {thaw}",
            stacklevel=4,
        )


def warn_of_enlarged_frames(recipe: Recipe, frames: Reader) -> None:
    """Warns if the first frame is smaller than what the network is trained on."""
    stored, size = frames.stored(0)["image"].shape[:2], recipe.size
    if any(side > _ENLARGED * own for side, own in zip(size, stored, strict=True)):
        again = f", or prepare the copy at {size[0]}x{size[1]}"
        warnings.warn(
            f"{frames.description}: frames of {stored[0]}x{stored[1]} are enlarged to"
            f" {size[0]}x{size[1]}, which adds nothing to learn from; --set size=[{stored[0]},"
            f" {stored[1]}] trains at their own"
            f" size{again if recipe.data['name'] == 'prepared' else ''}",
            stacklevel=4,
        )


def warn_of_other_camera(recipe: Recipe, frames: Reader) -> None:
    """Warns if pairs are of another camera than those that the first weights were trained on."""
    if not (frames.stereo and names_network(recipe.weights)):
        return
    run = resolve(recipe.weights, "run", "keras", "preset").run_folder
    known = run.focal_baseline()
    if known is None or not run.recipe_file.is_file():
        return
    before = known / run.recipe().size[1]  # a width has this many pixels of disparity at 1 m
    first = frames.stored(0)
    ratio = float(first["focal_baseline"]) / first["image"].shape[1] / before
    if not 1 / _OTHER_CAMERA < ratio < _OTHER_CAMERA:
        warnings.warn(
            f"weights {recipe.weights}: trained on pairs of another camera: at the same width and"
            f" depth, the disparity of {frames.description} is {ratio:.3g} times as large; the"
            " network must learn this first",
            stacklevel=4,
        )


def warn_of_unreachable_depth(encoding: Encoding, frames: Reader, farthest: float) -> None:
    """Warns if frames are deeper than an encoding can represent; `farthest` is in metres."""
    if farthest > encoding.farthest:
        warnings.warn(
            f"encoding {encoding.name!r} cannot represent depth beyond {encoding.farthest:g} m, but"
            f" {frames.description} reach {farthest:.0f} m on average; choose another encoding or"
            " architecture",
            stacklevel=4,
        )


def warn_of_missing_frames(*readers: Reader) -> None:
    """Warns, once for each reader, that frames of its list are left out."""
    for reader in readers:
        if reader.missing:
            warnings.warn(reader.description, stacklevel=4)


def warn_of_test_frames(recipe: Recipe) -> None:
    """Warns if the test frames cannot be read: it costs no training, but the scores at its end."""
    try:
        Frames().open_own(recipe)
    except InputError as error:
        warnings.warn(
            f"the test frames cannot be read, so mend them before the training ends, or it will"
            f" not be scored: {error}",
            stacklevel=4,
        )


def warn_of_wrong_unit(frames: Reader, scene: str) -> None:
    """Warns if the depth of a few frames does not look like metres; see `DataSet` for `scene`."""
    values = DepthValues.of(np.zeros(0, np.float32))
    for index in spread(len(frames), _UNIT_FRAMES):
        values += DepthValues.of(frames.stored(index)["depth"], frames.units_per_metre)
    for sentence in find_unit_faults(values, scene, frames.units_per_metre):
        warnings.warn(f"training frames: {sentence}", stacklevel=4)
