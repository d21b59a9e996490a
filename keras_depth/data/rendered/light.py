"""Lights the surfaces of a scene, indoors or by daylight, and exposes the image."""

from typing import NamedTuple

import cv2
import numpy as np

from keras_depth.data.rendered.rays import Solids, View, candidates, intersect, window_pixels
from keras_depth.data.rendered.scene import FLOOR, Scene
from keras_depth.data.rendered.surfaces import Surface, smooth_noise


def indoor_light(scene: Scene, view: View, surface: Surface) -> np.ndarray:
    """Returns the light that reaches each pixel's surface in a room: float32 (H, W)."""
    point, normal = surface.point, surface.normal
    # Ambient light: more from above, less near the room's edges and corners.
    light = 0.28 + 0.1 * normal[2]
    room = scene.solids[0]
    for axis in range(3):
        for gap in (point[axis], np.float32(2 * room.half[axis]) - point[axis]):
            light *= 1 - 0.22 * np.exp(-np.abs(gap) / np.float32(0.25))
    shadow = _lamp_shadow(scene, surface)
    for number, (position, strength) in enumerate(scene.lights):
        x, y, z = position.astype(np.float32)[:, None, None] - point
        square = x * x + y * y + z * z
        incidence = (x * normal[0] + y * normal[1] + z * normal[2]) / np.sqrt(square)
        lit = np.float32(strength) * np.maximum(incidence, 0) / (0.5 + 0.35 * square)
        light += lit * shadow if number == 0 else lit
    _darken_floor(scene, view, surface, light)
    return light


def _lamp_shadow(scene: Scene, surface: Surface) -> np.ndarray:
    """Returns the share of the first lamp's light at each pixel, 0 to 1 (at half resolution)."""
    point = surface.point[:, ::2, ::2] + 0.02 * surface.normal[:, ::2, ::2]
    position = scene.lights[0][0].astype(np.float32)
    rays = position[:, None, None] - point
    length = np.sqrt((rays**2).sum(0))
    lit = np.ones(length.shape, np.float32)
    big = sorted(scene.solids[1:], key=lambda s: -max(s.half[0] * s.half[1], s.half[0] * s.half[2],
                                                      s.half[1] * s.half[2]))  # fmt: skip
    for solid in big[:18]:
        near, far = intersect(solid, point, rays)
        inside = np.clip(np.minimum(far, 0.97) - np.maximum(near, 0), 0, 1) * length
        # A ray that only grazes the solid is half lit, because a lamp is not a point.
        lit *= 1 - np.clip(inside / 0.12, 0, 1)
    height, width = surface.facing.shape
    return 0.15 + 0.85 * cv2.resize(cv2.blur(lit, (3, 3)), (width, height))


def _darken_floor(scene: Scene, view: View, surface: Surface, light: np.ndarray) -> None:
    """Darkens the floor around and under the furniture, in place."""
    floor = np.flatnonzero((view.solid == 0) & (surface.face == FLOOR))
    x, y = surface.point[0].ravel()[floor], surface.point[1].ravel()[floor]
    shade = np.ones_like(x)
    for x0, x1, y0, y1 in scene.footprints:
        away = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(y0 - y, y - y1))
        shade *= 1 - 0.45 * np.exp(-np.maximum(away.astype(np.float32), 0) / np.float32(0.15))
    light.ravel()[floor] *= shade


# Daylight ----------------------------------------------------------------------------------------


def daylight(scene: Scene, view: View, surface: Surface) -> np.ndarray:
    """Returns the light outdoors, and the brightness of the sky: float32 (H, W)."""
    sun = scene.sun.astype(np.float32)
    light = 0.4 + 0.2 * surface.normal[2]
    incidence = np.tensordot(sun, surface.normal, 1)
    light += np.maximum(incidence, 0) * _sunshine(scene, view, surface)
    _darken_ground(scene, view, surface, light)
    _draw_sky(view, surface, light)
    return light


def _sunshine(scene: Scene, view: View, surface: Surface) -> np.ndarray:
    """Returns the share of sunlight at each pixel, 0 to 1 (at half resolution)."""
    point = surface.point[:, ::2, ::2] + 0.02 * surface.normal[:, ::2, ::2]
    sun = (scene.sun / np.linalg.norm(scene.sun)).astype(np.float32)
    # Shadows of low or thin solids are not worth their time.
    solids = Solids(
        [s for s in scene.solids[1:] if s.half[2] > 0.2 and s.center[2] + s.half[2] > 0.8]
    )
    # A shadow lies within the hull of the solid and of its corners' shadows on the ground.
    top = solids.corners(view.origin)
    ground = top - (top[..., 2:] + view.origin[2]) / sun[2] * sun
    windows = view.windows(np.concatenate([top, ground], 1))
    shade = np.zeros(point[0].shape, np.float32)
    for _, at, near, far in candidates(solids, (windows + 1) // 2, point, sun):
        # A ray that only grazes the solid is half lit, because the sun is not a point.
        inside = np.clip((far - np.maximum(near, 0)) / np.float32(0.15), 0, 1)
        np.add.at(shade.ravel(), at, inside)
    height, width = surface.facing.shape
    return cv2.resize(cv2.blur(1 - np.minimum(shade, 1), (3, 3)), (width, height))


def _darken_ground(scene: Scene, view: View, surface: Surface, light: np.ndarray) -> None:
    """Darkens the ground around and under the things that stand on it, in place."""
    bounds = np.array(scene.footprints, np.float32)
    x0, x1, y0, y1 = (bounds + np.array([-0.6, 0.6, -0.6, 0.6], np.float32)).T
    points = [(x, y, z * np.ones_like(x)) for x in (x0, x1) for y in (y0, y1) for z in (0, 0.2)]
    windows = view.windows(np.array(points).transpose(2, 0, 1) - view.origin)
    number, row, column = window_pixels(windows)
    x, y, z = surface.point[:, row, column]
    x0, x1, y0, y1 = bounds.T[:, number]
    away = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(y0 - y, y - y1))
    shade = 0.6 * np.exp(-np.maximum(away, 0) / np.float32(0.2)) * (z < 0.2)
    np.multiply.at(light, (row, column), 1 - shade)


def _draw_sky(view: View, surface: Surface, light: np.ndarray) -> None:
    """Sets the sky's light, in place: brightest at the horizon, with clouds."""
    sky = (view.solid == 0) & (surface.face != FLOOR)
    if not sky.any():
        return
    rows = slice(0, np.flatnonzero(sky.any(1))[-1] + 1)
    # A function of the direction alone: the sky has no disparity between the two cameras.
    x, y, z = view.rays[:, rows] / np.sqrt((view.rays[:, rows] ** 2).sum(0))
    high = np.abs(z)
    spread = 2 / (high + np.float32(0.12))
    clouds = smooth_noise(x * spread, y * spread)
    brightness = 1 + 0.5 * np.exp(-high / np.float32(0.2)) + 0.12 * clouds
    np.copyto(light[rows], brightness, where=sky[rows])


# Exposure ----------------------------------------------------------------------------------------


class Exposure(NamedTuple):
    """Camera settings of an image; both images of a stereo pair share them."""

    tint: np.ndarray  # float32 (3,), RGB
    gain: np.float32
    blur: float  # pixels


def auto_exposure(surface: Surface, light, rng: np.random.Generator) -> Exposure:
    """Draws a tint, a blur, and a gain that suits the image's median brightness."""
    tint = (1 + np.array([0.08, 0.0, -0.12]) * rng.uniform(-0.5, 1.5)).astype(np.float32)
    middle = np.median(_radiance(surface, light, tint)[::2, ::2])
    gain = np.float32(rng.uniform(0.16, 0.3) / np.clip(middle, 0.02, None))
    return Exposure(tint, gain, rng.uniform(0.35, 0.6))


def _radiance(surface: Surface, light, tint) -> np.ndarray:
    return (surface.color * (light + surface.glow)).transpose(1, 2, 0) * tint


def tone_map(
    surface: Surface, light, exposure: Exposure, noise_rng: np.random.Generator | None = None
) -> np.ndarray:
    """Exposes the image, blurs it slightly and applies gamma.

    Args:
        surface, light: what the camera sees, and the light on it.
        exposure: see `auto_exposure`.
        noise_rng: adds a sensor's noise, drawn from here.

    Returns:
        RGB float32 (H, W, 3) in [0, 1].
    """
    linear: np.ndarray = _radiance(surface, light, exposure.tint) * exposure.gain
    # Highlights are compressed, as film and sensors do.
    linear = linear * (1 + linear / 4) / (1 + linear)
    linear = cv2.GaussianBlur(linear, (3, 3), exposure.blur)
    if noise_rng is not None:
        deviation = np.sqrt(np.float32(2e-5) + np.float32(4e-4) * linear)
        linear = linear + deviation * noise_rng.normal(size=linear.shape).astype(np.float32)
    return np.clip(linear, 0, 1) ** np.float32(1 / 2.2)
