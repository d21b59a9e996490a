"""Scores a model, or any program's depth maps, on frames with known depth, and writes a report."""

import dataclasses
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from keras_depth import protocols, published
from keras_depth.data import Reader, Sample
from keras_depth.data.pipeline import check_focal_length
from keras_depth.errors import InputError
from keras_depth.evaluate import depth_maps, figures, report_folder
from keras_depth.evaluate.depth_maps import DepthMaps
from keras_depth.evaluate.frames import Frames
from keras_depth.evaluate.report import BASELINE, MODEL, POST_PROCESSED, Report
from keras_depth.evaluate.scorer import Scored, Scorer
from keras_depth.files import make_folder
from keras_depth.geometry import Intrinsics
from keras_depth.images import to_uint8
from keras_depth.predict import loading
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.protocols import Protocol

_EXAMPLES = 4  # frames in the figure


def evaluate_run(
    run: Path,
    frames: Frames | None = None,
    *,
    protocol: str | None = None,
    changes: Mapping[str, Any] | None = None,
    output: Path | None = None,
    fit: str | None = None,
) -> tuple[Report, Path]:
    """Scores a trained model, by default on the held-out frames of its recipe.

    Args:
        run: a run folder, a `.keras` file, an exported network or a preset.
        frames: other frames; None: those of the recipe.
        protocol: a name of `protocols.PROTOCOLS`; None: the recipe's protocol on its own data set,
            otherwise the frames' usual one.
        changes: other settings of the protocol, see `protocols.vary`.
        output: the report's folder; None: a folder named after what was scored, in `evaluation/`
            of the run folder.
        fit: how images of another shape are brought to the network's size, see `letterbox.py`;
            None: as in its training.

    Returns:
        The report, and its folder.

    Raises:
        InputError: what was given does not exist or does not fit.
    """
    frames = frames or Frames()
    estimator = DepthEstimator.load(run, fit=fit)
    source = loading.resolve(run)
    recipe = source.recipe
    row = None
    if recipe and frames.data in (None, recipe.data["name"]):
        frames = dataclasses.replace(frames, data=recipe.data["name"])
        reader = frames.open_own(recipe)
        if recipe.published:
            row = published.row(**recipe.published)
        if "list" not in frames.options:
            protocol = protocol or recipe.protocol
    elif frames.data:  # a published row says nothing of other data
        reader = frames.open(estimator)
    else:
        raise InputError(f"{run}: a model alone names no frames; give --data")
    canonical = source.canonical
    if canonical and estimator.focal_length is None:  # it was calibrated for a camera not named
        warnings.warn(estimator.describe_unknown_camera(), stacklevel=2)
        canonical = False
    protocol = protocol or frames.usual_protocol()
    home = source.results if source.kind == "preset" else run
    named = {**(changes or {}), "fit": fit} if fit else changes
    output = report_folder.choose(output, home, frames, protocol, named)
    report = evaluate(
        estimator,
        reader,
        protocols.get(protocol, changes),
        output,
        model=f"{recipe.architecture if recipe else 'model'} from {run}",
        source=frames.source,
        mean_depth=source.run_folder.mean_depth() if recipe else None,
        row=row,
        canonical=canonical,
    )
    return report, output


def evaluate_depth_maps(
    path: Path,
    frames: Frames,
    *,
    protocol: str | None = None,
    changes: Mapping[str, Any] | None = None,
    output: Path | None = None,
    png_units: float | None = None,
) -> tuple[Report, Path]:
    """Scores depth maps that any program made.

    Args:
        path: the depth maps, see `depth_maps.DepthMaps`.
        frames: the frames that they were made for.
        protocol: a name of `protocols.PROTOCOLS`; None: the frames' usual one.
        changes: other settings of the protocol, see `protocols.vary`.
        output: the report's folder; None: a folder named after what was scored, in `evaluation/`
            beside the depth maps.
        png_units: units of a PNG per metre, of files that do not name them.

    Returns:
        The report, and its folder.

    Raises:
        InputError: what was given does not exist or does not fit.
    """
    if (changes or {}).get("flip", "none") != "none":
        raise InputError(
            f"{path}: flip needs the model's depth of the mirrored image, and these are files;"
            " leave out flip"
        )
    reader = frames.open()
    protocol = protocol or frames.usual_protocol()
    maps = DepthMaps(path, reader, png_units)
    output = report_folder.choose(output, path, frames, protocol, changes)
    report = evaluate(
        maps,
        reader,
        protocols.get(protocol, changes),
        output,
        model=f"depth maps from {path}",
        source=frames.source,
    )
    return report, output


def evaluate(
    predictor: DepthEstimator | DepthMaps,
    reader: Reader,
    protocol: Protocol,
    folder: Path,
    *,
    model: str,
    source: str = "",
    mean_depth: np.ndarray | None = None,
    row: published.Row | None = None,
    canonical: bool = False,
) -> Report:
    """Scores a model or stored depth maps on a reader's frames, and writes report and figure.

    Args:
        predictor: the model, or the depth maps of the reader's frames. Stored maps have no mirrored
            image: the protocol's `flip` becomes "none", and its line says so.
        reader: frames with depth in metres.
        protocol: which pixels are scored, and how.
        folder: the folder for `report.json`, `report.md` and `figures/samples.png`.
        model: the name of the predictor in the report.
        source: the data set and its folder, see `Frames.source`.
        mean_depth: float32 (h, w), metres: a map that is scored too, as the baseline.
        row: the published row that the model stands for.
        canonical: the model was trained for one canonical focal length, so its metres are scaled to
            each frame's own; those of other models are scored as they are.

    Raises:
        InputError: there is no frame, no pixel to score, or a damaged file; a frame lacks the focal
            length that its metres are to be scaled to; or the report cannot be
            written, and its scores are printed.
    """
    _check_measured(reader)
    if isinstance(predictor, DepthMaps):
        protocol = protocols.vary(protocol, {"flip": "none"})
    make_folder(folder / "figures")
    scorers = _scorers(predictor, protocol, mean_depth)
    entries, examples, ratios, seen = [], [], [], []
    # The frames between those of training's validation.png, which may be of the same split.
    chosen = {int((k + 0.5) * len(reader) / _EXAMPLES) for k in range(_EXAMPLES)}
    for index in tqdm(range(len(reader)), unit="frame", desc="evaluate"):
        sample, depth, scored, share = _score_frame(
            predictor, reader, index, scorers, mean_depth, canonical
        )
        seen.append(share)
        entries.append({"name": reader.name(index), **_entry(scored, scorers[MODEL])})
        if isinstance(predictor, DepthMaps):
            ratios.append(depth_maps.median_ratio(depth, sample["depth"]))
        if index in chosen:
            examples.append((reader.key(index), *_example(sample, depth, scored, protocol)))
    if not scorers[MODEL].valid_pixels:
        raise InputError(
            f"{reader.description}: no pixel has a depth that protocol {protocol.name} scores;"
            " check the data set's unit and the protocol's bounds"
        )
    report = Report(
        model=model,
        data=reader.description,
        source=source,
        true_units=reader.units_per_metre,
        units=predictor.describe_units(ratios) if isinstance(predictor, DepthMaps) else "",
        rendered=reader.rendered,
        protocol=protocol,
        scores={name: scorer.scores() for name, scorer in scorers.items()},
        frames=entries,
        missing=list(reader.missing),
        valid_pixels=scorers[MODEL].valid_pixels,
        all_pixels=scorers[MODEL].all_pixels,
        distances=scorers[MODEL].by_distance(),
        published=row,
        fit=predictor.fit if isinstance(predictor, DepthEstimator) else "",
        seen=float(np.mean(seen)),
    )
    _write(report, examples, folder)
    return report


def _write(report: Report, examples: list[tuple], folder: Path) -> None:
    """Writes the figure and the report."""
    names, images, targets, predictions = zip(*examples, strict=True)
    sheet = folder / "figures" / "samples.png"
    try:
        figures.sample_figure(images, targets, predictions, sheet, names)
        report.write(folder)
    except InputError:
        print(report.summary())  # a full disk should not cost the scores
        raise


def _check_measured(reader: Reader) -> None:
    if not len(reader):
        raise InputError(f"{reader.description}: there is no frame to score; choose another split")
    if not reader.measured:
        raise InputError(
            f"{reader.description}: there is no depth to score with; choose it with --data-option"
            " depth=..., or put depth/ beside left/ and right/ of a recording"
        )


def _scorers(
    predictor: DepthEstimator | DepthMaps, protocol: Protocol, mean_depth: np.ndarray | None
) -> dict[str, Scorer]:
    """Returns a scorer for the model, and for each prediction that the report compares it with."""
    scorers = {MODEL: Scorer(protocol)}
    if isinstance(predictor, DepthEstimator) and predictor.stereo and protocol.flip == "none":
        # Some papers publish the one, some the other.
        scorers[POST_PROCESSED] = Scorer(protocols.vary(protocol, {"flip": "ramp"}))
    if mean_depth is not None:
        # It is metres already; the protocol's factor is for a model's output.
        scorers[BASELINE] = Scorer(dataclasses.replace(protocol, scale=1.0))
    return scorers


def _score_frame(
    predictor: DepthEstimator | DepthMaps,
    reader: Reader,
    index: int,
    scorers: dict[str, Scorer],
    mean_depth: np.ndarray | None,
    canonical: bool,
) -> tuple[Sample, np.ndarray, Scored, float]:
    """Adds a frame to all scorers.

    Returns:
        The frame, its predicted depth, its scored pixels, and which share of it the network saw.
    """
    sample, name = reader.stored(index), reader.name(index)
    flips = any(scorer.protocol.flip != "none" for scorer in scorers.values())
    if canonical:
        check_focal_length(sample, name, "score it on frames whose camera is known")
    depth, mirrored = _predict(predictor, index, sample, flips, canonical)
    share = 1.0
    if isinstance(predictor, DepthEstimator):
        sample, share = _hide_unseen(predictor, sample, depth)
    if not np.isfinite(depth).all():
        raise InputError(f"{name}: the model's depth holds NaN or infinity; train it again")
    try:
        scored = scorers[MODEL].add(sample, depth, mirrored)
        if POST_PROCESSED in scorers:
            scorers[POST_PROCESSED].add(sample, depth, mirrored)
        if mean_depth is not None:  # the same for an image and its mirror image
            scorers[BASELINE].add(sample, mean_depth, mean_depth)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return sample, depth, scored, share


def _hide_unseen(
    estimator: DepthEstimator, sample: Sample, predicted: np.ndarray
) -> tuple[Sample, float]:
    """Takes the true depth away where the fit "crop" gives no prediction.

    Returns:
        The frame, and which share of it is left.
    """
    seen = estimator.place(sample["image"].shape[:2]).seen((predicted.shape[0], predicted.shape[1]))
    if estimator.fit == "crop":  # an exported graph may have cropped already: it writes 0 there
        seen &= predicted > 0
    if seen.all():
        return sample, 1.0
    seen &= seen[:, ::-1]  # a mirrored image's may differ by a column
    depth = sample["depth"]
    # Only pixels that the protocol's resizing does not mix with what was not seen.
    shares = cv2.resize(seen.astype(np.float32), depth.shape[1::-1])
    known = (shares > 0.999).reshape(*depth.shape[:2], *[1] * (depth.ndim - 2))
    return {**sample, "depth": np.where(known, depth, np.float32(0))}, float(known.mean())


def _predict(
    predictor: DepthEstimator | DepthMaps,
    index: int,
    sample: Sample,
    flips: bool,
    canonical: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns a frame's depth, and that of its mirrored image if a protocol needs it."""
    if isinstance(predictor, DepthMaps):
        depth = predictor[index]
        depth_maps.check_sides(depth, sample["depth"], predictor.name(index))
        return depth, None
    image = to_uint8(sample["image"])
    # At the model's own size: the protocol says how it is resized to the ground truth's.
    settings: dict[str, Any] = {"resize": False}
    if canonical:
        settings["intrinsics"] = _intrinsics(sample)
    elif "focal_baseline" in sample:
        settings["focal_baseline"] = float(sample["focal_baseline"])
    if not flips:
        return predictor(image, **settings), None
    both = np.stack([image, image[:, ::-1]])
    depth, mirrored = predictor(both, **settings)
    return depth, mirrored


def _intrinsics(sample: Sample) -> Intrinsics:
    """Returns a frame's camera; of its principal point the metres do not depend."""
    (height, width), (fx, fy) = sample["image"].shape[:2], sample["focal_length"]
    return Intrinsics(float(fx), float(fy), (width - 1) / 2, (height - 1) / 2)


def _entry(scored: Scored, scorer: Scorer) -> dict[str, float | None]:
    """Returns the report's entry for the frame that the scorer took last."""
    valid = scored.y_true[..., 1] > 0
    target = scored.y_true[..., 0][valid]
    error = np.abs(scored.y_pred[..., 0][valid] - target)
    entry: dict[str, float | None] = {
        "valid": float(valid.mean()),
        "abs_rel": float(np.mean(error / target)) if target.size else None,
    }
    if scorer.protocol.alignment != "none":
        entry["ratio"] = scored.ratio if target.size else None
    for name, values in scorer.map_metrics.items():
        entry[name] = None if math.isnan(values[-1]) else values[-1]
    return entry


def _example(
    sample: Sample, depth: np.ndarray, scored: Scored, protocol: Protocol
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns image, ground truth and prediction for the figure, the prediction as it is scored."""
    factor = np.float32(protocol.scale * scored.ratio)
    shown = cv2.resize(depth, sample["image"].shape[1::-1]) * factor
    if protocol.clip_prediction:
        shown = np.clip(shown, *protocol.clip_prediction)
    return sample["image"], sample["depth"], shown
