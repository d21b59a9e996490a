"""Finds the surface that each pixel sees: its point, its normal and its material's pattern."""

import cv2
import numpy as np

from keras_depth.data.rendered.rays import View
from keras_depth.data.rendered.scene import (
    BALL,
    CELLS,
    CHECKS,
    CYLINDER,
    GABLE,
    PANES,
    STRIPES,
    Scene,
)


class Surface:
    """Computes the surface behind each pixel of a view.

    point, normal: float32 (3, H, W), world axes. color: float32 (3, H, W), linear RGB. glow:
    (H, W), light of its own. face: intp (H, W), index into `Solid.materials`. facing: (H, W),
    cosine of the angle between the normal and the line of sight.
    """

    def __init__(self, scene: Scene, view: View):
        solids = view.solids
        self.point = view.origin[:, None, None] + view.rays * view.depth
        # Look up, for each pixel, the numbers of the solid that it sees.
        table = np.concatenate([solids.center, solids.half, solids.turn])
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
        # The size of a pixel on the surface. Finer patterns are averaged, as in a camera.
        footprint = view.depth / np.float32(view.focal) / np.sqrt(self.facing)
        self.color, self.glow = _shade(scene, material, u, v, footprint, view.solid)


def _local_surface(local, half, shape, inside):
    """Returns the normal (3, H, W), the face and the surface coordinates u, v in metres.

    All but u and v are in the solid's own axes. inside: bool (H, W), where the solid is seen
    from inside.
    """
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
        # A cylinder's side and a ball have an ellipsoid's normal; a ball has no top or bottom.
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
    """Samples smooth noise of unit variance at (u, v), in cells of the noise."""
    return cv2.remap(_NOISE, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _shade(scene: Scene, material, u, v, footprint, solid):
    """Returns the color (3, H, W) and the glow (H, W) of materials at (u, v)."""
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


# Patterns, averaged over the pixel (box filter). Arguments: coordinates u, v and pixel size du, dv,
# in periods, and the numbers of `Material`. Each returns the share of the second color and a factor
# of brightness.


def _square(x, width):
    """Returns a square wave between -1 and 1, averaged over `width`."""
    width = np.maximum(width, 1e-3)

    def triangle(a):
        return np.abs(a / 2 - np.floor(a / 2) - 0.5)

    return 2 * (triangle(x - width / 2) - triangle(x + width / 2)) / width


def _line(x, width, joint):
    """Returns the share of joint in `width` about x; a joint is the first part of each period."""
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
    """Draws planks, bricks, tiles, drawers or books: cells with joints, each with its own tone."""
    # Planks run along v and are shifted along it; bricks along u, where their period is longer.
    long_u = du < dv
    row = np.where(long_u, np.floor(v), np.floor(u))
    moved = row * shift
    u, v = np.where(long_u, u + moved, u), np.where(long_u, v, v + moved)
    cell = (np.floor(u).astype(int) * 57 + np.floor(v).astype(int) * 131) & 4095
    # Joints are equally wide both ways in metres: `joint` is a share of the cell's shorter side.
    short = np.maximum(du, dv)
    across, up = joint * du / short, joint * dv / short
    mix = 1 - (1 - _line(u, du, across)) * (1 - _line(v, dv, up))
    return mix, 1 + variation * _TONES[cell] * np.clip(1.5 - short, 0, 1)


def _panes(u, v, du, dv, shift, joint, variation):
    """Draws windows, each with its own tone, in a wall of one tone."""
    mix, tone = _cells(u, v, du, dv, shift, joint, variation)
    return mix, 1 + (tone - 1) * (1 - mix)


_PATTERNS = ((STRIPES, _stripes), (CHECKS, _checks), (CELLS, _cells), (PANES, _panes))
