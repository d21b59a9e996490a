"""Draws a street: the road, the things along both sides of it, and the sun.

The road runs along x, its middle at y = 0, its surface at z = 0; traffic keeps to the right, which
is at negative y. Things along the road are placed by their distance along it and from its middle,
in the frame of their side: y away from the road, z up.
"""

import math
from typing import NamedTuple

import numpy as np

from keras_depth.data.rendered.scene import (
    BALL,
    BOX,
    CELLS,
    CYLINDER,
    GABLE,
    PANES,
    STRIPES,
    Color,
    Place,
    Rng,
    Scene,
)

HORIZON = 600.0  # metres to the edge of the ground, where the sky begins
SIGHT = 90.0  # metres; the street goes on this far beyond the camera's last place
DETAIL = 45.0  # metres; farther away, small parts would not be seen
KERB = 0.12  # metres; height of the pavement


class Street(Scene):
    """A scene along x.

    Args:
        rng: source of all random choices.
        length: distance that the camera will travel, in metres.
    """

    def __init__(self, rng: Rng, length: float):
        super().__init__(rng)
        self.length, self.end = length, length + SIGHT

    def shows_detail(self, p: Place) -> bool:
        """Returns whether the camera ever sees small parts of things at `p`."""
        return p.x < self.length + DETAIL


class Side(NamedTuple):
    """Describes one side of the street: sign 1 is the left one, -1 the right one."""

    street: Street
    sign: int

    def at(self, x: float, away: float) -> Place:
        """Returns the place x along the road and `away` from its middle; +y points off the road."""
        return Place(x, self.sign * away, 0.0 if self.sign > 0 else math.pi)


# Materials ---------------------------------------------------------------------------------------


def _darken(color: Color, factor: float) -> Color:
    red, green, blue = color
    return factor * red, factor * green, factor * blue


def _asphalt(street: Street) -> tuple[Color, float]:
    return street.color((0.05, 0.65), (0.0, 0.08), (0.35, 0.55)), street.rng.uniform(0.15, 0.3)


def _leaves(street: Street) -> int:
    first = street.color((0.19, 0.33), (0.3, 0.65), (0.25, 0.55))
    return street.paint(CELLS, first, _darken(first, 0.3), (0.2, 0.2), 0.4, 0.0, 0.5, 0.9)


def _render_coat(street: Street) -> Color:
    return street.color((0.02, 0.16), (0.05, 0.45), (0.5, 0.95))


def _bricks(street: Street) -> int:
    first, second = street.color((0.01, 0.08), (0.3, 0.65), (0.3, 0.65)), _render_coat(street)
    return street.paint(CELLS, first, second, (0.5, 0.16), 0.5, 0.15, 0.3, 0.25)


def _slabs(street: Street) -> int:
    first = street.color((0.05, 0.2), (0.0, 0.15), (0.45, 0.75))
    side = street.rng.uniform(0.3, 0.8)
    return street.paint(CELLS, first, _darken(first, 0.4), (side, side), 0.5, 0.06, 0.15, 0.25)


def _metal(street: Street) -> int:
    gray = street.color((0.3, 0.6), (0.0, 0.2), (0.2, 0.7))
    return street.paint(CELLS, gray, gray, (0.8, 0.8), variation=0.1, grain=0.1)


def _car_paint(street: Street) -> Color:
    # Most cars are white, gray or black.
    vivid = 0.85 if street.rng.random() < 0.35 else 0.12
    return street.color((0, 1), (0.0, vivid), (0.12, 0.95))


def _flat(street: Street, color: Color, grain: float = 0.08) -> int:
    return street.paint(CELLS, color, color, grain=grain)


# Things along the road ---------------------------------------------------------------------------


def car(street: Street, p: Place) -> None:
    """Builds a car, an estate car or a van; x is forward in its own frame."""
    rng, color = street.rng, _car_paint(street)
    van = rng.random() < 0.12
    length, width = rng.uniform(3.7, 4.8) + 0.8 * van, rng.uniform(1.65, 1.85) + 0.15 * van
    waist, high = rng.uniform(0.85, 0.95) + 0.2 * van, rng.uniform(1.42, 1.55) + 0.6 * van
    body, black = _flat(street, color), _flat(street, (0.02, 0.02, 0.02), 0.2)
    street.box(p, 0.22, (length, width, waist - 0.22), body)
    street.box(p, 0.2, (length + 0.08, width + 0.03, 0.25), black)
    # The cabin: a roof over windows on all sides.
    glass = street.color((0.5, 0.65), (0.1, 0.3), (0.08, 0.3))
    cabin = length * (rng.uniform(0.52, 0.68) + 0.2 * van)
    panes = street.paint(PANES, glass, color, (cabin / 2 - 0.04, 1.0), 0.0, 0.1, 0.5, 0.1)
    front = street.paint(PANES, glass, color, (width - 0.2, 1.0), 0.0, 0.07, 0.3, 0.1)
    seat = p.at(-length * rng.uniform(0.02, 0.12) * (not van) - 0.03, 0)
    faces = (front, front, panes, panes, body, body)
    street.add(BOX, seat, waist, (cabin, width - 0.12, high - waist - 0.06), faces)
    street.box(seat, high - 0.06, (cabin - 0.15, width - 0.22, 0.06), body)
    _add_footprint(street, p, length, width)
    if not street.shows_detail(p):
        return
    for x in (-0.31 * length, 0.31 * length):
        for y in (-width / 2 + 0.04, width / 2 - 0.04):
            street.add(BALL, p.at(x, y), 0.0, (0.62, 0.2, 0.62), black)
    red, white = _flat(street, (0.5, 0.02, 0.02)), _flat(street, (0.8, 0.8, 0.75))
    for y in (-width / 2 + 0.2, width / 2 - 0.2):
        street.box(p.at(-length / 2, y), waist - 0.25, (0.06, 0.3, 0.16), red)
        street.box(p.at(length / 2, y), waist - 0.3, (0.06, 0.3, 0.14), white)
    street.box(p, 0.5, (length + 0.04, 0.5, 0.11), white)


def tree(street: Street, p: Place, size: float = 1.0) -> None:
    rng, trunk = street.rng, street.rng.uniform(1.8, 3.2) * size
    bark = street.color((0.05, 0.12), (0.2, 0.5), (0.2, 0.45))
    wood = street.paint(CELLS, bark, _darken(bark, 0.4), (0.08, 0.5), 0.4, 0.2, 0.3, 0.5)
    thick = rng.uniform(0.18, 0.4) * size
    street.add(CYLINDER, p, 0, (thick, thick, trunk + 0.8), wood)
    leaves, wide = _leaves(street), rng.uniform(2.0, 4.0) * size
    street.add(BALL, p, trunk - 0.3, (wide, wide, wide * rng.uniform(0.9, 1.5)), leaves)
    for _ in range(rng.integers(1, 4) if street.shows_detail(p) else 0):
        x, y, z = rng.uniform(-0.4, 0.4, 3) * wide
        part = wide * rng.uniform(0.5, 0.8)
        street.add(BALL, p.at(x, y), trunk + 0.25 * wide + z, (part, part, part), leaves)
    _add_footprint(street, p, thick, thick)


def bush(street: Street, p: Place) -> None:
    wide = street.rng.uniform(0.8, 1.8)
    street.add(BALL, p, -0.2 * wide, (wide, wide, wide * 1.1), _leaves(street))
    _add_footprint(street, p, 0.6 * wide, 0.6 * wide)


def lamp_post(street: Street, p: Place) -> None:
    metal, high = _metal(street), street.rng.uniform(4.5, 8.0)
    street.add(CYLINDER, p, 0, (0.16, 0.16, high), metal)
    street.box(p.at(0, -0.8), high - 0.05, (0.08, 1.7, 0.08), metal)
    street.box(p.at(0, -1.6), high - 0.12, (0.25, 0.7, 0.14), metal)
    _add_footprint(street, p, 0.2, 0.2)


def traffic_sign(street: Street, p: Place) -> None:
    rng, high = street.rng, street.rng.uniform(2.0, 2.5)
    street.add(CYLINDER, p, 0, (0.08, 0.08, high + 0.7), _metal(street))
    face = street.color((0, 1) if rng.random() < 0.3 else (-0.02, 0.02), (0.75, 1), (0.5, 0.8))
    paint = street.paint(CELLS, (0.85, 0.85, 0.85), face, (0.35, 0.35), 0.0, 0.3, 0.1)
    shape = BALL if rng.random() < 0.5 else BOX
    street.add(shape, p.at(0, 0), high, (0.1, 0.65, 0.65), paint)
    _add_footprint(street, p, 0.1, 0.1)


def litter_bin(street: Street, p: Place) -> None:
    """Builds one to three wheeled bins."""
    for k in range(street.rng.integers(1, 4)):
        color = street.color((0, 0.6), (0.1, 0.8), (0.15, 0.6))
        spot = p.at(0.7 * k, 0)
        street.box(spot, KERB, (0.55, 0.6, 0.9), _flat(street, color, 0.15))
        street.box(spot, KERB + 0.9, (0.6, 0.66, 0.1), _flat(street, _darken(color, 0.6)))
        _add_footprint(street, spot, 0.55, 0.6)


def cabinet(street: Street, p: Place) -> None:
    high = street.rng.uniform(0.9, 1.5)
    street.box(p, 0, (street.rng.uniform(0.6, 1.2), 0.4, high), _metal(street))
    _add_footprint(street, p, 0.9, 0.4)


def person(street: Street, p: Place) -> None:
    if not street.shows_detail(p):
        return
    size = street.rng.uniform(0.9, 1.08)
    coat, skin = street.cloth(), street.color((0.04, 0.09), (0.3, 0.6), (0.4, 0.9))
    street.box(p, 0, (0.3, 0.28, 0.9 * size), street.plain())
    street.add(CYLINDER, p, 0.8 * size, (0.34, 0.48, 0.68 * size), coat)
    street.add(BALL, p, 1.45 * size, (0.23, 0.23, 0.28), _flat(street, skin))
    _add_footprint(street, p, 0.35, 0.4)


def bollards(street: Street, p: Place) -> None:
    paint = _metal(street)
    for k in range(street.rng.integers(2, 5)):
        street.add(CYLINDER, p.at(1.6 * k, 0), 0, (0.14, 0.14, 1.0), paint)


def house(street: Street, p: Place, width: float, depth: float) -> None:
    """Builds a house of one to five floors, its front towards -y; `p` is the front's middle."""
    rng, each = street.rng, street.rng.uniform(2.7, 3.3)
    floors = int(rng.choice((1, 1, 2, 2, 2, 3, 3, 4, 5)))
    bays = max(2, round(width / rng.uniform(1.7, 3.2)))
    joint, high = rng.uniform(0.42, 0.65), floors * each + rng.uniform(0.2, 0.8)
    wall, glass = _render_coat(street), street.color((0.5, 0.7), (0.05, 0.4), (0.1, 0.35))
    # The wall beside the last window is as wide as the one beside the first.
    bay = width / (bays + joint * min(1.0, each * bays / width))
    front = street.paint(PANES, glass, wall, (bay, each), 0.0, joint, 0.8, 0.2)
    side = _bricks(street) if rng.random() < 0.4 else _flat(street, wall, 0.25)
    middle = p.at(0, depth / 2)
    street.add(BOX, middle, 0, (width, depth, high), (side, side, front, front, side, side))
    dark = street.color((0.0, 0.1), (0.1, 0.5), (0.2, 0.5))
    tiles = street.paint(CELLS, dark, _darken(dark, 0.5), (0.3, 0.35), 0.5, 0.12, 0.3, 0.3)
    if rng.random() < 0.75:
        roof = (side, side, tiles, tiles, tiles, tiles)
        street.add(GABLE, middle, high, (width + 0.1, depth + 0.9, rng.uniform(2.0, 4.5)), roof)
    else:
        street.box(middle, high, (width + 0.3, depth + 0.5, 0.25), tiles)
    _add_footprint(street, middle, width, depth)
    if not street.shows_detail(p):
        return
    if rng.random() < 0.5:
        street.box(p.at(rng.uniform(-0.3, 0.3) * width, depth / 2), high, (0.6, 0.6, 4.5), side)
    if rng.random() < 0.4:  # a shop on the ground floor
        shop = street.paint(
            PANES, glass, _render_coat(street), (width / 3 - 0.1, 2.4), 0.0, 0.15, 0.6
        )
        street.box(p, 0, (width - 0.1, 0.24, 3.0), shop)
    else:
        street.box(p, 0, (width + 0.02, 0.12, rng.uniform(0.4, 1.0)), _bricks(street))
        street.box(p.at(rng.uniform(-0.3, 0.3) * width, 0), 0, (1.1, 0.2, 2.3), street.wood())
    if floors > 1 and rng.random() < 0.4:
        x, deep = rng.uniform(-0.25, 0.25) * width, rng.uniform(0.5, 1.3)
        for floor in range(1, floors):
            rail = street.paint(STRIPES, wall, _darken(wall, 0.3), (0.08, 1.0), grain=0.1)
            street.box(p.at(x, 0), floor * each, (2.6, 2 * deep, 1.0), rail)


def fence(street: Street, p: Place, width: float) -> None:
    """Builds a hedge, a wall or a fence along the pavement."""
    kind, high = street.rng.random(), street.rng.uniform(0.7, 1.7)
    if kind < 0.45:
        street.box(p, 0, (width, 0.7, high), _leaves(street))
    elif kind < 0.75:
        street.box(p, 0, (width, 0.24, high), _bricks(street))
    else:
        wood = street.color((0.04, 0.12), (0.1, 0.6), (0.2, 0.9))
        slats = street.paint(CELLS, wood, _darken(wood, 0.15), (0.14, 3.0), 0.0, 0.3, 0.3, 0.2)
        street.box(p, 0, (width, 0.06, high), slats)
    _add_footprint(street, p, width, 0.24)


def _add_footprint(street: Street, p: Place, w: float, d: float) -> None:
    c, s = abs(math.cos(p.yaw)), abs(math.sin(p.yaw))
    x, y = (w * c + d * s) / 2, (w * s + d * c) / 2
    street.footprints.append((p.x - x, p.x + x, p.y - y, p.y + y))


# The street --------------------------------------------------------------------------------------


def draw_street(rng: Rng, length: float) -> Street:
    """Draws a street and puts the camera at its start, over the middle of the right lane.

    Args:
        rng: source of all random choices.
        length: distance that the camera will travel, in metres; its lane is free so far.
    """
    street = Street(rng, length)
    street.grains = ((0.07, 0.6), (0.35, 0.5), (3.0, 0.5))
    high, round_ = math.radians(rng.uniform(20, 60)), rng.uniform(-math.pi, math.pi)
    towards = np.array([math.cos(round_), math.sin(round_), math.tan(high)])
    street.sun = towards / np.linalg.norm(towards) * rng.uniform(0.2, 2.2)
    sky = _flat(street, street.color((0.55, 0.62), (0.05, 0.45), (0.9, 1.0)), 0.0)
    asphalt, grain = _asphalt(street)
    road = _flat(street, asphalt, grain)
    size = (2 * HORIZON, 2 * HORIZON, HORIZON)
    street.add(BOX, Place(0, 0), 0.0, size, (sky, sky, sky, sky, road, sky))
    lane = rng.uniform(3.0, 3.6)
    street.camera = np.array([0.0, -lane / 2, 1.65])
    _add_markings(street, asphalt, grain, lane)
    for sign in (1, -1):
        _add_side(Side(street, sign), lane)
    _add_traffic(street, lane)
    return street


def _add_markings(street: Street, asphalt: Color, grain: float, lane: float) -> None:
    rng, white = street.rng, (0.75, 0.75, 0.72)
    dash = rng.uniform(2.0, 4.0)
    dashes = street.paint(STRIPES, white, asphalt, (dash, dash), grain=grain)
    line = _flat(street, white, 0.25)
    run, middle = street.end + 20, street.end / 2 - 10
    if rng.random() < 0.8:
        street.box(Place(middle, 0), 0, (run, 0.13, 0.005), dashes)
    for sign in (-1, 1):
        if rng.random() < 0.4:
            street.box(Place(middle, sign * (lane - 0.15)), 0, (run, 0.12, 0.005), line)
    if rng.random() < 0.4:
        bars = street.paint(CELLS, white, asphalt, (50.0, 1.0), joint=0.5, grain=grain)
        street.box(Place(rng.uniform(12, street.end), 0), 0, (4.0, 2 * lane, 0.006), bars)
    for _ in range(rng.integers(4, 10)):  # patches of new asphalt, and manholes
        spot = Place(rng.uniform(3, street.end), rng.uniform(-0.8, 0.8) * lane)
        tone = _flat(street, _darken(asphalt, rng.uniform(0.5, 1.3)), 0.35)
        long, wide = rng.uniform(1, 8), rng.uniform(0.5, 2.2)
        street.box(spot, 0, (long, wide, 0.003), tone)
        street.add(CYLINDER, spot.at(long, 0), 0, (0.6, 0.6, 0.007), _metal(street))


def _add_side(side: Side, lane: float) -> None:
    """Adds blocks of houses behind a pavement, with side streets between them."""
    street, rng = side.street, side.street.rng
    kerb = lane + (2.2 if rng.random() < 0.6 else 0.0)
    pavement, setback = rng.uniform(1.6, 3.5), rng.uniform(0.0, 6.0)
    slabs, stone = _slabs(street), _flat(street, street.color((0, 1), (0, 0.1), (0.5, 0.75)))
    lawn = street.color((0.18, 0.3), (0.3, 0.6), (0.3, 0.6))
    ground = street.paint(CELLS, lawn, lawn, (0.7, 0.7), 0.4, 0.0, 0.15, 0.6)
    x = rng.uniform(-25, -5)
    while x < street.end:
        block = min(rng.uniform(25, 75), street.end + 10 - x)
        middle = x + block / 2
        street.box(side.at(middle, kerb + 0.08), 0, (block, 0.16, KERB), stone)
        street.box(side.at(middle, kerb + 0.16 + pavement / 2), 0, (block, pavement, KERB), slabs)
        plot = kerb + 0.16 + pavement
        street.box(side.at(middle, plot + 30), 0, (block, 60, KERB + 0.02), ground)
        _add_houses(side, x, x + block, plot, setback)
        _line_the_kerb(side, max(x + 2, 0), x + block - 2, kerb, pavement)
        if kerb > lane:
            _park_cars(side, max(x + 3, 0), x + block - 3, lane + 1.1)
        x += block + rng.uniform(6, 10)
    # Close the view between the houses and at the end of the street.
    back = street.paint(
        PANES, (0.05, 0.06, 0.08), _render_coat(street), (3.0, 3.0), 0.0, 0.5, 0.5, 0.3
    )
    for _ in range(4):
        spot = side.at(rng.uniform(0, street.end), plot + rng.uniform(26, 40))
        paint = back if rng.random() < 0.5 else _leaves(street)
        street.box(spot, 0, (rng.uniform(15, 40), 10, rng.uniform(4, 14)), paint)
    if rng.random() < 0.7:
        spot = side.at(street.end + rng.uniform(5, 60), rng.uniform(0, 12))
        paint = back if rng.random() < 0.5 else _leaves(street)
        street.box(spot, 0, (10, rng.uniform(12, 40), rng.uniform(5, 14)), paint)


def _add_houses(side: Side, start: float, end: float, plot: float, setback: float) -> None:
    street, rng, x = side.street, side.street.rng, start + 0.5
    terrace = rng.random() < 0.4
    while x < end - 6:
        width, depth = min(rng.uniform(7, 17), end - 0.5 - x), rng.uniform(8, 12)
        front = plot + max(0.3, setback + (0.1 if terrace else 1.0) * rng.normal())
        if rng.random() < 0.88:
            house(street, side.at(x + width / 2, front), width, depth)
        else:  # a garden
            for _ in range(rng.integers(1, 4)):
                spot = side.at(x + rng.uniform(0, width), plot + rng.uniform(2, 7))
                tree(street, spot, rng.uniform(0.8, 1.6))
        if front - plot > 1.5:
            if rng.random() < 0.75:
                gate = 1.2 * (rng.random() < 0.6)
                fence(street, side.at(x + width / 2, plot + 0.35), width - gate)
            if rng.random() < 0.5:
                bush(street, side.at(x + rng.uniform(1, width - 1), plot + 1.2))
        gap = 0.0 if terrace else rng.uniform(0.5, 5)
        if gap > 2 and rng.random() < 0.6:
            fence(street, side.at(x + width + gap / 2, front + rng.uniform(0, 3)), gap)
        x += width + gap


def _line_the_kerb(side: Side, start: float, end: float, kerb: float, pavement: float) -> None:
    street, rng = side.street, side.street.rng
    lined, x = rng.random() < 0.5, start + rng.uniform(0, 3)
    pieces = (traffic_sign, traffic_sign, litter_bin, cabinet, person, bollards)
    turn = 0
    while x < end:
        spot = side.at(x, kerb + 0.5)
        if turn % 3 == 0:
            lamp_post(street, spot)
        elif lined and rng.random() < 0.8:
            tree(street, spot, 0.9)
        else:
            pieces[rng.integers(len(pieces))](street, spot)
        if rng.random() < 0.25:
            person(street, side.at(x + 2.5, kerb + 0.3 + pavement * rng.uniform(0.4, 0.9)))
        x, turn = x + rng.uniform(5, 10), turn + 1


def _park_cars(side: Side, start: float, end: float, away: float) -> None:
    rng, x = side.street.rng, start + side.street.rng.uniform(0, 6)
    share = rng.uniform(0.3, 0.95)
    while x < end - 2.5:
        if rng.random() < share:
            p = side.at(x, away + rng.normal(0, 0.06))
            p = p._replace(yaw=p.yaw + math.pi + rng.normal(0, 0.02))
            car(side.street, p)
        x += rng.uniform(5.6, 7.0)


def _add_traffic(street: Street, lane: float) -> None:
    rng, x = street.rng, street.length + 8 + street.rng.exponential(15)
    if x < street.end and rng.random() < 0.7:
        car(street, Place(x, -lane / 2 + rng.normal(0, 0.1)))
    x = rng.uniform(5, 30)
    while x < street.end:
        if rng.random() < 0.6:
            car(street, Place(x, lane / 2 + rng.normal(0, 0.1), math.pi))
        x += rng.uniform(12, 45)
