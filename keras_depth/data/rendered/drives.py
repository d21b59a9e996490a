"""Renders drives: stereo images of streets with exact metric depth, and LiDAR scans of them.

Drives do not replace KITTI. They have its cameras, its LiDAR and its range, and the cues a network
needs (perspective, the ground plane, contact with it, shadows, occlusion), but none of its clutter.
"""

import math

import numpy as np

from keras_depth.data.reader import Reader, Sample
from keras_depth.data.rendered import SPLITS, check_request, focal_length
from keras_depth.data.rendered.light import auto_exposure, daylight, tone_map
from keras_depth.data.rendered.rays import Solids, View, camera_axes, first_hit
from keras_depth.data.rendered.scene import Rng, Scene
from keras_depth.data.rendered.street import draw_street
from keras_depth.data.rendered.surfaces import Surface
from keras_depth.geometry import Intrinsics, scale_intrinsics

MAX_DEPTH = 80.0  # metres; farther counts as not measured, as in KITTI's evaluation

# The rig. Source of every number: KITTI raw, 2011_09_26, calib_cam_to_cam.txt (P_rect_02,
# P_rect_03, R_rect_00) and calib_velo_to_cam.txt (R, T).
KITTI_SIZE = (375, 1242)
KITTI = Intrinsics(721.5377, 721.5377, 609.5593, 172.854)
FOCAL_BASELINE = 44.85728 + 339.5242  # pixels * metres at KITTI_SIZE
LEFT_FROM_GRAY = (0.05984926, -0.00035793, 0.002745884)  # metres: P_rect_02 = K [I | this]
RECTIFIED = np.array([
    [9.999239e-01, 9.837760e-03, -7.445048e-03],
    [-9.869795e-03, 9.999421e-01, -4.278459e-03],
    [7.402527e-03, 4.351614e-03, 9.999631e-01],
])  # fmt: skip
VELO_TO_GRAY = np.array([
    [7.533745e-03, -9.999714e-01, -6.166020e-04, -4.069766e-03],
    [1.480249e-02, 7.280733e-04, -9.998902e-01, -7.631618e-02],
    [9.998621e-01, 7.523790e-03, 1.480755e-02, -2.717806e-01],
])  # fmt: skip
BEAMS = np.radians(np.linspace(2.0, -24.8, 64))  # Velodyne HDL-64E, data sheet
AZIMUTHS = np.radians(
    np.arange(-50, 50, 0.18)
)  # of one revolution at 10 Hz; the rest is out of view
LIDAR_RANGE = 100.0  # metres


class Drives(Reader):
    """Renders drives along streets on demand.

    A street is a pure function of (seed, split, drive, frames_per_drive), at any size. Nothing in
    it moves but the camera, about 1 m from frame to frame. Train and test draw from different
    random streams.

    Args:
        count: number of frames.
        size: (height, width) of images and depth in pixels; the field of view is always KITTI's.
        seed: 0 or more; another seed gives other streets.
        split: "train" or "test".
        frames_per_drive: frames along one street, in order.
        stereo: adds the right image and `focal_baseline`.
        noise: adds a sensor's noise to the images, and noise of 2 cm to the LiDAR's ranges.

    `drives[i]`: `image` float32 (H, W, 3) RGB in [0, 1], of the left camera; `depth` float32
    (H, W), camera z in metres, up to 80; 0 = the sky, or farther. With stereo: `right` like
    `image`, and `focal_baseline`.

    Raises:
        InputError: the count, the size, the seed, the split or frames_per_drive is invalid.
    """

    rendered = True

    def __init__(
        self,
        count: int = 1000,
        size: tuple[int, int] = (128, 416),
        seed: int = 0,
        split: str = "train",
        frames_per_drive: int = 10,
        stereo: bool = False,
        noise: bool = False,
    ):
        check_request(
            "drives", "frame", split, count, size, seed, frames_per_drive=frames_per_drive
        )
        self.count, self.size, self.seed, self.split = count, (size[0], size[1]), seed, split
        self.frames_per_drive, self.stereo, self.noise = frames_per_drive, stereo, noise
        self.description = (
            f"rendered drives, {split}: {count} {'stereo pairs' if stereo else 'frames'} of "
            f"{size[0]}x{size[1]}, seed {seed}"
        )

    @property
    def intrinsics(self) -> Intrinsics:
        """Either camera, in pixels of these images (pixel centers are whole numbers)."""
        return scale_intrinsics(KITTI, KITTI_SIZE, self.size)

    @property
    def focal_baseline(self) -> float:
        """Focal length in pixels of these images times the distance of the cameras in metres."""
        return FOCAL_BASELINE * self.size[1] / KITTI_SIZE[1]

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"drives/{self.key(index)}"

    def key(self, index: int) -> str:
        drive, frame = divmod(index, self.frames_per_drive)
        return f"{self.split}/{self.seed}/drive_{drive:04d}/{frame:010d}"

    def stored(self, index: int) -> Sample:
        scene, rng, frame_rng = self._scene(index)
        noise_rng = frame_rng if self.noise else None
        view, surface, light = self._render(scene)
        exposure = auto_exposure(surface, light, rng)
        depth = np.where(view.depth <= MAX_DEPTH, view.depth, np.float32(0))
        image = tone_map(surface, light, exposure, noise_rng)
        sample = {"image": image, "depth": depth, "focal_length": focal_length(self.intrinsics)}
        if self.stereo:
            scene.camera = scene.camera + FOCAL_BASELINE / KITTI.fx * view.axes[0]
            _, surface, light = self._render(scene)
            sample["right"] = tone_map(surface, light, exposure, noise_rng)
            sample["focal_baseline"] = np.asarray(self.focal_baseline, np.float32)
        return sample

    def _render(self, scene: Scene) -> tuple[View, Surface, np.ndarray]:
        view = View(scene, self.intrinsics, self.size)
        surface = Surface(scene, view)
        return view, surface, daylight(scene, view, surface)

    def lidar_scan(self, index: int) -> np.ndarray:
        """Casts the rays of a Velodyne HDL-64E, mounted as on KITTI's car.

        Returns:
            float32 (n, 4): the points within 50 degrees of straight ahead; x forward, y left and
            z up from the sensor in metres, and the reflectance, 0 to 1.
        """
        scene, _, frame_rng = self._scene(index)
        azimuth, beam = np.meshgrid(AZIMUTHS, BEAMS)
        flat = np.cos(beam)
        rays = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(beam)])
        to_camera, axes = velo_to_camera(), camera_axes(scene).astype(np.float64)
        origin = (scene.camera + to_camera[:3, 3] @ axes).astype(np.float32)
        turn = to_camera[:3, :3].T @ axes  # from the sensor's axes to the world's
        solids = Solids(scene.solids)
        distance, solid = first_hit(
            solids,
            origin,
            np.einsum("kij,kl->lij", rays, turn).astype(np.float32),
            _column_windows(solids.corners(origin) @ turn.T),
        )
        shine = [np.mean(scene.materials[solid.materials[4]].first) for solid in scene.solids]
        seen = distance < LIDAR_RANGE
        if self.noise:
            distance = distance + 0.02 * frame_rng.normal(size=distance.shape)
        points = np.stack([*(rays * distance), np.sqrt(shine)[solid]], -1)[seen]
        return points.astype(np.float32)

    def _scene(self, index: int) -> tuple[Scene, Rng, Rng]:
        """Returns the street seen by a frame, and generators of its drive and of the frame."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        drive, frame = divmod(index, self.frames_per_drive)
        source = (self.seed, SPLITS.index(self.split), drive)
        rng = np.random.default_rng(source)
        scene = draw_street(rng, 1.2 * self.frames_per_drive)
        # No driver steers perfectly straight, and the car rocks on its springs.
        travelled, phase = frame * rng.uniform(0.8, 1.2), rng.uniform(0, 2 * math.pi, 4)
        sway = np.sin(travelled / np.array([9.0, 1.7, 2.3]) + phase[:3])
        scene.camera = scene.camera + (travelled, 0.15 * sway[0], 0.01 * sway[1])
        scene.yaw = 0.15 / 9 * math.cos(travelled / 9 + phase[0]) + rng.normal(0, 0.01)
        scene.pitch = rng.normal(0, 0.008) + 0.004 * sway[1]
        scene.roll = rng.normal(0, 0.006) + 0.004 * sway[2]
        return scene, rng, np.random.default_rng((*source, frame))


def velo_to_camera() -> np.ndarray:
    """Returns the transform from LiDAR axes to the rectified left camera's: float64 (4, 4)."""
    matrix = np.eye(4)
    matrix[:3] = RECTIFIED @ VELO_TO_GRAY
    matrix[:3, 3] += LEFT_FROM_GRAY
    return matrix


def _column_windows(corners: np.ndarray) -> np.ndarray:
    """Returns the columns of a scan that each solid may cover: int (n, 4), as `View.windows`.

    All rows are included, because the highest beam that meets a box may miss its corners.
    """
    x, y = corners[..., 0], corners[..., 1]
    columns = (np.arctan2(y, x) - AZIMUTHS[0]) / (AZIMUTHS[1] - AZIMUTHS[0])
    ahead = (x > 0).all(1)
    count = len(AZIMUTHS)
    left = np.where(ahead, np.floor(columns.min(1)), 0).clip(0, count)
    right = np.where(ahead, np.ceil(columns.max(1)) + 1, count).clip(0, count)
    right = np.where((x > 0).any(1), right, 0)
    top, bottom = np.zeros(len(x)), np.full(len(x), len(BEAMS))
    return np.stack([top, bottom, left, right], 1).astype(int)
