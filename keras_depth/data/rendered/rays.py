"""A ray caster on NumPy arrays: from a scene to what a camera sees of it, and how far it is."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.data.rendered.scene import (
    BALL,
    BOX,
    CELLS,
    CHECKS,
    CYLINDER,
    GABLE,
    PANES,
    STRIPES,
    Scene,
    Solid,
)
from keras_depth.geometry import Intrinsics

_FLOOR = 4  # this face of solid 0, the room; out of doors the other ones are the sky
_NEAR = 0.05  # metres; nothing nearer to the camera is seen
_SMALL = 600  # rays; below this, the calls for a solid would cost more than its rays


class Solids:
    """Solids as arrays: n of them.

    shape: int (n,). centre, half: float32 (3, n). turn: float32 (2, n), cos and sin of the yaw.
    """

    def __init__(self, solids: Sequence[Solid]):
        self.list = solids
        self.shape = np.array([s.shape for s in solids])
        self.centre = np.array([s.centre for s in solids], np.float32).T
        self.half = np.array([s.half for s in solids], np.float32).T
        yaw = np.array([s.yaw for s in solids])
        self.turn = np.stack([np.cos(yaw), np.sin(yaw)]).astype(np.float32)

    def corners(self, origin) -> np.ndarray:
        """Returns the corners of their boxes, relative to the origin: float32 (n, 8, 3)."""
        unit = np.stack(np.meshgrid(*[[-1, 1]] * 3, indexing="ij")).reshape(3, 8, 1)
        x, y, z = unit * self.half[:, None]
        c, s = self.turn
        turned = np.stack([c * x - s * y, s * x + c * y, z], -1)
        return (turned + (self.centre.T - origin)).transpose(1, 0, 2)


class View:
    """What each pixel of a camera sees.

    axes: float32 (3, 3), see `camera_axes`. rays: float32 (3, H, W), world direction with a camera
    z of 1, so that the ray's parameter at a hit is the depth. depth: float32 (H, W). solid: intp
    (H, W), number of the solid hit, of `solids`.
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
        self.depth, self.solid = first_hits(self.solids, self.origin, self.rays, windows)

    def windows(self, points: np.ndarray) -> np.ndarray:
        """Returns the part of the image that the hulls of points may cover.

        Args:
            points: (n, k, 3), world, relative to the camera.

        Returns:
            int (n, 4): top, bottom, left, right.
        """
        seen = points @ self.axes.T
        front = seen[..., 2] > _NEAR
        cut = np.flatnonzero(front.any(1) & ~front.all(1))
        windows = self._windows(seen)
        windows[cut] = self._windows(_cut_off(seen[cut], front[cut]))
        windows[~front.any(1)] = 0
        return windows

    def _windows(self, seen: np.ndarray) -> np.ndarray:
        camera, size = self._camera, self._size
        depth = np.maximum(seen[..., 2], _NEAR)
        windows = np.empty((len(seen), 4), int)
        for k, (focal, middle, length) in enumerate(
            ((camera.fy, camera.cy, size[0]), (camera.fx, camera.cx, size[1]))
        ):
            pixel = seen[..., 1 - k] / depth * focal + middle
            windows[:, 2 * k] = np.floor(pixel.min(1)).clip(0, length)
            windows[:, 2 * k + 1] = (np.ceil(pixel.max(1)) + 1).clip(0, length)
        return windows


def _cut_off(seen: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Returns hulls (n, k, 3) without their parts behind the camera: (n, k * k, 3).

    front: bool (n, k), which points are before the camera: of each hull some, but not all.
    """
    # Wherever a hull meets the near plane, the line between a point before and one behind does.
    before, behind = seen[:, :, None], seen[:, None]
    both = front[:, :, None] & ~front[:, None]
    gap = np.where(both, before[..., 2] - behind[..., 2], 1)
    part = np.where(both, (before[..., 2] - _NEAR) / gap, 0)[..., None]
    points = before + part * (behind - before)
    # What is left of the points behind stands for nothing: a point before replaces it.
    first = np.take_along_axis(seen, front.argmax(1)[:, None, None], 1)[:, :, None]
    points = np.where(front[:, :, None, None], points, first)
    return points.reshape(len(seen), seen.shape[1] ** 2, 3)


def camera_axes(scene: Scene) -> np.ndarray:
    """Returns float32 (3, 3): the camera's right, down and forward in the world."""
    c, s = math.cos(scene.yaw), math.sin(scene.yaw)
    cp, sp = math.cos(scene.pitch), math.sin(scene.pitch)
    forward = np.array([c * cp, s * cp, sp])
    right = np.array([s, -c, 0.0])
    down = np.cross(forward, right)
    cr, sr = math.cos(scene.roll), math.sin(scene.roll)
    return np.stack([cr * right + sr * down, cr * down - sr * right, forward]).astype(np.float32)


def first_hits(solids: Solids, origin, rays, windows) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far along each ray the first solid is, and which.

    Args:
        solids: n of them; solid 0 surrounds the origin and the others.
        origin, rays, windows: as of `meetings`.

    Returns:
        float32 (H, W), in lengths of the ray, and intp (H, W), number of the solid.
    """
    distance = crossing(solids.list[0], origin, rays)[1]
    shape, distance = distance.shape, distance.ravel()
    number = np.zeros(len(distance), np.intp)
    windows = np.concatenate([np.zeros((1, 4), int), windows[1:]])
    for k, ray, near, far in meetings(solids, windows, origin, rays):
        hit = (near < far) & (near > 0)
        k, ray, near = np.broadcast_to(k, hit.shape)[hit], ray[hit], near[hit]
        before = distance[ray]
        np.minimum.at(distance, ray, near)
        # Of equals the first solid wins: it is written last.
        won = (near == distance[ray]) & ((near < before) | (k < number[ray]))
        number[ray[won][::-1]] = k[won][::-1]
    return distance.reshape(shape), number.reshape(shape)


def meetings(solids: Solids, windows, origin, rays) -> Iterator[tuple]:
    """Yields where rays meet solids: the solids' numbers, the rays' numbers, near and far.

    Args:
        solids: n of them.
        windows: int (n, 4), per solid: top, bottom, left, right of the rays that may meet it.
        origin, rays: float32 (3, H, W), world; either may be (3,), the same for all.
    """
    height, width = origin.shape[1:] or rays.shape[1:]
    large = _areas(windows) > _SMALL
    # All small windows at once: their rays one after another.
    number, row, column = _pixels(np.where(large[:, None], 0, windows))
    at, shapes = row * width + column, solids.shape[number]
    starts = np.zeros_like(solids.centre)
    if origin.ndim == 1:  # to the bit as of a single solid
        used = np.unique(number)
        starts[:, used] = np.reshape([_start(solids.list[k], origin) for k in used], (-1, 3)).T
    for shape in (BOX, CYLINDER, BALL, GABLE):
        some = np.flatnonzero(shapes == shape)
        k, ray = number[some], at[some]
        turn, half = solids.turn[:, k], solids.half[:, k]
        start = starts[:, k] if origin.ndim == 1 else _taken(origin, ray) - solids.centre[:, k]
        start, along = _turned(start, turn), _turned(_taken(rays, ray), turn)
        yield k, ray, *_meet(shape, start, along, half)
    index = np.arange(height * width).reshape(height, width)
    for one in np.flatnonzero(large).tolist():
        top, bottom, left, right = windows[one]
        window = slice(top, bottom), slice(left, right)
        start, along = (a if a.ndim == 1 else a[:, *window] for a in (origin, rays))
        yield one, index[window], *crossing(solids.list[one], start, along)


def _taken(field, at) -> np.ndarray:
    """Returns the vectors (3, n) at places of a field (3, H, W), or the one that it has (3, 1)."""
    return field.reshape(3, -1)[:, at if field.ndim > 1 else [0]]


def _areas(windows) -> np.ndarray:
    top, bottom, left, right = windows.T
    return np.maximum(bottom - top, 0) * np.maximum(right - left, 0)


def _pixels(windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the pixels of all windows: their window's number, their row and their column."""
    count, width = _areas(windows), np.maximum(windows[:, 3] - windows[:, 2], 1)
    number = np.repeat(np.arange(len(windows)), count)
    step = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    row, column = step // width[number], step % width[number]
    return number, windows[number, 0] + row, windows[number, 2] + column


def crossing(solid, origin, rays) -> tuple[np.ndarray, np.ndarray]:
    """Returns where rays enter and leave a solid (near >= far: they miss it)."""
    start = _start(solid, origin)
    if solid.yaw:
        turn = np.float32(math.cos(solid.yaw)), np.float32(math.sin(solid.yaw))
        start, rays = _turned(start, turn), _turned(rays, turn)
    return _meet(solid.shape, start, rays, [np.float32(h) for h in solid.half])


def _start(solid: Solid, origin) -> list:
    return [np.float32(o - c) for o, c in zip(origin, solid.centre, strict=True)]


def _turned(vector, turn):
    """Returns a vector of the world in axes turned by (cos, sin) about z."""
    (x, y, z), (c, s) = vector, turn
    return c * x + s * y, c * y - s * x, z


def _meet(shape: int, start, rays, half) -> tuple[np.ndarray, np.ndarray]:
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
    # In the solid's own scale it is the unit ball, or the unit cylinder between z = -1 and 1.
    px, dx, py, dy = px / hx, dx / hx, py / hy, dy / hy
    if shape == BALL:
        pz, dz = pz / hz, dz / hz
        return _quadratic(dx * dx + dy * dy + dz * dz, px * dx + py * dy + pz * dz,
                          px * px + py * py + pz * pz - 1)  # fmt: skip
    near, far = _quadratic(dx * dx + dy * dy, px * dx + py * dy, px * px + py * py - 1)
    enter, leave = _slab(pz, dz, hz)
    return np.maximum(near, enter), np.minimum(far, leave)


def _slab(p, d, h) -> tuple[np.ndarray, np.ndarray]:
    inverse = 1 / (d + np.float32(1e-12))  # a ray along the slab would give 0 * inf
    middle, reach = -p * inverse, h * np.abs(inverse)
    return middle - reach, middle + reach


def _quadratic(a, b, c) -> tuple[np.ndarray, np.ndarray]:
    a = np.maximum(a, np.float32(1e-12))
    root = b * b - a * c
    width = np.sqrt(np.maximum(root, 0)) / a
    middle = -b / a
    return np.where(root > 0, middle - width, np.inf), np.where(root > 0, middle + width, -np.inf)


# Surfaces ----------------------------------------------------------------------------------------


class Surface:
    """The surface behind each pixel.

    point, normal: float32 (3, H, W), world. colour: float32 (3, H, W), linear. glow: (H, W).
    face: intp (H, W), 0 to 5. facing: (H, W), cosine between the normal and the view.
    """

    def __init__(self, scene: Scene, view: View):
        solids = view.solids
        self.point = view.origin[:, None, None] + view.rays * view.depth
        # Gather every solid's numbers for the pixels that see it.
        table = np.concatenate([solids.centre, solids.half, solids.turn])
        table = np.take(table, view.solid, axis=1)
        cos, sin = table[6], table[7]
        x, y, z = self.point - table[:3]
        local = np.stack([cos * x + sin * y, cos * y - sin * x, z])
        shape, inside = solids.shape[view.solid], view.solid == 0
        normal, self.face, u, v = _local_surface(local, table[3:6], shape, inside)
        nx, ny, nz = normal
        self.normal = np.stack([cos * nx - sin * ny, sin * nx + cos * ny, nz])
        distance = view.depth * np.sqrt((view.rays**2).sum(0))
        towards = -(self.normal * view.rays).sum(0)
        self.facing = np.clip(towards * view.depth / distance, 0.02, 1)
        faces = np.array([s.materials for s in scene.solids])
        material = faces[view.solid, self.face]
        # The size of a pixel on the surface: finer patterns are averaged, as a camera does.
        footprint = view.depth / np.float32(view.focal) / np.sqrt(self.facing)
        self.colour, self.glow = _paint(scene, material, u, v, footprint, view.solid)


def _local_surface(local, half, shape, inside):
    """Returns the normal (3, H, W), the face and the surface coordinates u, v in metres."""
    scaled = local / half
    size = np.abs(scaled)
    x, y, z = scaled
    gable = shape == GABLE
    if gable.any():
        size[1] += np.where(gable, (z + 1) / 2, 0)
        size[2] = np.where(gable, -z, size[2])
    axis = np.where(size[0] > size[1], 0, 1)
    axis = np.where(size[2] > np.maximum(size[0], size[1]), 2, axis)
    round_ = (shape == CYLINDER) | (shape == BALL)
    if round_.any():
        # A cylinder's side and a ball: the normal is that of the ellipsoid; no top, no bottom.
        cap = (shape != BALL) & (size[2] > np.sqrt(x * x + y * y))
        axis = np.where(round_, np.where(cap, 2, 0), axis)
    high = np.where(axis == 0, x, np.where(axis == 1, y, z)) > 0
    sign = np.where(high != inside, np.float32(1), np.float32(-1))
    normal = np.stack([np.where(axis == k, sign, np.float32(0)) for k in range(3)])
    u = np.where(axis == 0, local[1] + half[1], local[0] + half[0])
    v = np.where(axis == 2, local[1] + half[1], local[2] + half[2])
    if round_.any():
        side = round_ & (axis == 0)
        out = scaled[:, side] / half[:, side]
        out[2] *= shape[side] == BALL
        normal[:, side] = out / np.sqrt((out**2).sum(0))
        u[side] = np.arctan2(y[side], x[side]) * half[0][side]
    if gable.any():
        slope = gable & (axis == 1)
        out = np.stack([np.sign(y[slope]) * 2 * half[2][slope], half[1][slope]])
        normal[1:, slope] = out / np.sqrt((out**2).sum(0))
    return normal, 2 * axis + high, u, v


def _noise_tile(side: int = 256) -> np.ndarray:
    """Returns smooth noise of unit variance that repeats without a seam."""
    tile = np.random.default_rng(7).normal(size=(side, side)).astype(np.float32)
    tile = np.add.reduce([np.roll(tile, (a, b), (0, 1)) for a in (0, 1) for b in (0, 1)])
    return tile / tile.std()


_NOISE = _noise_tile()
_TONES = np.random.default_rng(8).uniform(-1, 1, 4096).astype(np.float32)


def smooth_noise(u, v) -> np.ndarray:
    """Looks smooth noise up at (u, v), in cells of it."""
    return cv2.remap(_NOISE, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _paint(scene: Scene, material, u, v, footprint, solid):
    """Returns the colour (3, H, W) and the glow (H, W) of materials at (u, v)."""
    rows = [(*m.first, *m.second, *m.period, *m[4:]) for m in scene.materials]
    table = np.take(np.array(rows, np.float32).T, material, axis=1)
    pattern = np.array([m.pattern for m in scene.materials])[material]
    first, second = table[:3], table[3:6]
    period_u, period_v, shift, joint, variation, grain, stretch, glow = table[6:]
    coordinates = (u / period_u, v / period_v, footprint / period_u, footprint / period_v,
                   shift, joint, variation)  # fmt: skip
    mix = np.zeros_like(u)
    tone = np.ones_like(u)
    for kind, draw in _PATTERNS:
        at = np.flatnonzero(pattern == kind)
        scaled = (np.take(a, at) for a in coordinates)
        mix.flat[at], tone.flat[at] = draw(*scaled)
    offset = (solid * 37 % 101).astype(np.float32)
    for cell, weight in scene.grains:
        blurred = np.clip(1.5 - footprint / np.float32(cell), 0, 1) * np.float32(weight)
        cells = smooth_noise(
            u / np.float32(cell) + offset, v / (np.float32(cell) * stretch) + offset
        )
        tone *= 1 + grain * blurred * cells
    return (first + (second - first) * mix) * np.clip(tone, 0.1, 2), glow


# Patterns, averaged over the pixel (box filter): coordinates and pixel size in periods. They
# return the part of the second colour and a factor of brightness.


def _square(x, width):
    """A square wave between -1 and 1, averaged over `width`."""
    width = np.maximum(width, 1e-3)

    def triangle(a):
        return np.abs(a / 2 - np.floor(a / 2) - 0.5)

    return 2 * (triangle(x - width / 2) - triangle(x + width / 2)) / width


def _line(x, width, joint):
    """The part of `width` about x that is joint, the first `joint` of each period."""
    width = np.maximum(width, 1e-3)
    low, high = x - width / 2, x + width / 2

    def total(a):
        whole = np.floor(a)
        return whole * joint + np.minimum(a - whole, joint)

    return (total(high) - total(low)) / width


def _stripes(u, v, du, dv, shift, joint, variation):
    return 0.5 - 0.5 * _square(u, du), 1.0


def _checks(u, v, du, dv, shift, joint, variation):
    return 0.5 - 0.5 * _square(u, du) * _square(v, dv), 1.0


def _cells(u, v, du, dv, shift, joint, variation):
    """Planks, bricks, tiles, drawers, books: cells with joints, each of its own tone."""
    # Planks run along v and are shifted along it; bricks along u (their period is longer there).
    long_u = du < dv
    row = np.where(long_u, np.floor(v), np.floor(u))
    moved = row * shift
    u, v = np.where(long_u, u + moved, u), np.where(long_u, v, v + moved)
    cell = (np.floor(u).astype(int) * 57 + np.floor(v).astype(int) * 131) & 4095
    # The joint is as wide both ways, in metres: a part of the cell's shorter side.
    short = np.maximum(du, dv)
    across, up = joint * du / short, joint * dv / short
    mix = 1 - (1 - _line(u, du, across)) * (1 - _line(v, dv, up))
    return mix, 1 + variation * _TONES[cell] * np.clip(1.5 - short, 0, 1)


def _panes(u, v, du, dv, shift, joint, variation):
    """Windows, each of its own tone, in a wall of one tone."""
    mix, tone = _cells(u, v, du, dv, shift, joint, variation)
    return mix, 1 + (tone - 1) * (1 - mix)


_PATTERNS = ((STRIPES, _stripes), (CHECKS, _checks), (CELLS, _cells), (PANES, _panes))


# Light -------------------------------------------------------------------------------------------


def light(scene: Scene, view: View, surface: Surface) -> np.ndarray:
    """Returns the light that reaches each pixel's surface: float32 (H, W)."""
    point, normal = surface.point, surface.normal
    # Light from everywhere: more from above, less near edges and corners of the room.
    light = 0.28 + 0.1 * normal[2]
    room = scene.solids[0]
    for axis in range(3):
        for gap in (point[axis], np.float32(2 * room.half[axis]) - point[axis]):
            light *= 1 - 0.22 * np.exp(-np.abs(gap) / np.float32(0.25))
    shadow = _shadow(scene, surface)
    for number, (position, strength) in enumerate(scene.lights):
        x, y, z = position.astype(np.float32)[:, None, None] - point
        square = x * x + y * y + z * z
        incidence = (x * normal[0] + y * normal[1] + z * normal[2]) / np.sqrt(square)
        lit = np.float32(strength) * np.maximum(incidence, 0) / (0.5 + 0.35 * square)
        light += lit * shadow if number == 0 else lit
    _contact(scene, view, surface, light)
    return light


def _shadow(scene: Scene, surface: Surface) -> np.ndarray:
    """Returns how much of the first light each pixel gets, 0 to 1 (at half resolution)."""
    point = surface.point[:, ::2, ::2] + 0.02 * surface.normal[:, ::2, ::2]
    position = scene.lights[0][0].astype(np.float32)
    rays = position[:, None, None] - point
    length = np.sqrt((rays**2).sum(0))
    lit = np.ones(length.shape, np.float32)
    big = sorted(scene.solids[1:], key=lambda s: -max(s.half[0] * s.half[1], s.half[0] * s.half[2],
                                                      s.half[1] * s.half[2]))  # fmt: skip
    for solid in big[:18]:
        near, far = crossing(solid, point, rays)
        inside = np.clip(np.minimum(far, 0.97) - np.maximum(near, 0), 0, 1) * length
        # A ray that only grazes the solid is half lit: the lamp is no point.
        lit *= 1 - np.clip(inside / 0.12, 0, 1)
    height, width = surface.facing.shape
    return 0.15 + 0.85 * cv2.resize(cv2.blur(lit, (3, 3)), (width, height))


def _contact(scene: Scene, view: View, surface: Surface, light: np.ndarray) -> None:
    """Darkens the floor about and under the furniture, in place."""
    floor = np.flatnonzero((view.solid == 0) & (surface.face == _FLOOR))
    x, y = surface.point[0].ravel()[floor], surface.point[1].ravel()[floor]
    shade = np.ones_like(x)
    for x0, x1, y0, y1 in scene.footprints:
        away = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(y0 - y, y - y1))
        shade *= 1 - 0.45 * np.exp(-np.maximum(away.astype(np.float32), 0) / np.float32(0.15))
    light.ravel()[floor] *= shade


def daylight(scene: Scene, view: View, surface: Surface) -> np.ndarray:
    """Returns the light out of doors, and the brightness of the sky: float32 (H, W)."""
    sun = scene.sun.astype(np.float32)
    light = 0.4 + 0.2 * surface.normal[2]
    incidence = np.tensordot(sun, surface.normal, 1)
    light += np.maximum(incidence, 0) * _sunshine(scene, view, surface)
    _occlusion(scene, view, surface, light)
    _sky(view, surface, light)
    return light


def _sunshine(scene: Scene, view: View, surface: Surface) -> np.ndarray:
    """Returns how much of the sun each pixel sees, 0 to 1 (at half resolution)."""
    point = surface.point[:, ::2, ::2] + 0.02 * surface.normal[:, ::2, ::2]
    sun = (scene.sun / np.linalg.norm(scene.sun)).astype(np.float32)
    # What is low or thin throws no shadow worth its time.
    solids = Solids(
        [s for s in scene.solids[1:] if s.half[2] > 0.2 and s.centre[2] + s.half[2] > 0.8]
    )
    # A shadow lies within the hull of the solid and of its corners' shadows on the ground.
    top = solids.corners(view.origin)
    ground = top - (top[..., 2:] + view.origin[2]) / sun[2] * sun
    windows = view.windows(np.concatenate([top, ground], 1))
    shade = np.zeros(point[0].shape, np.float32)
    for _, at, near, far in meetings(solids, (windows + 1) // 2, point, sun):
        # A ray that only grazes the solid is half lit: the sun is no point.
        inside = np.clip((far - np.maximum(near, 0)) / np.float32(0.15), 0, 1)
        np.add.at(shade.ravel(), at, inside)
    height, width = surface.facing.shape
    return cv2.resize(cv2.blur(1 - np.minimum(shade, 1), (3, 3)), (width, height))


def _occlusion(scene: Scene, view: View, surface: Surface, light: np.ndarray) -> None:
    """Darkens the ground about and under what stands on it, in place."""
    bounds = np.array(scene.footprints, np.float32)
    x0, x1, y0, y1 = (bounds + np.array([-0.6, 0.6, -0.6, 0.6], np.float32)).T
    points = [(x, y, z * np.ones_like(x)) for x in (x0, x1) for y in (y0, y1) for z in (0, 0.2)]
    number, row, column = _pixels(view.windows(np.array(points).transpose(2, 0, 1) - view.origin))
    x, y, z = surface.point[:, row, column]
    x0, x1, y0, y1 = bounds.T[:, number]
    away = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(y0 - y, y - y1))
    shade = 0.6 * np.exp(-np.maximum(away, 0) / np.float32(0.2)) * (z < 0.2)
    np.multiply.at(light, (row, column), 1 - shade)


def _sky(view: View, surface: Surface, light: np.ndarray) -> None:
    """Sets the light of the sky, in place: brightest at the horizon, with clouds."""
    sky = (view.solid == 0) & (surface.face != _FLOOR)
    if not sky.any():
        return
    rows = slice(0, np.flatnonzero(sky.any(1))[-1] + 1)
    # By direction alone: it is as far from either eye.
    x, y, z = view.rays[:, rows] / np.sqrt((view.rays[:, rows] ** 2).sum(0))
    high = np.abs(z)
    spread = 2 / (high + np.float32(0.12))
    clouds = smooth_noise(x * spread, y * spread)
    brightness = 1 + 0.5 * np.exp(-high / np.float32(0.2)) + 0.12 * clouds
    np.copyto(light[rows], brightness, where=sky[rows])


# The camera --------------------------------------------------------------------------------------


class Film(NamedTuple):
    """How a picture is taken: both pictures of a stereo pair are taken alike."""

    tint: np.ndarray  # float32 (3,), RGB
    exposure: np.float32
    blur: float  # pixels


def meter(surface: Surface, light, rng) -> Film:
    """Draws a tint, a blur and an exposure that suits the median of what is seen."""
    tint = (1 + np.array([0.08, 0.0, -0.12]) * rng.uniform(-0.5, 1.5)).astype(np.float32)
    middle = np.median(_linear(surface, light, tint)[::2, ::2])
    exposure = np.float32(rng.uniform(0.16, 0.3) / np.clip(middle, 0.02, None))
    return Film(tint, exposure, rng.uniform(0.35, 0.6))


def _linear(surface: Surface, light, tint) -> np.ndarray:
    return (surface.colour * (light + surface.glow)).transpose(1, 2, 0) * tint


def photograph(surface: Surface, light, rng, noise: bool, film: Film | None = None) -> np.ndarray:
    """Exposes, blurs a little and applies gamma; returns float32 (H, W, 3) in [0, 1]."""
    tint, exposure, blur = film or meter(surface, light, rng)
    linear: np.ndarray = _linear(surface, light, tint) * exposure
    # Bright parts are compressed, as film and sensors do.
    linear = linear * (1 + linear / 4) / (1 + linear)
    linear = cv2.GaussianBlur(linear, (3, 3), blur)
    if noise:
        deviation = np.sqrt(np.float32(2e-5) + np.float32(4e-4) * linear)
        linear = linear + deviation * rng.normal(size=linear.shape).astype(np.float32)
    return np.clip(linear, 0, 1) ** np.float32(1 / 2.2)
