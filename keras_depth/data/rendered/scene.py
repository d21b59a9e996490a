"""Describes a scene to render: solids, their materials, lights and a camera.

The world is in metres: x to the right, y forward, z up from the floor.
"""

import math
from typing import NamedTuple

import numpy as np

# Shapes of a solid; each fills the box of its size. A gable is a roof with its ridge along x.
BOX, CYLINDER, BALL, GABLE = range(4)
STRIPES, CHECKS, CELLS, PANES = range(4)  # patterns of a material
FLOOR = 4  # face of solid 0 that is the floor or the ground; outdoors its other faces are the sky

Rng = np.random.Generator
Color = tuple[float, float, float]


class Place(NamedTuple):
    """Places a piece: x and y of the middle of its footprint, and its yaw about z."""

    x: float
    y: float
    yaw: float = 0.0

    def at(self, x: float, y: float, yaw: float = 0.0) -> "Place":
        """Returns the place at (x, y) in this piece's own frame."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return Place(self.x + c * x - s * y, self.y + s * x + c * y, self.yaw + yaw)


class Solid(NamedTuple):
    """Places a shape of half-size `half` about `center`, turned by `yaw` about the vertical."""

    shape: int
    center: tuple[float, float, float]
    half: tuple[float, float, float]
    yaw: float
    materials: tuple[int, ...]  # per face: -x, +x, -y, +y, -z, +z


class Material(NamedTuple):
    """Mixes two colors (linear light) in a pattern; sizes in metres."""

    pattern: int
    first: Color
    second: Color
    period: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0  # of each row of cells against the one before, in cells
    joint: float = 0.0  # width of the joint between cells, as a share of the cell
    variation: float = 0.0  # of brightness from cell to cell
    grain: float = 0.1  # amplitude of the fine noise
    stretch: float = 1.0  # of the fine noise along v: 1 plaster, 10 wood
    glow: float = 0.0  # light of its own


class Scene:
    """Holds the contents of a room or a street.

    Solid 0 is the room itself, seen from inside; outdoors it is the ground and the sky.
    """

    def __init__(self, rng: Rng):
        self.rng = rng
        self.solids: list[Solid] = []
        self.materials: list[Material] = []
        self.footprints: list[tuple[float, float, float, float]] = []  # x0, x1, y0, y1
        # Position and intensity of each; the first one casts shadows.
        self.lights: list[tuple[np.ndarray, float]] = []
        self.sun = np.zeros(3)  # outdoors: direction to the sun; its length is the intensity
        # The fine noise: size of its cells in metres, and weight.
        self.grains: tuple[tuple[float, float], ...] = ((0.02, 0.6), (0.25, 0.5))
        self.camera = np.zeros(3)
        self.yaw = self.pitch = self.roll = 0.0

    def add(self, shape: int, place: Place, z: float, size: tuple, material: int | tuple) -> None:
        """Adds a solid of `size` (width, depth, height) at `place`, its bottom at height `z`."""
        w, d, h = size
        yaw = place.yaw
        quarters = yaw / (math.pi / 2)
        if abs(quarters - round(quarters)) < 1e-6:  # a solid along the axes is cheaper to trace
            yaw, (w, d) = 0.0, ((d, w) if round(quarters) % 2 else (w, d))
        faces = (material,) * 6 if isinstance(material, int) else material
        self.solids.append(
            Solid(shape, (place.x, place.y, z + h / 2), (w / 2, d / 2, h / 2), yaw, faces)
        )

    def box(self, place: Place, z: float, size: tuple, material: int) -> None:
        """Adds a box, see `add`."""
        self.add(BOX, place, z, size, material)

    def paint(self, *arguments, **options) -> int:
        """Registers a material and returns its number."""
        self.materials.append(Material(*arguments, **options))
        return len(self.materials) - 1

    def color(self, hue: tuple, saturation: tuple, value: tuple) -> Color:
        """Draws a color from ranges of hue, saturation and value; returns linear RGB."""
        h, s, v = (self.rng.uniform(*bounds) for bounds in (hue, saturation, value))
        return tuple((v * (1 - s * max(0.0, min(k, 4 - k, 1.0)))) ** 2.2 for k in (
            (5 + 6 * h) % 6, (3 + 6 * h) % 6, (1 + 6 * h) % 6))  # fmt: skip

    def any_color(self) -> Color:
        """Draws the color of a thing in a home."""
        # Most things in a home are muted; a few are bright.
        vivid = 0.9 if self.rng.random() < 0.15 else 0.45
        return self.color((0, 1), (0.0, vivid), (0.15, 0.9))

    # Materials: these draw one, register it and return its number -------------------------------

    def wall_paint(self) -> int:
        first = self.color((0, 1), (0.0, 0.22), (0.55, 0.95))
        kind = self.rng.random()
        if kind < 0.65:
            return self.paint(CELLS, first, first, grain=0.06)
        second = self.color((0, 1), (0.0, 0.3), (0.5, 0.95))
        if kind < 0.8:
            width = self.rng.uniform(0.06, 0.2)
            return self.paint(STRIPES, first, second, (width, width), grain=0.05)
        if kind < 0.9:
            brick = self.color((0.02, 0.08), (0.3, 0.6), (0.4, 0.7))
            return self.paint(CELLS, brick, first, (0.22, 0.075), 0.5, 0.12, 0.25, grain=0.2)
        return self.paint(CELLS, first, second, (0.15, 0.15), 0.0, 0.05, 0.06, grain=0.03)

    def floor_paint(self) -> int:
        kind = self.rng.random()
        if kind < 0.45:
            return self.wood(width=self.rng.uniform(0.07, 0.18), length=self.rng.uniform(0.8, 1.6))
        first = self.color((0, 1), (0.02, 0.3), (0.4, 0.85))
        second = self.color((0, 1), (0.02, 0.3), (0.15, 0.6))
        side = self.rng.uniform(0.2, 0.5)
        if kind < 0.65:
            return self.paint(CELLS, first, second, (side, side), 0.0, 0.03, 0.12, grain=0.12)
        if kind < 0.8:
            return self.paint(CHECKS, first, second, (side, side), grain=0.1)
        return self.paint(CELLS, self.color((0, 1), (0.05, 0.5), (0.25, 0.7)), second, grain=0.5)

    def wood(self, width: float = 0.5, length: float = 3.0) -> int:
        first = self.color((0.04, 0.1), (0.25, 0.7), (0.25, 0.8))
        dark = tuple(0.5 * c for c in first)
        return self.paint(CELLS, first, dark, (width, length), 0.37, 0.03, 0.3, 0.35, 10.0)

    def cloth(self) -> int:
        first, kind = self.any_color(), self.rng.random()
        if kind < 0.6:
            return self.paint(CELLS, first, first, grain=0.35)
        side = self.rng.uniform(0.04, 0.15)
        pattern = STRIPES if kind < 0.8 else CHECKS
        return self.paint(pattern, first, self.any_color(), (side, side), grain=0.25)

    def plain(self) -> int:
        first = self.any_color()
        return self.paint(CELLS, first, first, grain=0.05)

    def fronts(self, width: float, height: float) -> int:
        """Returns a material of doors or drawers of `width` by `height`, with dark joints."""
        first = self.color((0, 1), (0.0, 0.4), (0.3, 0.95))
        dark = tuple(0.25 * c for c in first)
        return self.paint(CELLS, first, dark, (width, height), 0.0, 0.04, 0.06, 0.2, 6.0)

    def wood_or_plain(self) -> int:
        return self.wood() if self.rng.random() < 0.6 else self.plain()

    def glow(self, strength: float, tint: Color = (1.0, 0.95, 0.85)) -> int:
        return self.paint(CELLS, tint, tint, grain=0.0, glow=strength)
