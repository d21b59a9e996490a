"""Casts rays at the solids of a scene, on NumPy arrays: which solid each ray hits, and how far."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from keras_depth.data.rendered.scene import BALL, BOX, CYLINDER, GABLE, Scene, Solid
from keras_depth.geometry import Intrinsics

_NEAR_PLANE = 0.05  # metres; anything nearer to the camera is not seen
_SMALL_WINDOW = 600  # rays; below this, one call per solid would cost more than its rays


class Solids:
    """Holds n solids as arrays.

    shape: int (n,). center, half: float32 (3, n), metres. turn: float32 (2, n), cos and sin of
    the yaw. list: the same solids as tuples.
    """

    def __init__(self, solids: Sequence[Solid]):
        self.list = solids
        self.shape = np.array([s.shape for s in solids])
        self.center = np.array([s.center for s in solids], np.float32).T
        self.half = np.array([s.half for s in solids], np.float32).T
        yaw = np.array([s.yaw for s in solids])
        self.turn = np.stack([np.cos(yaw), np.sin(yaw)]).astype(np.float32)

    def corners(self, origin) -> np.ndarray:
        """Returns the corners of the solids' boxes, relative to the origin: float32 (n, 8, 3)."""
        unit = np.stack(np.meshgrid(*[[-1, 1]] * 3, indexing="ij")).reshape(3, 8, 1)
        x, y, z = unit * self.half[:, None]
        c, s = self.turn
        turned = np.stack([c * x - s * y, s * x + c * y, z], -1)
        return (turned + (self.center.T - origin)).transpose(1, 0, 2)


class View:
    """Finds what each pixel of a camera sees.

    axes: float32 (3, 3), see `camera_axes`. rays: float32 (3, H, W), world directions with a
    camera z of 1, so that the distance along a ray, in its own length, is the depth in metres.
    depth: float32 (H, W), metres. solid: intp (H, W), index into `solids` of the solid hit.
    """

    def __init__(self, scene: Scene, camera: Intrinsics, size: tuple[int, int]):
        self.origin = scene.camera.astype(np.float32)
        self.focal = camera.fx
        self.axes = camera_axes(scene)
        self._camera, self._size = camera, size
        x = (np.arange(size[1], dtype=np.float32) - np.float32(camera.cx)) / np.float32(camera.fx)
        y = (np.arange(size[0], dtype=np.float32) - np.float32(camera.cy)) / np.float32(camera.fy)
        right, down, forward = self.axes[:, :, None, None]
        self.rays = right * x[None, None] + down * y[None, :, None] + forward
        self.solids = Solids(scene.solids)
        windows = self.windows(self.solids.corners(self.origin))
        self.depth, self.solid = first_hit(self.solids, self.origin, self.rays, windows)

    def windows(self, points: np.ndarray) -> np.ndarray:
        """Returns the rectangle of the image that the convex hull of each point set may cover.

        Args:
            points: (n, k, 3), world axes, relative to the camera, metres.

        Returns:
            int (n, 4): top, bottom, left, right in pixels; bottom and right are exclusive.
        """
        seen = points @ self.axes.T
        front = seen[..., 2] > _NEAR_PLANE
        cut = np.flatnonzero(front.any(1) & ~front.all(1))
        windows = self._project(seen)
        windows[cut] = self._project(_clip_to_near_plane(seen[cut], front[cut]))
        windows[~front.any(1)] = 0
        return windows

    def _project(self, seen: np.ndarray) -> np.ndarray:
        """Returns the rectangles that hold the projections of points in camera axes."""
        camera, size = self._camera, self._size
        depth = np.maximum(seen[..., 2], _NEAR_PLANE)
        windows = np.empty((len(seen), 4), int)
        for k, (focal, middle, length) in enumerate(
            ((camera.fy, camera.cy, size[0]), (camera.fx, camera.cx, size[1]))
        ):
            pixel = seen[..., 1 - k] / depth * focal + middle
            windows[:, 2 * k] = np.floor(pixel.min(1)).clip(0, length)
            windows[:, 2 * k + 1] = (np.ceil(pixel.max(1)) + 1).clip(0, length)
        return windows


def _clip_to_near_plane(seen: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Removes the parts of hulls (n, k, 3) behind the camera; returns points (n, k * k, 3).

    front: bool (n, k), which points are in front of the camera: some of each hull, but not all.
    """
    # A hull meets the near plane on lines between a point in front and one behind.
    before, behind = seen[:, :, None], seen[:, None]
    both = front[:, :, None] & ~front[:, None]
    gap = np.where(both, before[..., 2] - behind[..., 2], 1)
    part = np.where(both, (before[..., 2] - _NEAR_PLANE) / gap, 0)[..., None]
    points = before + part * (behind - before)
    # Rows of points behind the camera are unused: fill them with a point in front.
    first = np.take_along_axis(seen, front.argmax(1)[:, None, None], 1)[:, :, None]
    points = np.where(front[:, :, None, None], points, first)
    return points.reshape(len(seen), seen.shape[1] ** 2, 3)


def camera_axes(scene: Scene) -> np.ndarray:
    """Returns the camera's right, down and forward in world axes: float32 (3, 3)."""
    c, s = math.cos(scene.yaw), math.sin(scene.yaw)
    cp, sp = math.cos(scene.pitch), math.sin(scene.pitch)
    forward = np.array([c * cp, s * cp, sp])
    right = np.array([s, -c, 0.0])
    down = np.cross(forward, right)
    cr, sr = math.cos(scene.roll), math.sin(scene.roll)
    return np.stack([cr * right + sr * down, cr * down - sr * right, forward]).astype(np.float32)


def first_hit(solids: Solids, origin, rays, windows) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distance along each ray to the first solid, and which solid it is.

    Args:
        solids: n solids; solid 0 surrounds the origin and the others.
        origin, rays, windows: see `candidates`.

    Returns:
        Distance float32 (H, W), in lengths of the ray, and index of the solid intp (H, W).
    """
    distance = intersect(solids.list[0], origin, rays)[1]
    shape, distance = distance.shape, distance.ravel()
    number = np.zeros(len(distance), np.intp)
    windows = np.concatenate([np.zeros((1, 4), int), windows[1:]])
    for k, ray, near, far in candidates(solids, windows, origin, rays):
        hit = (near < far) & (near > 0)
        k, ray, near = np.broadcast_to(k, hit.shape)[hit], ray[hit], near[hit]
        before = distance[ray]
        np.minimum.at(distance, ray, near)
        # Of equally distant solids the first one wins, so it is written last.
        won = (near == distance[ray]) & ((near < before) | (k < number[ray]))
        number[ray[won][::-1]] = k[won][::-1]
    return distance.reshape(shape), number.reshape(shape)


def candidates(solids: Solids, windows, origin, rays) -> Iterator[tuple]:
    """Yields intersections of solids with the rays in their windows.

    Args:
        solids: n solids.
        windows: int (n, 4), per solid: top, bottom, left, right of the rays that may meet it.
        origin, rays: float32 (3, H, W), world; either may be (3,), the same for all rays.

    Yields:
        Indices of the solids, indices of the rays, and the distances near and far along each ray
        (near >= far: it misses the solid).
    """
    height, width = origin.shape[1:] or rays.shape[1:]
    large = _areas(windows) > _SMALL_WINDOW
    # All rays of the small windows form one long array.
    number, row, column = window_pixels(np.where(large[:, None], 0, windows))
    at, shapes = row * width + column, solids.shape[number]
    starts = np.zeros_like(solids.center)
    if origin.ndim == 1:  # computed as for a single solid, so that the bits agree
        used = np.unique(number)
        starts[:, used] = np.reshape([_start(solids.list[k], origin) for k in used], (-1, 3)).T
    for shape in (BOX, CYLINDER, BALL, GABLE):
        some = np.flatnonzero(shapes == shape)
        k, ray = number[some], at[some]
        turn, half = solids.turn[:, k], solids.half[:, k]
        start = starts[:, k] if origin.ndim == 1 else _take(origin, ray) - solids.center[:, k]
        start, along = _rotate(start, turn), _rotate(_take(rays, ray), turn)
        yield k, ray, *_intersect_local(shape, start, along, half)
    index = np.arange(height * width).reshape(height, width)
    for one in np.flatnonzero(large).tolist():
        top, bottom, left, right = windows[one]
        window = slice(top, bottom), slice(left, right)
        start, along = (a if a.ndim == 1 else a[:, *window] for a in (origin, rays))
        yield one, index[window], *intersect(solids.list[one], start, along)


def _take(field, at) -> np.ndarray:
    """Returns the vectors (3, n) of a field (3, H, W), or its single one (3, 1)."""
    return field.reshape(3, -1)[:, at if field.ndim > 1 else [0]]


def _areas(windows) -> np.ndarray:
    top, bottom, left, right = windows.T
    return np.maximum(bottom - top, 0) * np.maximum(right - left, 0)


def window_pixels(windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists the pixels of all windows (n, 4): index of the window, row and column of each."""
    count, width = _areas(windows), np.maximum(windows[:, 3] - windows[:, 2], 1)
    number = np.repeat(np.arange(len(windows)), count)
    step = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    row, column = step // width[number], step % width[number]
    return number, windows[number, 0] + row, windows[number, 2] + column


def intersect(solid: Solid, origin, rays) -> tuple[np.ndarray, np.ndarray]:
    """Returns where rays enter and leave a solid, in lengths of the ray (near >= far: a miss)."""
    start = _start(solid, origin)
    if solid.yaw:
        turn = np.float32(math.cos(solid.yaw)), np.float32(math.sin(solid.yaw))
        start, rays = _rotate(start, turn), _rotate(rays, turn)
    return _intersect_local(solid.shape, start, rays, [np.float32(h) for h in solid.half])


def _start(solid: Solid, origin) -> list:
    """Returns the rays' origin relative to a solid."""
    return [np.float32(o - c) for o, c in zip(origin, solid.center, strict=True)]


def _rotate(vector, turn):
    """Returns a world vector in axes turned by (cos, sin) about z."""
    (x, y, z), (c, s) = vector, turn
    return c * x + s * y, c * y - s * x, z


def _intersect_local(shape: int, start, rays, half) -> tuple[np.ndarray, np.ndarray]:
    """Intersects rays with a shape, both in the solid's own axes."""
    (px, py, pz), (dx, dy, dz), (hx, hy, hz) = start, rays, half
    if shape == BOX:
        near, far = _slab(px, dx, hx)
        for p, d, h in ((py, dy, hy), (pz, dz, hz)):
            enter, leave = _slab(p, d, h)
            near, far = np.maximum(near, enter), np.minimum(far, leave)
        return near, far
    if shape == GABLE:
        near, far = _slab(px, dx, hx)
        enter, leave = _slab(pz, dz, hz)
        near, far = np.maximum(near, enter), np.minimum(far, leave)
        for side in (-2, 2):  # within both slopes: hy * z + 2 * hz * |y| <= hy * hz
            above = hy * pz + side * hz * py - hy * hz
            steep = hy * dz + side * hz * dy + np.float32(1e-12)
            at = -above / steep
            near = np.where(steep < 0, np.maximum(near, at), near)
            far = np.where(steep > 0, np.minimum(far, at), far)
        return near, far
    # Scaled by its half-size it is the unit ball, or the unit cylinder between z = -1 and 1.
    px, dx, py, dy = px / hx, dx / hx, py / hy, dy / hy
    if shape == BALL:
        pz, dz = pz / hz, dz / hz
        return _quadratic(dx * dx + dy * dy + dz * dz, px * dx + py * dy + pz * dz,
                          px * px + py * py + pz * pz - 1)  # fmt: skip
    near, far = _quadratic(dx * dx + dy * dy, px * dx + py * dy, px * px + py * py - 1)
    enter, leave = _slab(pz, dz, hz)
    return np.maximum(near, enter), np.minimum(far, leave)


def _slab(p, d, h) -> tuple[np.ndarray, np.ndarray]:
    """Returns where p + t * d enters and leaves [-h, h]."""
    inverse = 1 / (d + np.float32(1e-12))  # a ray along the slab would give 0 * inf
    middle, reach = -p * inverse, h * np.abs(inverse)
    return middle - reach, middle + reach


def _quadratic(a, b, c) -> tuple[np.ndarray, np.ndarray]:
    """Returns the roots of a * t^2 + 2 * b * t + c, lower and higher; inf and -inf for none."""
    a = np.maximum(a, np.float32(1e-12))
    root = b * b - a * c
    width = np.sqrt(np.maximum(root, 0)) / a
    middle = -b / a
    return np.where(root > 0, middle - width, np.inf), np.where(root > 0, middle + width, -np.inf)
