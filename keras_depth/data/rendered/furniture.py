"""Draws a furnished room and places the camera in it.

Each piece is built by a function of the scene, the place and the footprint's width and depth, in
the piece's own frame: x along its width, its front towards +y, z up.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_depth.data.rendered.scene import (
    BALL,
    BOX,
    CELLS,
    CHECKS,
    CYLINDER,
    STRIPES,
    Place,
    Rng,
    Scene,
)

# Metres between the camera and every surface. No pixel's ray is more than 38.4 degrees off the
# optical axis (NYU's field of view), so the smallest depth is 0.65 m * cos 38.4 = 0.51 m.
CLEARANCE = 0.65
# Metres: the longest diagonal of a floor. With the height it bounds every depth by 10 m.
MAX_DIAGONAL = 9.6


def table(scene: Scene, p: Place, w: float, d: float) -> None:
    high = scene.rng.uniform(0.70, 0.77) if w > 0.9 else scene.rng.uniform(0.38, 0.5)
    top, legs = scene.wood_or_plain(), scene.wood_or_plain()
    _add_board(scene, p, w, d, high, top, legs)
    clutter(scene, p, w, d, high)


def dining(scene: Scene, p: Place, w: float, d: float) -> None:
    """Builds a table with chairs around it; the footprint includes the chairs."""
    table(scene, p, w, d - 0.7)
    cloth, legs = scene.cloth(), scene.wood_or_plain()
    for x in np.arange(-w / 2 + 0.35, w / 2 - 0.3, 0.6):
        for side in (-1, 1):
            if scene.rng.random() < 0.8:
                away = side * (d / 2 - 0.25 - scene.rng.uniform(0, 0.15))
                turn = (math.pi if side > 0 else 0.0) + scene.rng.normal(0, 0.15)
                _add_chair(scene, p.at(float(x), away, turn), 0.42, 0.42, cloth, legs)


def chair(scene: Scene, p: Place, w: float, d: float) -> None:
    _add_chair(scene, p, w, d, scene.cloth(), scene.wood_or_plain())


def desk(scene: Scene, p: Place, w: float, d: float) -> None:
    """Builds a desk with a screen and a chair; the footprint includes the chair."""
    rng, high, deep = scene.rng, scene.rng.uniform(0.70, 0.76), d - 0.8
    top, back = scene.wood_or_plain(), p.at(0, (deep - d) / 2)
    scene.box(back, high - 0.04, (w, deep, 0.04), top)
    scene.box(back.at(-w / 2 + 0.02, 0), 0, (0.04, deep, high - 0.04), top)
    drawers = scene.fronts(0.42, 0.175)
    scene.box(back.at(w / 2 - 0.22, 0), 0, (0.42, deep - 0.04, high - 0.04), drawers)
    wide, black = rng.uniform(0.4, 0.6), (0.01, 0.01, 0.012)
    dark = scene.paint(CELLS, black, black, grain=0.02)
    screen = back.at(rng.uniform(-0.2, 0.2), -deep / 2 + 0.18, rng.normal(0, 0.2))
    scene.box(screen, high, (0.22, 0.16, 0.02), dark)
    scene.box(screen, high + 0.02, (0.05, 0.04, 0.1), dark)
    scene.box(screen, high + 0.1, (wide, 0.04, wide * 0.6), dark)
    scene.box(screen.at(0, 0.3), high, (0.42, 0.14, 0.02), scene.plain())
    seat = back.at(rng.uniform(-0.2, 0.1), deep / 2 + 0.3, math.pi + rng.normal(0, 0.4))
    _add_chair(scene, seat, 0.45, 0.45, scene.cloth(), scene.plain())


def sofa(scene: Scene, p: Place, w: float, d: float) -> None:
    cloth, seat = scene.cloth(), scene.rng.uniform(0.38, 0.46)
    scene.box(p, 0.06, (w, d, seat - 0.18), cloth)
    scene.box(p.at(0, -d / 2 + 0.11), 0.06, (w, 0.22, scene.rng.uniform(0.65, 0.85)), cloth)
    for x in (-w / 2 + 0.09, w / 2 - 0.09):
        scene.box(p.at(x, 0), 0.06, (0.18, d, 0.52), cloth)
    places = max(1, round((w - 0.4) / 0.7))
    each = (w - 0.38) / places
    for k in range(places):
        x = -w / 2 + 0.19 + each * (k + 0.5)
        scene.box(p.at(x, 0.1), seat - 0.12, (each - 0.015, d - 0.24, 0.13), cloth)
        if scene.rng.random() < 0.4:
            scene.box(p.at(x, -d / 2 + 0.3, scene.rng.normal(0, 0.3)), seat, (0.4, 0.14, 0.36),
                      scene.cloth())  # fmt: skip


def bed(scene: Scene, p: Place, w: float, d: float) -> None:
    frame, sheet = scene.wood(), scene.cloth()
    scene.box(p, 0.05, (w, d, 0.25), frame)
    scene.box(p, 0.30, (w - 0.06, d - 0.06, 0.22), sheet)
    scene.box(p.at(0, -d / 2 + 0.04), 0.05, (w, 0.08, scene.rng.uniform(0.7, 1.1)), frame)
    scene.box(p.at(0, 0.3), 0.52, (w - 0.02, d - 0.66, 0.05), scene.cloth())
    for x in (-w / 4, w / 4) if w > 1.2 else (0.0,):
        scene.box(p.at(x, -d / 2 + 0.32), 0.52, (0.55, 0.38, 0.13), scene.cloth())


def shelf(scene: Scene, p: Place, w: float, d: float) -> None:
    high, wood = scene.rng.uniform(1.0, 2.1), scene.wood_or_plain()
    for x in (-w / 2 + 0.015, w / 2 - 0.015):
        scene.box(p.at(x, 0), 0, (0.03, d, high), wood)
    scene.box(p.at(0, -d / 2 + 0.01), 0, (w, 0.02, high), wood)
    rows = round(high / 0.36)
    for k in range(rows + 1):
        z = min(k * high / rows, high - 0.025)
        scene.box(p, z, (w, d, 0.025), wood)
        x, end = -w / 2 + 0.05, w / 2 - 0.05 - scene.rng.uniform(0, 0.5 * w)
        while k < rows and x < end:
            # A row of books of equal size; the stripes of the pattern are their spines.
            run, thick = scene.rng.uniform(0.1, 0.35), scene.rng.uniform(0.02, 0.05)
            run = min(run, w / 2 - 0.05 - x)
            books = scene.paint(CELLS, scene.any_color(), (0.02, 0.02, 0.02), (thick, 9.0),
                                joint=0.08, variation=0.8, grain=0.15)  # fmt: skip
            size = (run, d * scene.rng.uniform(0.6, 0.9), scene.rng.uniform(0.16, 0.29))
            scene.box(p.at(x + run / 2, 0), z + 0.025, size, books)
            x += run + scene.rng.exponential(0.06)


def cabinet(scene: Scene, p: Place, w: float, d: float) -> None:
    """Builds a sideboard or kitchen counter, with or without wall cupboards."""
    high, columns = scene.rng.uniform(0.75, 0.92), max(1, round(w / 0.5))
    fronts = scene.fronts(w / columns, high / scene.rng.integers(1, 4))
    scene.box(p, 0, (w, d, high), fronts)
    scene.box(p, high, (w + 0.03, d + 0.03, 0.03), scene.wood_or_plain())
    clutter(scene, p, w, d, high + 0.03)
    if scene.rng.random() < 0.4:
        scene.box(p.at(0, -d / 2 + 0.17), 1.45, (w, 0.34, 0.65), scene.fronts(w / columns, 0.65))


def wardrobe(scene: Scene, p: Place, w: float, d: float) -> None:
    high = scene.rng.uniform(1.7, 2.15)
    scene.box(p, 0, (w, d, high), scene.fronts(w / max(1, round(w / 0.5)), high))


def door(scene: Scene, p: Place, w: float, d: float) -> None:
    leaf = scene.fronts(w / 2, 0.68) if scene.rng.random() < 0.5 else scene.plain()
    back = p.at(0, -d / 2)
    scene.box(back, 0, (w + 0.14, 0.06, 2.1), scene.plain())
    scene.box(back, 0, (w, 0.10, 2.03), leaf)
    scene.add(BALL, back.at(w / 2 - 0.08, 0.08), 0.98, (0.06, 0.06, 0.06), scene.plain())


def stub(scene: Scene, p: Place, w: float, d: float) -> None:
    """Builds a piece of wall that reaches into the room, or a chimney breast."""
    scene.box(p, 0, (w, d, 3.2), scene.wall_paint())


def plant(scene: Scene, p: Place, w: float, d: float) -> None:
    pot, high = w * 0.55, scene.rng.uniform(0.25, 0.4)
    scene.add(CYLINDER, p, 0, (pot, pot, high), scene.plain())
    first = scene.color((0.25, 0.4), (0.4, 0.8), (0.2, 0.5))
    leaves = scene.paint(CHECKS, first, tuple(0.4 * c for c in first), (0.05, 0.08), grain=0.6)
    for _ in range(scene.rng.integers(3, 7)):
        side = w * scene.rng.uniform(0.4, 0.7)
        x, y = scene.rng.uniform(-0.25, 0.25, 2) * w
        scene.add(BALL, p.at(float(x), float(y)), high + scene.rng.uniform(-0.05, 0.6),
                  (side, side, side * 1.2), leaves)  # fmt: skip


def lamp(scene: Scene, p: Place, w: float, d: float) -> None:
    metal, high = scene.plain(), scene.rng.uniform(1.3, 1.7)
    scene.add(CYLINDER, p, 0, (w * 0.8, d * 0.8, 0.03), metal)
    scene.add(CYLINDER, p, 0.03, (0.03, 0.03, high), metal)
    shape = CYLINDER if scene.rng.random() < 0.6 else BALL
    scene.add(shape, p, high, (w, d, 0.3), scene.glow(0.7))
    scene.lights.append((np.array([p.x, p.y, high + 0.15]), 0.5))


def waste_bin(scene: Scene, p: Place, w: float, d: float) -> None:
    scene.add(CYLINDER, p, 0, (w, d, scene.rng.uniform(0.3, 0.6)), scene.cloth())


def crates(scene: Scene, p: Place, w: float, d: float) -> None:
    z = 0.0
    for _ in range(scene.rng.integers(1, 4)):
        shrink, high = scene.rng.uniform(0.6, 1.0), scene.rng.uniform(0.15, 0.4)
        turned = p.at(0, 0, scene.rng.normal(0, 0.3))
        scene.box(turned, z, (w * shrink, d * shrink, high), scene.cloth())
        z += high


def ball(scene: Scene, p: Place, w: float, d: float) -> None:
    scene.add(BALL, p, 0, (w, w, w), scene.cloth())


def clutter(scene: Scene, p: Place, w: float, d: float, z: float) -> None:
    """Puts small things on a surface at height z."""
    for _ in range(scene.rng.poisson(2.5 * w)):
        x, y = scene.rng.uniform(-0.42, 0.42, 2) * (w, d)
        spot = p.at(float(x), float(y), scene.rng.uniform(0, 3))
        wide, high = scene.rng.uniform(0.06, 0.22), scene.rng.uniform(0.04, 0.28)
        shape = scene.rng.choice((BOX, BOX, CYLINDER, BALL))
        size = (wide, wide, wide) if shape == BALL else (wide, wide * 0.7, high)
        size = (wide / 2, wide / 2, high) if shape == CYLINDER else size
        scene.add(int(shape), spot, z, size, scene.cloth())


def _add_board(
    scene: Scene, p: Place, w: float, d: float, high: float, top: int, legs: int
) -> None:
    scene.box(p, high - 0.035, (w, d, 0.035), top)
    for x in (-w / 2 + 0.05, w / 2 - 0.05):
        for y in (-d / 2 + 0.05, d / 2 - 0.05):
            scene.box(p.at(x, y), 0, (0.055, 0.055, high - 0.035), legs)


def _add_chair(scene: Scene, p: Place, w: float, d: float, cloth: int, legs: int) -> None:
    _add_board(scene, p, w, d, 0.46, cloth, legs)
    scene.box(p.at(0, -d / 2 + 0.02), 0.46, (w, 0.04, scene.rng.uniform(0.35, 0.55)), cloth)


class Kind(NamedTuple):
    """Describes a kind of furniture: its builder, and the ranges of its footprint in metres."""

    build: Callable[[Scene, Place, float, float], None]
    width: tuple[float, float]
    depth: tuple[float, float]
    low: bool = False  # leaves room for a window or a picture above it


AT_WALLS = (
    Kind(sofa, (1.4, 2.3), (0.8, 0.95), True),
    Kind(bed, (0.95, 1.8), (1.95, 2.1), True),
    Kind(shelf, (0.6, 1.4), (0.25, 0.4)),
    Kind(shelf, (0.6, 1.4), (0.25, 0.4)),
    Kind(cabinet, (0.8, 2.4), (0.4, 0.62)),
    Kind(cabinet, (0.8, 2.4), (0.4, 0.62)),
    Kind(wardrobe, (0.8, 1.6), (0.45, 0.65)),
    Kind(desk, (1.1, 1.6), (1.4, 1.55), True),
    Kind(table, (0.9, 1.5), (0.5, 0.8), True),
    Kind(door, (0.75, 0.95), (0.12, 0.12)),
    Kind(door, (0.75, 0.95), (0.12, 0.12)),
    Kind(stub, (0.2, 0.6), (0.2, 1.2)),
    Kind(plant, (0.4, 0.7), (0.4, 0.7)),
    Kind(lamp, (0.3, 0.45), (0.3, 0.45)),
    Kind(crates, (0.3, 0.6), (0.3, 0.5)),
)
IN_THE_MIDDLE = (
    Kind(dining, (1.2, 2.0), (1.5, 1.8)),
    Kind(table, (0.6, 1.5), (0.5, 0.9)),
    Kind(chair, (0.4, 0.5), (0.4, 0.5)),
    Kind(chair, (0.4, 0.5), (0.4, 0.5)),
    Kind(sofa, (0.85, 1.8), (0.8, 0.95)),
    Kind(waste_bin, (0.25, 0.4), (0.25, 0.4)),
    Kind(crates, (0.3, 0.6), (0.3, 0.5)),
    Kind(ball, (0.2, 0.6), (0.2, 0.6)),
    Kind(plant, (0.4, 0.7), (0.4, 0.7)),
    Kind(stub, (0.3, 0.6), (0.3, 0.6)),
)


# The room ----------------------------------------------------------------------------------------


def draw_room(rng: Rng) -> Scene:
    """Draws a room, its camera and its furniture; every depth is between 0.5 and 10 m."""
    scene = Scene(rng)
    w, d = np.exp(rng.uniform(math.log(2.3), math.log(9.5), 2))
    w, d = np.array([w, d]) * min(1.0, MAX_DIAGONAL / math.hypot(w, d))
    h = rng.uniform(2.3, 3.0)
    wall, feature = scene.wall_paint(), scene.wall_paint()
    walls = [feature if rng.random() < 0.25 else wall for _ in range(4)]
    white = scene.color((0, 1), (0, 0.08), (0.7, 0.95))
    panels = (0.6, 0.6) if rng.random() < 0.3 else (50.0, 50.0)
    gray = tuple(0.8 * c for c in white)
    ceiling = scene.paint(CELLS, white, gray, panels, joint=0.02, grain=0.05)
    faces = (*walls, scene.floor_paint(), ceiling)
    scene.add(BOX, Place(w / 2, d / 2), 0.0, (w, d, h), faces)
    _place_camera(scene, w, d)
    for x in np.arange(0.5, 1 + (w > 5)) / (1 + (w > 5)) * w:
        spot = Place(float(x), d / 2)
        scene.add(CYLINDER, spot, h - 0.1, (0.4, 0.4, 0.1), scene.glow(1.2))
        scene.lights.append((np.array([x, d / 2, h - 0.25]), rng.uniform(0.6, 1.2)))
    _furnish(scene, w, d, h)
    return scene


def _place_camera(scene: Scene, w: float, d: float) -> None:
    rng = scene.rng
    margin = CLEARANCE + 0.12  # things that hang on the walls are up to 0.12 m thick
    x, y = (margin + rng.random() * (side - 2 * margin) for side in (w, d))
    scene.camera = np.array([x, y, rng.uniform(1.0, 1.7)])
    # Take the first direction that looks far enough not to face a bare wall.
    yaws = rng.uniform(-math.pi, math.pi, 16)
    c, s = np.cos(yaws), np.sin(yaws)
    free = np.minimum(
        np.where(c > 0, w - x, x) / np.abs(c).clip(1e-6), np.where(s > 0, d - y, y) / np.abs(s)
    )
    wanted = min(rng.uniform(1.3, 8.0), 0.9 * free.max())
    scene.yaw = yaws[np.argmax(free >= wanted)]
    scene.pitch = math.radians(float(np.clip(rng.normal(-12, 8), -30, 6)))
    scene.roll = math.radians(float(np.clip(rng.normal(0, 2), -6, 6)))


def _furnish(scene: Scene, w: float, d: float, h: float) -> None:
    rng = scene.rng
    # Each wall: its left end (seen with the back to the wall), its length and its yaw.
    sides = ((0, 0, w, 0), (w, d, w, math.pi), (0, d, d, -math.pi / 2), (w, 0, d, math.pi / 2))
    for x, y, length, yaw in sides:
        end, along = Place(x, y, yaw), rng.exponential(0.3)
        while along < length - 0.5:
            kind = AT_WALLS[rng.integers(len(AT_WALLS))]
            wide, deep = rng.uniform(*kind.width), rng.uniform(*kind.depth)
            if rng.random() < 0.8 and along + wide < length:
                place = end.at(along + wide / 2, deep / 2 + 0.015)
                if not _place_piece(scene, kind, place, wide, deep) or kind.low:
                    _hang_on_wall(scene, end.at(along + wide / 2, 0), wide, h)
            along += wide + rng.exponential(0.25)
    for _ in range(rng.poisson(0.5 * w * d) + 2):
        kind = IN_THE_MIDDLE[rng.integers(len(IN_THE_MIDDLE))]
        place = Place(rng.uniform(0, w), rng.uniform(0, d), rng.uniform(-math.pi, math.pi))
        _place_piece(scene, kind, place, rng.uniform(*kind.width), rng.uniform(*kind.depth), (w, d))
    if rng.random() < 0.4:
        size = (rng.uniform(0.3, 0.7) * w, rng.uniform(0.3, 0.7) * d, 0.012)
        scene.box(Place(w / 2, d / 2, rng.normal(0, 0.1)), 0.0, size, scene.cloth())


def _place_piece(scene: Scene, kind: Kind, p: Place, w: float, d: float, room=None) -> bool:
    """Builds `kind` at `p`, unless it would hit another piece, the camera or a wall of `room`.

    Returns whether it was built.
    """
    c, s = abs(math.cos(p.yaw)), abs(math.sin(p.yaw))
    x, y = (w * c + d * s) / 2, (w * s + d * c) / 2
    bounds = (p.x - x, p.x + x, p.y - y, p.y + y)
    if room and (min(bounds[0], bounds[2]) < 0 or bounds[1] > room[0] or bounds[3] > room[1]):
        return False
    near = scene.camera[:2].clip((bounds[0], bounds[2]), (bounds[1], bounds[3]))
    if np.hypot(*(scene.camera[:2] - near)) < CLEARANCE + 0.05:
        return False
    for x0, x1, y0, y1 in scene.footprints:
        if bounds[0] < x1 and x0 < bounds[1] and bounds[2] < y1 and y0 < bounds[3]:
            return False
    scene.footprints.append(bounds)
    kind.build(scene, p, w, d)
    return True


def _hang_on_wall(scene: Scene, p: Place, wide: float, h: float) -> None:
    """Hangs a window, a picture or nothing on the wall at `p`."""
    rng, kind = scene.rng, scene.rng.random()
    if kind < 0.35 and wide > 0.8:
        size = (wide * 0.8, 0.05, rng.uniform(0.8, 1.2))
        sill, tint = 0.95, (0.85, 0.95, 1.0)
        scene.box(p, sill, size, scene.plain())
        pane = scene.paint(CELLS, tint, (0.3, 0.3, 0.3), (size[0] / 2, size[2]),
                           joint=0.05, grain=0.08, glow=rng.uniform(0.5, 1.5))  # fmt: skip
        scene.box(p, sill + 0.05, (size[0] - 0.1, 0.06, size[2] - 0.1), pane)
        inside = p.at(0, 0.4)
        scene.lights.append((np.array([inside.x, inside.y, sill + 0.6]), rng.uniform(0.5, 1.5)))
        if rng.random() < 0.5:
            folds = scene.color((0, 1), (0.1, 0.6), (0.4, 0.9))
            curtain = scene.paint(STRIPES, folds, tuple(0.6 * c for c in folds), (0.06, 1))
            for x in (-size[0] / 2, size[0] / 2):
                scene.box(p.at(x, 0.06), 0.3, (0.3, 0.08, h - 0.5), curtain)
    elif kind < 0.75:
        w, d, z = *rng.uniform(0.25, 0.8, 2), rng.uniform(1.2, 1.5)
        scene.box(p, z, (w, 0.05, d), scene.plain())
        canvas = scene.paint(rng.integers(3), scene.any_color(), scene.any_color(),
                             tuple(rng.uniform(0.05, 0.3, 2)), 0.3, 0.1, 0.5, 0.5)  # fmt: skip
        scene.box(p, z + 0.03, (w - 0.06, 0.06, d - 0.06), canvas)
