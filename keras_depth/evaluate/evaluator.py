"""Scoring a network, or any program's depth maps: predictions + data + protocol -> report."""

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from keras_depth import depth_png, protocols, published, recipes
from keras_depth.data import RENDERED, Reader, Sample, open_reader, reader_options
from keras_depth.data.reader import spread
from keras_depth.errors import InputError
from keras_depth.evaluate import figures
from keras_depth.evaluate.depth_maps import Predictions
from keras_depth.evaluate.report import BASELINE, MODEL, POST_PROCESSED, Report
from keras_depth.evaluate.scorer import Scored, Scorer
from keras_depth.images import to_uint8
from keras_depth.predict import loading
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.protocols import Protocol
from keras_depth.recipes import Recipe

_SHOWN = 4  # frames in the figure


def evaluate_run(
    run: Path,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
    split: str | None = None,
    data_options: Mapping[str, Any] | None = None,
    protocol: str | None = None,
    changes: Mapping[str, Any] | None = None,
    output: Path | None = None,
) -> tuple[Report, Path]:
    """Scores a trained network, by default on its recipe's test frames.

    Args:
        run: a run folder, a `.keras` file or an exported network.
        data, data_dir, split, data_options: other frames, as `data.open_reader` takes them. Of the
            recipe's own data set, where it has no test frames, the validation frames.
        protocol: another protocol than the recipe's, or than the data set's usual one.
        changes: other settings of the protocol, see `protocols.vary`.
        output: folder of the report; by default `evaluation/DATA-SPLIT-PROTOCOL` in the run folder.

    Returns:
        The report, and the folder where it lies.

    Raises:
        InputError: what was given does not exist or does not fit.
    """
    estimator = DepthEstimator.load(run)
    source = loading.resolve(run)
    recipe = source.recipe
    mean_depth = source.run_folder.mean_depth() if source.kind == "run" else None
    row = None  # a table's row says nothing of other data
    if recipe and data in (None, recipe.data["name"]):
        section = {**recipe.data, **(data_options or {})}
        if recipe.data.get("depth") == "none" and "depth" not in (data_options or {}):
            del section["depth"]  # trained without; scored with what is there
        if data_dir:
            section["dir"] = str(data_dir)
        reader = _held_out(dataclasses.replace(recipe, data=section), split)
        data = recipe.data["name"]
        if recipe.published:
            row = published.row(**recipe.published)
        if "list" not in (data_options or {}):
            protocol = protocol or recipe.protocol
    elif data:
        reader = open_frames(data, data_dir, split, data_options, estimator)
    else:
        raise InputError(f"{run}: a model alone names no frames; give --data")
    protocol = protocol or protocols.usual(data, (data_options or {}).get("list"))
    report = evaluate(
        estimator,
        reader,
        protocols.get(protocol, changes),
        output := output or _home(run, data, data_dir, split, protocol, changes, data_options),
        model=f"{recipe.architecture if recipe else 'model'} from {run}",
        mean_depth=mean_depth,
        row=row,
    )
    return report, output


def evaluate_predictions(
    path: Path,
    *,
    data: str,
    data_dir: str | Path | None = None,
    split: str | None = None,
    data_options: Mapping[str, Any] | None = None,
    protocol: str | None = None,
    changes: Mapping[str, Any] | None = None,
    output: Path | None = None,
    png_units: float = depth_png.KITTI,
) -> tuple[Report, Path]:
    """Scores depth maps that any program made.

    Args:
        path: the maps, and `png_units` their unit, see `predictions.Predictions`.
        The others: as for `evaluate_run`.

    Returns:
        The report, and the folder where it lies.

    Raises:
        InputError: what was given does not exist or does not fit.
    """
    if (changes or {}).get("flip", "none") != "none":
        raise InputError(
            f"{path}: depth maps of a mirrored picture are not there to be averaged; leave out flip"
        )
    reader = open_frames(data, data_dir, split, data_options)
    protocol = protocol or protocols.usual(data, (data_options or {}).get("list"))
    report = evaluate(
        Predictions(path, reader, png_units),
        reader,
        protocols.get(protocol, changes),
        output := output or _home(path, data, data_dir, split, protocol, changes, data_options),
        model=f"depth maps from {path}",
    )
    return report, output


def _held_out(recipe: Recipe, split: str | None) -> Reader:
    """Opens a split of a recipe's data: by default test frames, or else validation frames."""
    if split:
        return recipes.open_data(recipe, split)
    try:
        return recipes.open_data(recipe, "test")
    except InputError:
        return recipes.open_data(recipe, "validation")


def open_frames(
    data: str,
    data_dir: str | Path | None = None,
    split: str | None = None,
    options: Mapping[str, Any] | None = None,
    estimator: DepthEstimator | None = None,
) -> Reader:
    """Opens frames to score, as `data.open_reader` does, by default as suits the network.

    Of rendered ones not many, of the network's size; pairs for a network that writes disparity,
    because their camera turns it into metres.
    """
    defaults: dict[str, Any] = {}
    if data in RENDERED:
        defaults["count"] = 64
        if estimator:
            defaults["size"] = estimator.input_size
    if estimator and estimator.stereo and "stereo" in reader_options(data):
        defaults["stereo"] = True
    return open_reader(data, data_dir, split, **{**defaults, **(options or {})})


def _home(
    made_by: Path,
    data: str,
    data_dir: str | Path | None,
    split: str | None,
    protocol: str,
    *settings: Mapping[str, Any] | None,
) -> Path:
    """The report's folder: what is scored differently lies beside, not over it."""
    changes = [f"{key}={value}" for each in settings if each for key, value in each.items()]
    parts = [data, data_dir and Path(data_dir).name, split, protocol, *changes]
    name = re.sub(r"[^\w.=]+", "-", "-".join(part for part in parts if part)).strip("-")
    home = made_by if made_by.is_dir() else made_by.parent / made_by.stem
    return home / "evaluation" / name


def evaluate(
    predictor: DepthEstimator | Predictions,
    reader: Reader,
    protocol: Protocol,
    folder: Path,
    *,
    model: str,
    mean_depth: np.ndarray | None = None,
    row: published.Row | None = None,
) -> Report:
    """Scores a network or stored depth maps on a reader's frames, and writes report and figure.

    Args:
        predictor: the network, or the depth maps of the reader's frames. Stored maps cannot be
            mirrored: the protocol's `flip` becomes "none", and its line says so.
        reader: frames with depth in metres.
        protocol: which pixels count.
        folder: where `report.json`, `report.md` and `figures/samples.png` go.
        model: what the report calls the predictor.
        mean_depth: float32 (h, w), metres: scored too, as what a network must beat.
        row: the published one that the network stands for.

    Raises:
        InputError: there is no frame, no pixel to score, or a file of the data set is bad.
    """
    if not len(reader):
        raise InputError(f"{reader.description}: there is no frame to score")
    if not reader.measured:
        raise InputError(
            f"{reader.description}: there is no depth to score with; choose it with --data-option"
            " depth=..."
        )
    if isinstance(predictor, Predictions):
        protocol = protocols.vary(protocol, {"flip": "none"})
    _make(folder / "figures")
    scorers = _scorers(predictor, protocol, mean_depth)
    frames, shown = [], []
    show = spread(len(reader), _SHOWN)
    for index in tqdm(range(len(reader)), unit="frame", desc="evaluate"):
        sample, depth, scored = _score(predictor, reader, index, protocol, scorers, mean_depth)
        frames.append({"name": reader.name(index), **_frame(scored, protocol)})
        for name, values in scorers[MODEL].map_metrics.items():
            frames[-1][name] = _number(values[-1])
        if index in show:
            factor = np.float32(protocol.scale * scored.ratio)
            seen = cv2.resize(depth, sample["image"].shape[1::-1]) * factor
            if protocol.clip_prediction:  # shown as it is scored
                seen = np.clip(seen, *protocol.clip_prediction)
            shown.append((sample["image"], sample["depth"], seen))
    if not scorers[MODEL].valid_pixels:
        raise InputError(
            f"{reader.description}: no pixel has a depth that protocol {protocol.name} scores;"
            " check the data set's unit and the protocol's bounds"
        )
    report = Report(
        model=model,
        data=reader.description,
        synthetic=reader.synthetic,
        protocol=protocol,
        scores={name: scorer.scores() for name, scorer in scorers.items()},
        frames=frames,
        missing=list(reader.missing),
        valid_pixels=scorers[MODEL].valid_pixels,
        all_pixels=scorers[MODEL].all_pixels,
        published=row,
    )
    images, truths, predictions = zip(*shown, strict=True)
    try:
        figures.sample_figure(images, truths, predictions, folder / "figures" / "samples.png")
        report.write(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return report


def _scorers(
    predictor: DepthEstimator | Predictions, protocol: Protocol, mean_depth: np.ndarray | None
) -> dict[str, Scorer]:
    """What is scored: the network, and what it is to be compared with."""
    scorers = {MODEL: Scorer(protocol)}
    if isinstance(predictor, DepthEstimator) and predictor.stereo and protocol.flip == "none":
        # Some papers publish one of the two, some the other.
        scorers[POST_PROCESSED] = Scorer(protocols.vary(protocol, {"flip": "ramp"}))
    if mean_depth is not None:
        # It is metres, whatever a protocol makes of a network's output.
        scorers[BASELINE] = Scorer(dataclasses.replace(protocol, scale=1.0))
    return scorers


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"{folder}: cannot be written ({error.strerror}); give --output another folder"
    )


def _score(
    predictor: DepthEstimator | Predictions,
    reader: Reader,
    index: int,
    protocol: Protocol,
    scorers: dict[str, Scorer],
    mean_depth: np.ndarray | None,
) -> tuple[Sample, np.ndarray, Scored]:
    """Adds a frame to the scorers; returns it, its predicted depth and what of it was scored."""
    sample, name = reader.stored(index), reader.name(index)
    flips = any(scorer.protocol.flip != "none" for scorer in scorers.values())
    depth, mirrored = _predict(predictor, index, sample, flips)
    if not np.isfinite(depth).all():
        raise InputError(f"{name}: the network's depth holds NaN or infinity; train it again")
    try:
        scored = scorers[MODEL].add(sample, depth, mirrored)
        if POST_PROCESSED in scorers:
            scorers[POST_PROCESSED].add(sample, depth, mirrored)
        if mean_depth is not None:  # whatever the picture, mirrored or not
            scorers[BASELINE].add(sample, mean_depth, mean_depth)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return sample, depth, scored


def _predict(
    predictor: DepthEstimator | Predictions, index: int, sample: Sample, flips: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """The depth of a frame, and that of its mirrored picture where a protocol wants it."""
    if isinstance(predictor, Predictions):
        return predictor[index], None
    # In the type that a network is trained on: rendered frames are rounded, as in its batches.
    image, focal_baseline = to_uint8(sample["image"]), None
    if "focal_baseline" in sample:
        focal_baseline = float(sample["focal_baseline"])
    # At the network's size: the protocol says what is interpolated on the way to the truth's.
    if not flips:
        return predictor(image, resize=False, focal_baseline=focal_baseline), None
    both = np.stack([image, image[:, ::-1]])
    depth, mirrored = predictor(both, resize=False, focal_baseline=focal_baseline)
    return depth, mirrored


def _frame(scored: Scored, protocol: Protocol) -> dict[str, float | None]:
    """What the report says of one frame."""
    valid = scored.y_true[..., 1] > 0
    truth = scored.y_true[..., 0][valid]
    error = np.abs(scored.y_pred[..., 0][valid] - truth)
    row = {
        "valid": float(valid.mean()),
        "abs_rel": float(np.mean(error / truth)) if truth.size else None,
    }
    if protocol.alignment != "none":
        row["ratio"] = scored.ratio if truth.size else None
    return row


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
