"""Renders rooms: images with exact metric depth, to try everything without a data set.

Rooms do not replace NYU Depth v2. They have its camera and its range, and the cues a network needs
(perspective, texture scale, contact with the floor, light that falls off), but none of its clutter.
"""

import numpy as np

from keras_depth.data.reader import Reader, Sample
from keras_depth.data.rendered import SPLITS, check_request, focal_length
from keras_depth.data.rendered.furniture import draw_room
from keras_depth.data.rendered.light import auto_exposure, indoor_light, tone_map
from keras_depth.data.rendered.rays import View
from keras_depth.data.rendered.surfaces import Surface, smooth_noise
from keras_depth.errors import InputError
from keras_depth.geometry import NYU, Intrinsics, from_field_of_view, scale_intrinsics


class Rooms(Reader):
    """Renders rooms on demand.

    The scene is a pure function of (seed, split, index), at any size; train and test draw from
    different random streams.

    Args:
        count: number of rooms.
        size: (height, width) of image and depth in pixels.
        seed: 0 or more; another seed gives other rooms.
        split: "train" or "test".
        noise: adds a sensor's noise to the image.
        holes: removes depth where a Kinect measures none: at grazing angles, on lamps and windows,
            beside near edges and in patches. 0 = not measured.
        cameras: number of cameras, which take the frames in turn; 0: NYU's camera takes all.
        fov: horizontal fields of view in degrees of the first and the last of the `cameras`; those
            of the others lie evenly between. Their pixels are square.

    `rooms[i]`: `image` float32 (H, W, 3) RGB in [0, 1], `depth` float32 (H, W), camera z in
    metres, 0.5 to 10 with NYU's camera, and `focal_length`.

    Raises:
        InputError: the count, the size, the seed, the split or the cameras are invalid.
    """

    rendered = True

    def __init__(
        self,
        count: int = 1000,
        size: tuple[int, int] = (240, 320),
        seed: int = 0,
        split: str = "train",
        noise: bool = False,
        holes: bool = False,
        cameras: int = 0,
        fov: tuple[float, float] = (50, 90),
    ):
        check_request("rooms", "room", split, count, size, seed)
        _check_cameras(cameras, fov)
        self.count, self.size, self.seed, self.split = count, (size[0], size[1]), seed, split
        self.noise, self.holes, self.cameras, self.fov = noise, holes, cameras, (fov[0], fov[1])
        self.description = (
            f"rendered rooms, {split}: {count} frames of {size[0]}x{size[1]}, seed {seed}"
        )
        if cameras:
            self.description += f", {cameras} cameras of {fov[0]:g} to {fov[1]:g} degrees"

    def camera(self, index: int) -> Intrinsics:
        """Returns the camera of a frame, in pixels of its image (pixel centers: whole numbers)."""
        if not self.cameras:
            return scale_intrinsics(NYU, (480, 640), self.size)
        degrees = np.linspace(self.fov[0], self.fov[1], self.cameras)[index % self.cameras]
        return from_field_of_view(float(degrees), self.size)

    @property
    def intrinsics(self) -> Intrinsics:
        """The camera of the first frame; of all frames, unless there are several `cameras`."""
        return self.camera(0)

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"rooms/{self.split}/{self.seed}/{index:05d}"

    def key(self, index: int) -> str:
        return f"{self.split}/{self.seed}/{index:05d}"

    def stored(self, index: int) -> Sample:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng((self.seed, SPLITS.index(self.split), index))
        scene = draw_room(rng)
        camera = self.camera(index)
        view = View(scene, camera, self.size)
        surface = Surface(scene, view)
        light = indoor_light(scene, view, surface)
        exposure = auto_exposure(surface, light, rng)
        image = tone_map(surface, light, exposure, rng if self.noise else None)
        depth = view.depth
        if self.holes:
            depth = np.where(_holes(view, surface, rng), np.float32(0), depth)
        return {"image": image, "depth": depth, "focal_length": focal_length(camera)}


def _check_cameras(cameras: int, fov: tuple[float, float]) -> None:
    if cameras < 0 or not 10 <= min(fov) <= max(fov) <= 150:
        raise InputError(
            f"rooms: cameras={cameras}, fov={list(fov)}: give 0 or more cameras, and fields of view"
            " between 10 and 150 degrees"
        )


def _holes(view: View, surface: Surface, rng) -> np.ndarray:
    """Returns the pixels that a structured-light sensor would not measure: bool (H, W)."""
    depth = view.depth
    height, width = depth.shape
    holes = (surface.facing < 0.15) | (surface.glow > 0)
    # The projector is beside the camera, so near edges cast a shadow to one side.
    reach = max(1, width // 80)
    holes[:, reach:] |= depth[:, :-reach] < 0.85 * depth[:, reach:]
    patch = width / 12
    x, y = np.arange(width, dtype=np.float32) / patch, np.arange(height, dtype=np.float32) / patch
    start = rng.uniform(0, 200, 2).astype(np.float32)
    patches = smooth_noise(*np.broadcast_arrays(x + start[0], (y + start[1])[:, None]))
    return holes | (patches > rng.uniform(0.9, 2.0))
