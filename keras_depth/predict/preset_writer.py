"""Writes a trained network as a preset: a folder that anyone can be given."""

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import Any

import keras
import yaml

from keras_depth import presets
from keras_depth.data import DATA_SETS
from keras_depth.errors import InputError
from keras_depth.files import make_folder, read_json, sha256, write_bytes, write_text
from keras_depth.predict import calibration
from keras_depth.predict.loading import Source, input_size
from keras_depth.presets.half_precision import halve
from keras_depth.recipes import Recipe
from keras_depth.run_folder import RunFolder

_METRICS = ("abs_rel", "rmse", "log10", "delta1", "delta2", "delta3")

_TEXT = """\
# {title}

{description}

## Data and its terms

{data}

## Use

```
keras-depth predict {folder} photo.jpg --output out
```

## Scores

{scores}

## Known failures

Say here which pictures it gets wrong.
"""


def write_preset(model: keras.Model, encoding: str, source: Source | None, folder: Path) -> None:
    """Writes model.keras, what belongs to it (recipe, camera, calibration), and card.md.

    Args:
        model: the network.
        encoding: how it writes depth, a name of `ENCODINGS`.
        source: where it was loaded from, whose recipe and report the card then tells; or None.
        folder: made if missing.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()) and not presets.is_preset(folder):
        raise InputError(f"{folder}: not empty, and no preset; give a new folder")
    run = source.run_folder if source and source.kind in ("run", "preset") else None
    # Read before anything is written: a preset may be saved onto itself.
    recipe = _portable(run.recipe()) if run else None
    report = _read_report(run) if run else None
    stored = calibration.read(run.model_file) if run else None
    known = run.camera_file.read_bytes() if run and run.camera_file.is_file() else None
    camera = stored.focal_length if stored else run.focal_length() if run else None
    make_folder(folder)
    target = folder / presets.MODEL
    if source:
        halve(source.model_file, target)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / presets.MODEL
            model.save(file)
            halve(file, target)
    camera_file = RunFolder(folder).camera_file
    for stale in (camera_file, folder / calibration.FILE):
        stale.unlink(missing_ok=True)
    if recipe:
        write_text(folder / presets.RECIPE, recipe.to_yaml())
    if known:
        write_bytes(camera_file, known)
    if stored:
        calibration.write(target, stored)
    card = {
        **_describe(model, encoding, recipe),
        "sha256": sha256(target),
        "model-index": [{"name": folder.name, "results": _results(recipe, report)}],
    }
    matter = yaml.safe_dump(card, sort_keys=False, allow_unicode=True)
    write_text(
        folder / presets.CARD,
        f"---\n{matter}---\n\n{_describe_in_words(folder, card, report, camera)}",
    )


def _portable(recipe: Recipe) -> Recipe:
    """Returns a recipe without the paths of the machine where the network was trained."""
    data = {key: value for key, value in recipe.data.items() if key != "dir"}
    return dataclasses.replace(recipe, data=data, weights=Path(recipe.weights).name)


def _read_report(run: RunFolder) -> dict[str, Any] | None:
    file = run.report_file.with_suffix(".json")
    report = read_json(file) if file.is_file() else None
    if report and not {"scores", "frames", "protocol", "line"} <= set(report):
        raise InputError(f"{file}: a report of another version; evaluate the run again")
    return report


def _describe(model: keras.Model, encoding: str, recipe: Recipe | None) -> dict[str, Any]:
    """Returns the front matter that tells what the network is, under its usual names."""
    data = recipe.data["name"] if recipe else None
    return {
        "library_name": "keras",
        "pipeline_tag": "depth-estimation",
        "tags": ["keras_depth", "monocular-depth-estimation"],
        "license": "unknown",
        "datasets": [data] if data else [],
        "architecture": recipe.architecture if recipe else model.name,
        "input_size": list(input_size(model)),
        "parameters": model.count_params(),
        "encoding": encoding,
    }


def _results(recipe: Recipe | None, report: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Returns the scores of a report as the front matter of model cards has them."""
    if not (recipe and report):
        return []
    by_reduction = report["scores"]["model"]
    reduction, scores = next(iter(by_reduction.items()))  # the protocol's comes first
    name = recipe.data["name"]
    return [
        {
            "task": {"type": "depth-estimation"},
            "dataset": {
                "name": f"{DATA_SETS[name].title or name}, {len(report['frames'])} frames",
                "type": name,
                "config": f"protocol {report['protocol']}, reduction {reduction}",
            },
            "metrics": [
                {"type": key, "name": key, "value": round(scores[key], 4)}
                for key in _METRICS
                if key in scores
            ],
        }
    ]


def _describe_in_words(
    folder: Path,
    card: dict[str, Any],
    report: dict[str, Any] | None,
    camera: tuple[float, float] | None,
) -> str:
    height, width = card["input_size"]
    data = ", ".join(card["datasets"]) or "not known"
    lines = ["Not scored: evaluate it before you publish it."]
    for result in card["model-index"][0]["results"]:
        lines = [f"On {result['dataset']['name']}: {report['line'] if report else ''}", ""]
        lines += [f"- {metric['name']}: {metric['value']}" for metric in result["metrics"]]
    return _TEXT.format(
        title=folder.name,
        folder=folder,
        description=f"`{card['architecture']}`, {card['parameters']:,} parameters, for RGB pictures"
        f" of {height}x{width} pixels; it writes depth as `{card['encoding']}`."
        f" {_describe_camera(camera, (height, width))}",
        data=f"Trained on: {data}. Say here what its owners permit, and set `license` above.",
        scores="\n".join(lines),
    )


def _describe_camera(focal_length: tuple[float, float] | None, size: tuple[int, int]) -> str:
    """Returns the sentence that says for which camera the network's metres are right."""
    if focal_length is None:
        return "For which camera its metres are right is not known."
    fx, fy = focal_length
    degrees = 2 * math.degrees(math.atan(size[1] / 2 / fx))
    return (
        f"Its metres are right for a camera with a focal length of {fx:.1f}, {fy:.1f} pixels at"
        f" this size: {degrees:.0f} degrees across. For another one give `--intrinsics` or `--fov`."
    )
