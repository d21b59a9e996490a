"""Scoring a network: model + data + protocol -> report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_depth import metrics, protocols, recipes, visualize
from keras_depth.data import Reader, open_reader
from keras_depth.errors import InputError
from keras_depth.inference import DepthEstimator
from keras_depth.run_folder import RunFolder, environment, write_text

NETWORK = "network"
BASELINE = "mean training depth"

_REDUCTIONS = {"image": "Mean of images", "pixel": "All pixels pooled"}
_SUMMARY = ("rel", "rmse", "mse", "log10", "delta1", "delta2", "delta3")
_SYNTHETIC = "Rendered rooms: these numbers say nothing about NYU Depth v2 or KITTI."
_SHOWN = 4  # frames in the figure
_BATCH = 8  # frames that the metrics take at once
_USUAL = {"synthetic": "full", "nyu": "nyu_eigen"}  # protocol of a data set


@dataclass
class Report:
    """What an evaluation found.

    Attributes:
        model: what was scored, for people.
        data: the reader's description.
        synthetic: the frames are rendered.
        protocol: name of the protocol, and `line` its text.
        scores: predictor -> reduction ("image", "pixel") -> metric -> value. Predictors are the
            network and, where the run knows it, the mean depth map of its training frames.
        frames: name, share of scored pixels, and REL of each frame, as read.
        valid_pixels, all_pixels: scored pixels, and pixels within the protocol's crop.
    """

    model: str
    data: str
    synthetic: bool
    protocol: str
    line: str
    scores: dict[str, dict[str, dict[str, float]]]
    frames: list[dict[str, Any]]
    valid_pixels: int
    all_pixels: int

    def summary(self) -> str:
        """Returns the main numbers in a few lines of text."""
        lines = [self.line]
        for name, by_reduction in self.scores.items():
            for reduction, values in by_reduction.items():
                numbers = "  ".join(f"{key} {values[key]:.3f}" for key in _SUMMARY)
                lines.append(f"  {name}, {_REDUCTIONS[reduction].lower()}: {numbers}")
        lines.append(f"  {self._scored()}")
        if self.synthetic:
            lines.append(f"  {_SYNTHETIC}")
        return "\n".join(lines)

    def to_markdown(self) -> str:
        lines = [f"# Depth on {'rendered rooms' if self.synthetic else 'real frames'}", ""]
        if self.synthetic:
            lines += [_SYNTHETIC, ""]
        lines += [
            "| | |",
            "|---|---|",
            f"| network | {self.model} |",
            f"| data | {self.data} |",
            f"| protocol | {self.line} |",
            f"| scored | {self._scored()} |",
            "",
            "![image, truth, prediction, error](figures/samples.png)",
            "",
        ]
        for reduction, title in _REDUCTIONS.items():
            lines += [f"## {title}", "", f"| | {' | '.join(self.scores)} | |"]
            lines += [f"|---|{'---:|' * len(self.scores)}---|"]
            for metric in metrics.names():
                values = " | ".join(f"{row[reduction][metric]:.4f}" for row in self.scores.values())
                formula = metrics.describe(metric).replace("|", "\\|")  # no column of the table
                lines.append(f"| {metric} | {values} | {formula} |")
            lines.append("")
        if BASELINE in self.scores:
            network, baseline = (values["image"]["rel"] for values in self.scores.values())
            lines += [f"REL is {network / baseline:.2f} of that of the {BASELINE} map."]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """Writes `report.json` and `report.md`."""
        values = {**self.__dict__, "environment": environment()}
        write_text(folder / "report.json", json.dumps(values, indent=2) + "\n")
        write_text(folder / "report.md", self.to_markdown())

    def _scored(self) -> str:
        share = self.valid_pixels / self.all_pixels
        return (
            f"{len(self.frames)} frames, {self.valid_pixels:,} of {self.all_pixels:,} pixels"
            f" were valid ({share:.1%})"
        )


def evaluate_run(
    run: Path,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
    split: str | None = None,
    protocol: str | None = None,
    output: Path | None = None,
) -> tuple[Report, Path]:
    """Scores a trained network, by default on its recipe's held-out frames.

    Args:
        run: a run folder or a `.keras` file.
        data, data_dir, split: other frames, as `data.open_reader` takes them.
        protocol: another protocol than the recipe's, or than the data set's usual one.
        output: folder of the report; by default `evaluation/DATA-PROTOCOL` in the run folder.

    Returns:
        The report, and the folder where it lies.

    Raises:
        InputError: what was given does not exist or does not fit.
    """
    estimator = DepthEstimator.load(run)
    mean_depth, recipe = None, None
    if run.is_dir():
        folder = RunFolder(run)
        recipe = folder.recipe()
        mean_depth = folder.mean_depth()
    if recipe and data in (None, recipe.data["name"]):
        data, protocol = recipe.data["name"], protocol or recipe.protocol
        if split is None and data_dir is None:
            reader = recipes.open_data(recipe, "validation")
        else:
            section = {**recipe.data, "dir": data_dir or recipe.data.get("dir")}
            counts = ("name", "dir", "frames", "validation_frames")
            options = {key: value for key, value in section.items() if key not in counts}
            reader = _open(data, section["dir"], split, estimator, **options)
    elif data:
        reader = _open(data, data_dir, split, estimator)
        protocol = protocol or _USUAL[data]
    else:
        raise InputError(f"{run}: a model alone names no frames; give --data")
    home = run if run.is_dir() else run.parent / run.stem
    output = output or home / "evaluation" / f"{data}-{protocol}"
    report = evaluate(
        estimator,
        reader,
        protocols.get(protocol),
        output,
        model=f"{recipe.architecture if recipe else 'model'} from {run}",
        synthetic=data == "synthetic",
        mean_depth=mean_depth,
    )
    return report, output


def _open(data: str, data_dir, split: str | None, estimator: DepthEstimator, **options) -> Reader:
    if data == "synthetic":
        options |= {"size": estimator.input_size, "count": 64}
    return open_reader(data, data_dir, split, **options)


def evaluate(
    estimator: DepthEstimator,
    reader: Reader,
    protocol: protocols.Protocol,
    folder: Path,
    *,
    model: str,
    synthetic: bool,
    mean_depth: np.ndarray | None = None,
) -> Report:
    """Scores a network on a reader's frames, and writes the report and its figure.

    Args:
        estimator: the network.
        reader: frames with depth in metres.
        protocol: which pixels count.
        folder: where `report.json`, `report.md` and `figures/samples.png` go.
        model: what the report calls the network.
        synthetic: the frames are rendered; the report says so.
        mean_depth: float32 (h, w), metres: scored too, as what a network must beat.

    Raises:
        InputError: there is no frame, no pixel to score, or a file of the data set is bad.
    """
    if not len(reader):
        raise InputError(f"{reader.description}: there is no frame to score")
    tables = {NETWORK: _Table()}
    if mean_depth is not None:
        tables[BASELINE] = _Table()
    frames, shown = [], []
    show = set(np.linspace(0, len(reader) - 1, _SHOWN).round().astype(int).tolist())
    for index in tqdm(range(len(reader)), unit="frame", desc="evaluate"):
        sample = reader[index]
        depth = estimator(sample["image"])
        tables[NETWORK].add(*protocols.apply(protocol, sample["depth"], depth))
        if mean_depth is not None:
            tables[BASELINE].add(*protocols.apply(protocol, sample["depth"], mean_depth))
        frames.append({"name": reader.name(index), **tables[NETWORK].last})
        if index in show:
            shown.append((sample["image"], sample["depth"], depth))
    if not tables[NETWORK].valid_pixels:
        raise InputError(
            f"{reader.description}: no pixel has a depth that protocol {protocol.name} scores;"
            " check the data set's unit and the protocol's bounds"
        )
    report = Report(
        model=model,
        data=reader.description,
        synthetic=synthetic,
        protocol=protocol.name,
        line=protocol.line(),
        scores={name: table.scores() for name, table in tables.items()},
        frames=frames,
        valid_pixels=tables[NETWORK].valid_pixels,
        all_pixels=tables[NETWORK].all_pixels,
    )
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        images, truths, predictions = zip(*shown, strict=True)
        visualize.sample_figure(images, truths, predictions, folder / "figures" / "samples.png")
        report.write(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); give --output another folder"
        ) from error
    return report


class _Table:
    """The metrics of one predictor, over all frames and of the last."""

    def __init__(self):
        self.metrics = [metrics.all_metrics(reduction) for reduction in metrics.REDUCTIONS]
        self.valid_pixels = 0
        self.all_pixels = 0
        self.last: dict[str, float | None] = {}
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        # Some hundred small operations a call: several frames at once are several times faster.
        if self._waiting and self._waiting[0][0].shape != y_true.shape:
            self._update()
        self._waiting.append((y_true, y_pred))
        if len(self._waiting) == _BATCH:
            self._update()
        valid = y_true[..., 1] > 0
        self.valid_pixels += int(valid.sum())
        self.all_pixels += valid.size
        truth, error = y_true[..., 0][valid], np.abs(y_pred[..., 0] - y_true[..., 0])[valid]
        self.last = {
            "valid": float(valid.mean()),
            "rel": float(np.mean(error / truth)) if truth.size else None,
        }

    def scores(self) -> dict[str, dict[str, float]]:
        self._update()
        return {
            reduction: {metric.name: float(metric.result()) for metric in group}
            for reduction, group in zip(metrics.REDUCTIONS, self.metrics, strict=True)
        }

    def _update(self) -> None:
        if self._waiting:
            y_true, y_pred = (np.stack(arrays) for arrays in zip(*self._waiting, strict=True))
            for metric in (metric for group in self.metrics for metric in group):
                metric.update_state(y_true, y_pred)
            self._waiting = []
