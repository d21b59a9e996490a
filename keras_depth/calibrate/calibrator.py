"""Calibrates a network: measures, fit, and the file or the new version that it is written to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_depth.calibrate import fitting, measures, versions
from keras_depth.calibrate.boxes import Box
from keras_depth.calibrate.fitting import Fit, Line, Measure
from keras_depth.data.reader import Reader
from keras_depth.encodings import ENCODINGS
from keras_depth.errors import InputError
from keras_depth.geometry import Intrinsics
from keras_depth.markdown import table
from keras_depth.predict import calibration as calibrations
from keras_depth.predict.calibration import Calibration
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.predict.exported import read_details
from keras_depth.predict.loading import Source, resolve


@dataclass(frozen=True)
class Result:
    """A fitted calibration, before it is written.

    Attributes:
        calibration: what its own metres become.
        fit: how scale and shift were chosen.
        measures: what they were fitted to.
    """

    calibration: Calibration
    fit: Fit
    measures: Sequence[Measure]


def calibrate(
    run: Path,
    boxes: Sequence[Box] = (),
    frames: Reader | None = None,
    *,
    intrinsics: Intrinsics | None = None,
    fov: float | None = None,
    encoding: str | None = None,
    keep_all: bool = False,
) -> Result:
    """Fits a calibration; writes nothing.

    Args:
        run: a run folder or an exported network.
        boxes: what was measured with a tape.
        frames: RGB-D frames.
        intrinsics: of the pictures' camera, (fx, fy, cx, cy) in their pixels; None: not known.
        fov: instead, its horizontal field of view, degrees.
        encoding: how the network writes depth, see `DepthEstimator`.
        keep_all: use measures that contradict the others, too.

    Raises:
        InputError: the network's metres are right by chance, or a measure cannot be used.
    """
    estimator = DepthEstimator.load(run, encoding)
    _check_metric(run, estimator)
    found = measures.measure_boxes(estimator, boxes)
    if frames:
        found += measures.measure_frames(estimator, frames)
    sizes = {one.size for one in found}
    focal_length = measures.find_focal_length(estimator, sizes, intrinsics, fov)
    if not keep_all:
        fitting.check_agreement(found)
    fitted = fitting.fit(found)
    line = fitted.line
    if not keep_all:
        _check_better(fitted)
    residuals = {
        "before": _error(found, Line(1.0)),
        "after": _error(found, line),
        **{f"leave one out, {kind}": error for kind, error in fitted.errors.items()},
    }
    calibration = Calibration(line.scale, line.shift, focal_length, len(found), residuals)
    return Result(calibration, fitted, found)


def write(source: Source, result: Result) -> list[Path]:
    """Writes a calibration: into the run, or as the next version of the exported network.

    Returns:
        The file, or the folders of the new version.

    Raises:
        InputError: it cannot be written, or the new version computes something else.
    """
    if source.kind == "exported":
        return versions.write(source.path, result.calibration)
    return [calibrations.write(source.model_file, result.calibration)]


def describe(result: Result) -> list[str]:
    """Returns the lines that show the residuals of each measure, before and after, and the fit."""
    header = ["measure", "measured", "network", "error", "calibrated", "error"]
    line, errors = result.fit.line, result.fit.errors
    rows = [_row(one, line) for one in result.measures]
    residuals = result.calibration.residuals
    means = [f"{residuals[key]:.1%}" for key in ("before", "after")]
    rows.append(["mean error", "", "", means[0], "", means[1]])
    left_out = "; ".join(f"{kind} {error:.1%}" for kind, error in errors.items())
    shift = f" {line.shift:+.3f} m" if line.shift else ""
    lines = [
        *table(header, rows, "lrrrrr", padded=True),
        f"metres x {line.scale:.4g}{shift} ({result.fit.why})",
    ]
    return lines + ([f"error of a measure left out: {left_out}"] if left_out else [])


def _row(one: Measure, line: Line) -> list[str]:
    """Returns a measure's cells; one of several places has their medians."""
    metres, network, calibrated = one.metres, one.network, np.maximum(line(one.network), 0)
    values = [f"{np.median(each):.2f} m" for each in (metres, network, calibrated)]
    before, after = (f"{np.median(each / metres) - 1:+.1%}" for each in (network, calibrated))
    return [one.name, values[0], values[1], before, values[2], after]


def _error(measures: Sequence[Measure], line: Line) -> float:
    """Returns the mean relative error, in which each measure counts the same."""
    errors = [np.mean(np.abs(line(one.network) / one.metres - 1)) for one in measures]
    return float(np.mean(errors))


def _check_better(fitted: Fit) -> None:
    """Raises InputError where a calibration would make other places worse than they are."""
    kind = "scale + shift" if fitted.line.shift else "scale"
    if fitted.errors and fitted.errors[kind] >= fitted.errors["as it is"]:
        raise InputError(
            f"the network as it is errs by {fitted.errors['as it is']:.1%} at these measures,"
            f" calibrated from the others by {fitted.errors[kind]:.1%}; leave it as it is, or add"
            " measures"
        )


def _check_metric(run: Path, estimator: DepthEstimator) -> None:
    """Raises InputError where no scale holds for two pictures."""
    source, encoding = resolve(run), estimator.encoding
    if source.kind == "exported":  # that writes metres, of whatever kind they were
        encoding = read_details(source.path).get("model", {}).get("encoding", encoding)
    if ENCODINGS[encoding].relative:
        raise InputError(
            f"{run}: the network tells near from far within a picture, so that no scale holds for"
            " another picture; calibrate a network that writes metres"
        )
