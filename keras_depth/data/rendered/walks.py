"""Renders walks: the frames of a camera that moves through a room, with exact depth and poses.

Walks are for what needs a moving camera: odometry and maps. They have smooth motion, a fixed
exposure and rooms in which nothing moves, so a real sequence is harder.
"""

import copy
import functools
import math
from typing import NamedTuple

import numpy as np

from keras_depth.data.reader import Reader, Sample
from keras_depth.data.rendered import SPLITS, check_request, focal_length
from keras_depth.data.rendered.furniture import draw_room
from keras_depth.data.rendered.light import Exposure, auto_exposure, indoor_light, tone_map
from keras_depth.data.rendered.rays import View, camera_axes
from keras_depth.data.rendered.scene import Rng, Scene
from keras_depth.data.rendered.surfaces import Surface
from keras_depth.geometry import NYU, Intrinsics, scale_intrinsics

FRAMES_PER_SECOND = 30
# Metres between the camera and the furniture. No pixel's ray is more than 38.4 degrees off the
# optical axis (NYU's field of view), so the smallest depth is about 0.42 m * cos 38.4 = 0.33 m.
CLEARANCE = 0.42
_ON_WALLS = 0.12  # metres: as far as things that hang on a wall reach into the room
_LOOPS = 200  # loops that are tried in a room before the next room is drawn
_PREVIEW = (30, 40)  # pixels of the views that a walk is judged and exposed by
_PREVIEW_CAMERA = scale_intrinsics(NYU, (480, 640), _PREVIEW)
_FURNITURE = 0.15  # the least part of a view that shows more than floor, walls and ceiling


class Walks(Reader):
    """Renders walks through rooms on demand.

    A walk is a closed loop of about 3 m, on which the camera turns once about the vertical, looks
    about where it goes and bobs as someone who walks. It always sees some furniture: facing a bare
    wall, no odometry knows how it moves. Its room and its path are a pure function of (seed, split,
    walk), at any size; train and test draw from different random streams. All frames of a walk have
    one exposure: optical flow takes a point's brightness for constant.

    Args:
        count: number of frames.
        size: (height, width) of image and depth in pixels; the field of view is always NYU's.
        seed: 0 or more; another seed gives other walks.
        split: "train" or "test".
        frames_per_walk: frames of one loop, in order; fewer frames are farther apart.
        noise: adds a sensor's noise to the image.

    `walks[i]`: `image` float32 (H, W, 3) RGB in [0, 1], `depth` float32 (H, W), camera z in
    metres, 0.3 to 10.

    Raises:
        InputError: the count, the size, the seed, the split or frames_per_walk is invalid.

    Example:
        >>> walk = Walks(count=60, size=(48, 64))
        >>> walk.poses.shape
        (60, 4, 4)
    """

    rendered = True

    def __init__(
        self,
        count: int = 240,
        size: tuple[int, int] = (240, 320),
        seed: int = 0,
        split: str = "train",
        frames_per_walk: int = 240,
        noise: bool = False,
    ):
        check_request("walks", "frame", split, count, size, seed, frames_per_walk=frames_per_walk)
        self.count, self.size, self.seed, self.split = count, (size[0], size[1]), seed, split
        self.frames_per_walk, self.noise = frames_per_walk, noise
        self.description = (
            f"rendered walks, {split}: {count} frames of {size[0]}x{size[1]}, seed {seed}"
        )

    @property
    def intrinsics(self) -> Intrinsics:
        """The camera, in pixels of these images (pixel centers are whole numbers)."""
        return scale_intrinsics(NYU, (480, 640), self.size)

    @property
    def poses(self) -> np.ndarray:
        """Camera to world: float64 (count, 4, 4), metres.

        Camera: x right, y down, z forward. World: that of the walk's room, z up.
        """
        poses = np.tile(np.eye(4), (self.count, 1, 1))
        for index, pose in enumerate(poses):
            scene = self._scene(index)
            pose[:3, :3] = camera_axes(scene).T
            pose[:3, 3] = scene.camera
        return poses

    @property
    def times(self) -> np.ndarray:
        """When each frame is taken: float64 (count,), seconds from the start of its walk."""
        return np.arange(self.count) % self.frames_per_walk / FRAMES_PER_SECOND

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"walks/{self.key(index)}"

    def key(self, index: int) -> str:
        walk, frame = divmod(index, self.frames_per_walk)
        return f"{self.split}/{self.seed}/walk_{walk:04d}/{frame:06d}"

    def stored(self, index: int) -> Sample:
        if not 0 <= index < self.count:
            raise IndexError(index)
        scene = self._scene(index)
        source, frame = self._source(index)
        view, surface, light = _render(scene, self.intrinsics, self.size)
        noise_rng = np.random.default_rng((*source, frame)) if self.noise else None
        image = tone_map(surface, light, draw_walk(*source).exposure, noise_rng)
        return {
            "image": image,
            "depth": view.depth,
            "focal_length": focal_length(self.intrinsics),
        }

    def _source(self, index: int) -> tuple[tuple[int, int, int], int]:
        """Returns what draws the walk of a frame, and the frame's number in it."""
        walk, frame = divmod(index, self.frames_per_walk)
        return (self.seed, SPLITS.index(self.split), walk), frame

    def _scene(self, index: int) -> Scene:
        source, frame = self._source(index)
        walk = draw_walk(*source)
        return walk.path.place_camera(walk.room, frame / self.frames_per_walk)


class Path(NamedTuple):
    """Describes a closed path: an ellipse on the floor, and the motions of the head.

    x, y, long, short: metres: the middle of the ellipse and its half axes. tilt: radians, of the
    ellipse. turn: 1 = counterclockwise seen from above, -1. start: where on the ellipse, and
    sway: how far on their cycles the motions begin, radians.
    """

    x: float
    y: float
    long: float
    short: float
    tilt: float
    turn: int
    start: float
    sway: tuple[float, float, float]

    def position(self, part: np.ndarray | float) -> np.ndarray:
        """Returns x and y in metres, (2, ...), after a part of the loop, 0 to 1."""
        along = self.turn * (2 * math.pi * part + self.start)
        u, v = self.long * np.cos(along), self.short * np.sin(along)
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        return np.array([self.x + c * u - s * v, self.y + s * u + c * v])

    def place_camera(self, room: Scene, part: float) -> Scene:
        """Returns the room as seen after a part of the loop; `room` itself stays as it is."""
        scene, cycle = copy.copy(room), 2 * math.pi * part
        step, glance, lean = self.sway
        # Ten steps a loop: two steps swing the head once from side to side.
        bob = math.sin(10 * cycle + step)
        x, y = self.position(part)
        scene.camera = np.array([x, y, room.camera[2] + 0.015 * bob])
        ahead = self.turn * (cycle + self.start + math.pi / 2)
        scene.yaw = self.tilt + ahead + 0.15 * math.sin(2 * cycle + glance)
        scene.pitch = room.pitch + 0.01 * bob + 0.03 * math.sin(cycle + glance)
        scene.roll = room.roll + 0.01 * math.sin(5 * cycle + lean)
        return scene


class Walk(NamedTuple):
    """Holds what all frames of a walk share."""

    room: Scene
    path: Path
    exposure: Exposure


@functools.lru_cache(maxsize=512)
def draw_walk(seed: int, split: int, walk: int) -> Walk:
    """Draws a room that suits a walk, and the walk; `split` is an index into `SPLITS`.

    Results are kept, some 0.1 MB each: one takes as long as several frames. Nobody may change them.
    """
    rng = np.random.default_rng((seed, split, walk))
    while True:
        room = draw_room(rng)
        room.pitch = float(np.clip(room.pitch, math.radians(-20), 0))
        path = _find_path(room, rng)
        if path and _sees_furniture(room, path):
            return Walk(room, path, _meter(room, path, rng))


def _find_path(room: Scene, rng: Rng) -> Path | None:
    """Draws a loop that keeps clear of walls and furniture; None: the room has no space."""
    w, d = (2 * half for half in room.solids[0].half[:2])
    x0, x1, y0, y1 = np.array(room.footprints).reshape(-1, 4).T[:, :, None]
    margin = CLEARANCE + _ON_WALLS
    parts = np.linspace(0, 1, 48, endpoint=False)
    for _ in range(_LOOPS):
        long = rng.uniform(0.46, 0.62)
        path = Path(
            x=rng.uniform(0, w),
            y=rng.uniform(0, d),
            long=long,
            short=0.97 - long,  # so that all loops are of nearly one length
            tilt=rng.uniform(0, math.pi),
            turn=int(rng.choice((-1, 1))),
            start=rng.uniform(0, 2 * math.pi),
            sway=tuple(rng.uniform(0, 2 * math.pi, 3)),
        )
        x, y = path.position(parts)
        if min(x.min(), y.min()) < margin or x.max() > w - margin or y.max() > d - margin:
            continue
        away = np.hypot(np.maximum(np.maximum(x0 - x, x - x1), 0),
                        np.maximum(np.maximum(y0 - y, y - y1), 0))  # fmt: skip
        if away.min(initial=math.inf) >= CLEARANCE:
            return path
    return None


def _sees_furniture(room: Scene, path: Path) -> bool:
    return all(
        np.mean(View(scene, _PREVIEW_CAMERA, _PREVIEW).solid > 0) >= _FURNITURE
        for scene in (path.place_camera(room, part / 24) for part in range(24))
    )


def _meter(room: Scene, path: Path, rng: Rng) -> Exposure:
    """Draws an exposure that suits the median brightness of views all along the path."""
    seed, exposures = rng.integers(2**32), []
    for part in range(8):
        scene = path.place_camera(room, part / 8)
        _, surface, light = _render(scene, _PREVIEW_CAMERA, _PREVIEW)
        # One seed for all, because only the gain may differ.
        exposures.append(auto_exposure(surface, light, np.random.default_rng(seed)))
    return exposures[0]._replace(gain=np.float32(np.median([each.gain for each in exposures])))


def _render(
    scene: Scene, camera: Intrinsics, size: tuple[int, int]
) -> tuple[View, Surface, np.ndarray]:
    view = View(scene, camera, size)
    surface = Surface(scene, view)
    return view, surface, indoor_light(scene, view, surface)
