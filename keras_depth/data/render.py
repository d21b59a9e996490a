"""A ray caster on NumPy arrays: from a scene to what a camera sees of it, and how far it is."""

import math

import cv2
import numpy as np

from keras_depth.camera import Intrinsics
from keras_depth.data.scene import BALL, BOX, CELLS, CHECKS, STRIPES, Scene

_FLOOR = 4  # this face of solid 0, the room


class View:
    """What each pixel sees.

    rays: float32 (3, H, W), world direction with a camera z of 1, so that the ray's parameter at
    a hit is the depth. depth: float32 (H, W). solid: intp (H, W), number of the solid hit.
    """

    def __init__(self, scene: Scene, camera: Intrinsics, size: tuple[int, int]):
        self.origin = scene.camera.astype(np.float32)
        self.focal = camera.fx
        self.axes = _camera_axes(scene)
        x = (np.arange(size[1], dtype=np.float32) - np.float32(camera.cx)) / np.float32(camera.fx)
        y = (np.arange(size[0], dtype=np.float32) - np.float32(camera.cy)) / np.float32(camera.fy)
        right, down, forward = self.axes[:, :, None, None]
        self.rays = right * x[None, None] + down * y[None, :, None] + forward
        self.depth = np.full(size, np.inf, np.float32)
        self.solid = np.zeros(size, np.intp)
        centre, half, turn = _frames(scene)
        windows = _windows(self.axes, self.origin, camera, size, centre, half, turn)
        for number, (top, bottom, left, right_) in enumerate(windows):
            if top < bottom and left < right_:
                self._trace(scene, number, (slice(top, bottom), slice(left, right_)))

    def _trace(self, scene: Scene, number: int, window: tuple[slice, slice]) -> None:
        solid = scene.solids[number]
        near, far = crossing(solid, self.origin, self.rays[:, window[0], window[1]])
        depth = self.depth[window]
        if number == 0:  # the room is seen from inside
            depth[...] = far
            return
        hit = (near < far) & (near > 0) & (near < depth)
        np.copyto(depth, near, where=hit)
        np.copyto(self.solid[window], number, where=hit)


def _camera_axes(scene: Scene) -> np.ndarray:
    """Returns float32 (3, 3): the camera's right, down and forward in the world."""
    c, s = math.cos(scene.yaw), math.sin(scene.yaw)
    cp, sp = math.cos(scene.pitch), math.sin(scene.pitch)
    forward = np.array([c * cp, s * cp, sp])
    right = np.array([s, -c, 0.0])
    down = np.cross(forward, right)
    cr, sr = math.cos(scene.roll), math.sin(scene.roll)
    return np.stack([cr * right + sr * down, cr * down - sr * right, forward]).astype(np.float32)


def _frames(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the solids' centres (n, 3), half-sizes (n, 3) and (cos, sin) of their yaw (n, 2)."""
    centre = np.array([s.centre for s in scene.solids], np.float32)
    half = np.array([s.half for s in scene.solids], np.float32)
    yaw = np.array([s.yaw for s in scene.solids])
    return centre, half, np.stack([np.cos(yaw), np.sin(yaw)], 1).astype(np.float32)


def _windows(axes, origin, camera, size, centre, half, turn) -> np.ndarray:
    """Returns the part of the image each solid may cover: int (n, 4) top, bottom, left, right."""
    corners = np.stack(np.meshgrid(*[[-1, 1]] * 3, indexing="ij"), -1).reshape(8, 3) * half[:, None]
    c, s = turn[:, None, 0], turn[:, None, 1]
    x, y, z = corners[..., 0], corners[..., 1], corners[..., 2]
    world = np.stack([c * x - s * y, s * x + c * y, z], -1) + (centre - origin)[:, None]
    seen = world @ axes.T
    front = seen[..., 2] > 0.05
    depth = np.maximum(seen[..., 2], 0.05)
    windows = np.empty((len(half), 4), int)
    for k, (focal, middle, length) in enumerate(
        ((camera.fy, camera.cy, size[0]), (camera.fx, camera.cx, size[1]))
    ):
        pixel = seen[..., 1 - k] / depth * focal + middle
        # A solid that reaches behind the camera may cover anything.
        whole = front.any(1) & ~front.all(1)
        windows[:, 2 * k] = np.where(whole, 0, np.floor(pixel.min(1))).clip(0, length)
        windows[:, 2 * k + 1] = np.where(whole, length, np.ceil(pixel.max(1)) + 1).clip(0, length)
    windows[~front.any(1)] = 0
    windows[0] = 0, size[0], 0, size[1]
    return windows


def crossing(solid, origin, rays) -> tuple[np.ndarray, np.ndarray]:
    """Returns where rays enter and leave a solid (near >= far: they miss it)."""
    px, py, pz = (np.float32(o - c) for o, c in zip(origin, solid.centre, strict=True))
    dx, dy, dz = rays
    if solid.yaw:
        c, s = np.float32(math.cos(solid.yaw)), np.float32(math.sin(solid.yaw))
        px, py = c * px + s * py, c * py - s * px
        dx, dy = c * dx + s * dy, c * dy - s * dx
    hx, hy, hz = (np.float32(h) for h in solid.half)
    if solid.shape == BOX:
        near, far = _slab(px, dx, hx)
        for p, d, h in ((py, dy, hy), (pz, dz, hz)):
            enter, leave = _slab(p, d, h)
            np.maximum(near, enter, out=near)
            np.minimum(far, leave, out=far)
        return near, far
    # In the solid's own scale it is the unit ball, or the unit cylinder between z = -1 and 1.
    px, dx, py, dy = px / hx, dx / hx, py / hy, dy / hy
    if solid.shape == BALL:
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
        centre, half, turn = _frames(scene)
        self.point = view.origin[:, None, None] + view.rays * view.depth
        # Gather every solid's numbers for the pixels that see it.
        table = np.take(np.concatenate([centre.T, half.T, turn.T]), view.solid, axis=1)
        cos, sin = table[6], table[7]
        x, y, z = self.point - table[:3]
        local = np.stack([cos * x + sin * y, cos * y - sin * x, z])
        shape = np.array([s.shape for s in scene.solids])[view.solid]
        normal, self.face, u, v = _local_surface(local, table[3:6], shape, view.solid == 0)
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
    axis = np.where(size[0] > size[1], 0, 1)
    axis = np.where(size[2] > np.maximum(size[0], size[1]), 2, axis)
    round_ = shape != BOX
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
    for kind, draw in ((STRIPES, _stripes), (CHECKS, _checks), (CELLS, _cells)):
        at = np.flatnonzero(pattern == kind)
        scaled = (np.take(a, at) for a in coordinates)
        mix.flat[at], tone.flat[at] = draw(*scaled)
    offset = (solid * 37 % 101).astype(np.float32)
    for cell, weight in ((0.02, 0.6), (0.25, 0.5)):
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


# The camera --------------------------------------------------------------------------------------


def photograph(surface: Surface, light, rng, noise: bool) -> np.ndarray:
    """Exposes, blurs a little and applies gamma; returns float32 (H, W, 3) in [0, 1]."""
    tint = 1 + np.array([0.08, 0.0, -0.12]) * rng.uniform(-0.5, 1.5)
    linear = (surface.colour * (light + surface.glow)).transpose(1, 2, 0) * tint.astype(np.float32)
    linear *= np.float32(rng.uniform(0.16, 0.3) / np.clip(np.median(linear[::2, ::2]), 0.02, None))
    # Bright parts are compressed, as film and sensors do.
    linear = linear * (1 + linear / 4) / (1 + linear)
    linear = cv2.GaussianBlur(linear, (3, 3), rng.uniform(0.35, 0.6))
    if noise:
        deviation = np.sqrt(np.float32(2e-5) + np.float32(4e-4) * linear)
        linear = linear + deviation * rng.normal(size=linear.shape).astype(np.float32)
    return np.clip(linear, 0, 1) ** np.float32(1 / 2.2)
