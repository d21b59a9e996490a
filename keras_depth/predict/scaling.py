"""A network for the pictures of one known camera."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from keras_depth.geometry import Intrinsics, center
from keras_depth.predict.estimator import DepthEstimator


def for_camera(
    estimator: DepthEstimator, intrinsics: Intrinsics | None, **settings: Any
) -> Callable[[Any], np.ndarray]:
    """Returns a function from a picture to its depth, in metres that are right for its camera.

    Metres are scaled where both the camera and the network's are known, and a line is printed that
    says by how much.

    Args:
        estimator: the network.
        intrinsics: of the pictures; None: not known.
        settings: arguments of each call of the estimator.
    """
    if intrinsics is not None and estimator.focal_length is None:
        warnings.warn(estimator.describe_unknown_camera(), stacklevel=2)
    if intrinsics is None or estimator.focal_length is None:
        return lambda image: estimator(image, **settings)
    said = False

    def estimate(image: Any) -> np.ndarray:
        nonlocal said
        camera = center(intrinsics, image.shape[:2])
        if not said:
            tqdm.write(str(estimator.camera_ratio(image.shape[:2], camera)))
            said = True
        return estimator(image, intrinsics=camera, **settings)

    return estimate
