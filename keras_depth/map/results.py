"""Scores what was mapped against the truth, and writes it: path, cloud, picture and map.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_depth import geometry
from keras_depth.files import write_text
from keras_depth.map import trajectories
from keras_depth.map.drawing import draw_above
from keras_depth.map.fusion import REACH
from keras_depth.map.map_error import MapError, Reference, compare
from keras_depth.map.mapping import Mapper
from keras_depth.map.trajectories import Errors, Trajectory

_NAMED = 5  # lost frames that a warning names
_LOST = (
    "too little in them can be followed or recognized; move slowly, and keep textured things in"
    " view"
)


@dataclass(frozen=True)
class Scores:
    """Holds the errors of a map against the truth; None where the truth is not known.

    Attributes:
        poses: that were compared.
        ape_se3, ape_sim3: metres, after alignment without and with scale.
        scale: by which the estimated path is multiplied to fit the true one.
        rpe_se3, rpe_sim3: metres, likewise: errors of the motion from each pose to the next.
        rpe_degrees: of its rotation, which no alignment changes.
        map: the error of the map.
        no_map: why there is none, where true depth is known.
        truth: the true path in the world of the map.
    """

    poses: int
    ape_se3: Errors
    ape_sim3: Errors
    scale: float
    rpe_se3: Errors
    rpe_sim3: Errors
    rpe_degrees: Errors
    map: MapError | None
    no_map: str
    truth: Trajectory

    def __str__(self) -> str:
        text = (
            f"APE {100 * self.ape_se3.rmse:.1f} cm (SE3), {100 * self.ape_sim3.rmse:.1f} cm (Sim3,"
            f" scale {self.scale:.3f})"
        )
        if self.map:
            f_scores = ", ".join(
                f"{score:.2f} at {100 * distance:.0f} cm"
                for distance, score in self.map.f_score.items()
            )
            text += (
                f"; map: accuracy {100 * self.map.accuracy:.1f} cm, completeness"
                f" {100 * self.map.completeness:.1f} cm, F-score {f_scores}"
            )
        return text + (f"; no error of the map: {self.no_map}" if self.no_map else "")

    def to_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "poses": self.poses,
            "ape_se3_metres": self.ape_se3._asdict(),
            "ape_sim3_metres": self.ape_sim3._asdict(),
            "sim3_scale": self.scale,
            "rpe_se3_metres": self.rpe_se3._asdict(),
            "rpe_sim3_metres": self.rpe_sim3._asdict(),
            "rpe_degrees": self.rpe_degrees._asdict(),
        }
        if self.map:
            fields["map"] = {
                "accuracy_mean_metres": self.map.accuracy,
                "completeness_mean_metres": self.map.completeness,
                "f_score": {f"{distance:g}": f for distance, f in self.map.f_score.items()},
            }
        if self.no_map:
            fields["no_map_error"] = self.no_map
        return fields


def score(mapper: Mapper, truth: Trajectory, reference: Reference | None) -> Scores | None:
    """Scores a map; None: too few frames have a pose.

    Raises:
        InputError: the truth is of other times.
    """
    if len(mapper.trajectory) < trajectories.FEWEST:
        return None
    estimated, true = trajectories.associate(mapper.trajectory, truth)
    motion = trajectories.align(estimated, true, scale=False)
    similarity = trajectories.align(estimated, true, scale=True)
    moved, scaled = motion.apply(estimated), similarity.apply(estimated)
    rpe_se3, rpe_degrees = trajectories.relative_error(moved, true)
    map_error, no_map = None, ""
    if reference and reference.unknown:
        # What they show is in the map alone, and would count as wrong.
        total = reference.mapped + reference.unknown
        no_map = f"{reference.unknown} of the {total} frames in it have no true pose"
    elif reference:
        points, _ = mapper.cloud.cloud()
        turn, shift = _align_poses(estimated, true)
        points = points @ turn.T + shift
        map_error = compare(points, reference.cloud.cloud()[0])
    return Scores(
        poses=len(true),
        ape_se3=trajectories.absolute_error(moved, true),
        ape_sim3=trajectories.absolute_error(scaled, true),
        scale=similarity.scale,
        rpe_se3=rpe_se3,
        rpe_sim3=trajectories.relative_error(scaled, true)[0],
        rpe_degrees=rpe_degrees,
        map=map_error,
        no_map=no_map,
        truth=trajectories.align(true, estimated, scale=False).apply(true),
    )


def _align_poses(estimated: Trajectory, true: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """Returns the turn and the shift that suit positions and view directions best.

    Positions alone, on a short path, leave some degrees open, by which distant walls would be off.
    """
    turns = true.poses[:, :3, :3] @ estimated.poses[:, :3, :3].transpose(0, 2, 1)
    left, _, right = np.linalg.svd(turns.mean(axis=0))
    turn = left * [1, 1, np.linalg.det(left @ right)] @ right
    return turn, (true.positions - estimated.positions @ turn.T).mean(axis=0)


def write_map(folder: Path, mapper: Mapper) -> None:
    """Writes path and cloud, each file whole or not at all; those of an earlier run are replaced.

    Raises:
        InputError: a file cannot be written.
    """
    trajectories.write(folder / "trajectory.txt", mapper.trajectory)
    geometry.write_ply(folder / "cloud.ply", *mapper.cloud.cloud())


def write_report(
    folder: Path, mapper: Mapper, scores: Scores | None, about: dict[str, Any]
) -> None:
    """Writes the picture and then map.json, as `write_map` writes.

    Args:
        folder: where to.
        mapper: the map.
        scores: its errors, if the truth is known.
        about: what else map.json says of the run.

    Raises:
        InputError: a file cannot be written.
    """
    points, colors = mapper.cloud.cloud()
    truth = scores.truth if scores else None
    draw_above(points, colors, folder / "above.png", mapper.trajectory, truth)
    content = about | {
        "frames": mapper.frames,
        "lost": [{"frame": number, "time": time} for number, time in mapper.lost],
        "relocalized": mapper.relocalized,
        "keyframes": mapper.keyframes,
        "points": len(points),
        "milliseconds_median": medians(mapper),
        "errors": scores.to_json() if scores else None,
    }
    write_text(folder / "map.json", json.dumps(content, indent=2) + "\n")


def medians(mapper: Mapper) -> dict[str, float]:
    """Returns the median milliseconds of each part that ran."""
    return {part: float(np.median(ms)) for part, ms in mapper.milliseconds.items() if ms}


def summarize(mapper: Mapper) -> str:
    """Returns the line at the end of a run."""
    times = ", ".join(f"{part} {ms:.1f}" for part, ms in medians(mapper).items())
    return (
        f"{mapper.frames} frames, {len(mapper.lost)} lost, {mapper.keyframes} keyframes,"
        f" {len(mapper.cloud.cloud()[0]):,} points; median ms each time: {times}"
    )


def find_warnings(mapper: Mapper, truth: Trajectory | None) -> list[str]:
    """Returns what a user should know of a map that is not as it could be."""
    found, poses = [], len(mapper.trajectory)
    if mapper.lost:
        first = ", ".join(str(number) for number, _ in mapper.lost[:_NAMED])
        more = ", ..." if len(mapper.lost) > _NAMED else ""
        text = f"{len(mapper.lost)} of {mapper.frames} frames are lost ({first}{more})"
        said = mapper.unread + mapper.without_depth >= len(mapper.lost)  # why, beside this
        found.append(text if said else f"{text}: {_LOST}")
    if mapper.without_depth:
        found.append(
            f"the depth of {mapper.without_depth} frames is 0, negative or no number everywhere;"
            " check the network, or the unit of the recording"
        )
    elif poses and not len(mapper.cloud.cloud()[0]):
        options = mapper.options
        found.append(
            f"no point is in the map: all depth is beyond --far {options.far:g}, or more than"
            f" {REACH:,} times --voxel {options.voxel:g} from the first camera; give larger ones"
        )
    if truth and poses < trajectories.FEWEST:
        found.append(
            f"not compared with the truth: {poses} frames have a pose, and it takes"
            f" {trajectories.FEWEST}"
        )
    return found
