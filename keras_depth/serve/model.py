"""An exported network as a KServe model, and the models of a server."""

import asyncio
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kserve
import numpy as np
from kserve.errors import InvalidInput, ModelNotFound
from kserve.model import InferenceVerb
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from keras_depth.errors import InputError, unknown_name
from keras_depth.geometry import Intrinsics
from keras_depth.predict.camera import Ratio
from keras_depth.predict.estimator import DepthEstimator
from keras_depth.predict.loading import load_exported
from keras_depth.serve.requests import Request, Spec
from keras_depth.serve.v2 import DATATYPES

MAX_AT_WORK = 3  # requests: one is decoded, one computed, one written
MAX_WAITING = 64  # requests with their bodies in memory; more are sent away

Decode = Callable[[Spec], Request]


class Busy(RuntimeError):
    """Raised where too many requests wait already."""

    def __init__(self):
        super().__init__(f"{MAX_WAITING} requests are waiting already; try again in a moment")


class DepthModel(kserve.Model):
    """A network that answers requests of every protocol.

    It is called with a function that decodes the request (`Decode`), and returns what that
    request's `encode` makes of the depth. Both run in threads beside the event loop. So does the
    network, one call at a time, because one call uses all cores.

    Args:
        name: the name that clients use.
        folder: an exported network, or its versions.
        fit: how pictures are brought to its size; None: as the network says.
        intrinsics: of the camera of all pictures, in their pixels; None: not known.
        fov: instead, its horizontal field of view, degrees.

    Raises:
        InputError: it cannot be loaded.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        fit: str | None = None,
        intrinsics: Intrinsics | None = None,
        fov: float | None = None,
    ):
        super().__init__(name)
        exported = load_exported(folder)
        self._details = exported.details
        self.version = exported.version
        self._estimator = DepthEstimator(exported, fit=fit)
        self._camera: dict[str, Any] = {}
        if intrinsics or fov:
            self._camera = {"intrinsics": intrinsics, "fov": fov}
        self._ratio: Ratio | None = None  # of the first picture, once it was printed
        if self._camera and self._estimator.focal_length is None:
            warnings.warn(self._estimator.describe_unknown_camera(), stacklevel=2)
            self._camera = {}
        self.spec = Spec(*exported.input_size, exported.dtype)
        self._estimator(np.zeros(self.spec.shape, np.uint8))  # the first call is slow
        self._at_work = asyncio.Semaphore(MAX_AT_WORK)
        self._waiting = 0
        self._computer = ThreadPoolExecutor(1)
        self.ready = True

    async def __call__(
        self,
        body: Decode,
        headers: dict[str, str] | None = None,
        verb: InferenceVerb = InferenceVerb.PREDICT,
    ):
        if self._waiting >= MAX_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._at_work:
                return await super().__call__(body, headers, verb)
        finally:
            self._waiting -= 1

    async def preprocess(self, payload: Decode, headers: Any = None) -> Request:
        try:
            return await asyncio.to_thread(self._decode, payload)
        except InputError as error:
            raise InvalidInput(str(error)) from error

    async def predict(self, payload: Request, headers: Any = None, response_headers: Any = None):
        loop = asyncio.get_running_loop()
        return payload, await loop.run_in_executor(self._computer, self._compute, payload)

    async def postprocess(self, result, headers: Any = None, response_headers: Any = None):
        request, depths = result
        try:
            return await asyncio.to_thread(request.encode, depths)
        except InputError as error:
            raise InvalidInput(str(error)) from error

    def get_input_types(self) -> list[dict[str, Any]]:
        return [self._describe("input", DATATYPES[self.spec.dtype])]

    def get_output_types(self) -> list[dict[str, Any]]:
        return [self._describe("output", "FP32")]

    def _describe(self, side: str, datatype: str) -> dict[str, Any]:
        # Clients may send any number of images, even to a network of a fixed batch, with the
        # channels last, even to one that has them first.
        sides = self._details[side]["shape"][1:]
        shape = self.spec.shape if side == "input" else sides
        return {"name": self._details[side]["name"], "datatype": datatype, "shape": [-1, *shape]}

    def _decode(self, decode: Decode) -> Request:
        """Decodes a request.

        Raises:
            InputError: it is not valid, or its pictures are of a size that the server's intrinsics
                are not of.
        """
        request = decode(self.spec)
        if self._camera:
            pictures = request.images if request.tensor is None else request.tensor[:1]
            ratios = [
                self._estimator.camera_ratio(one.shape[:2], **self._camera) for one in pictures
            ]
            if self._ratio is None:
                self._ratio = ratios[0]
                print(f"{self.name}: {self._ratio}", flush=True)
        return request

    def _compute(self, request: Request) -> Sequence[np.ndarray]:
        """Returns depth for each image, float32 (h, w), metres."""
        if request.tensor is not None:
            return list(self._estimator(request.tensor, resize=False, **self._camera))
        full = request.options.size == "picture"
        return [self._estimator(one, resize=full, **self._camera) for one in request.images]


class Models(kserve.ModelRepository):
    """The models that the server was started with, by name."""

    def get_model(self, name: str) -> DepthModel:
        if name not in self.models:
            raise _not_found(name, str(unknown_name("model", name[:80], self.models)))
        return self.models[name]

    def get_version(self, name: str, version: str | None = None) -> DepthModel:
        """Returns a model where it is of that version; None, or "", is the one that is served."""
        model = self.get_model(name)
        if version and version != str(model.version):
            raise _not_found(
                name,
                f"{name} is served in version {model.version}, not in {version[:40]!r}; ask for"
                " that version, or for none",
            )
        return model


def _not_found(name: str, sentence: str) -> ModelNotFound:
    error = ModelNotFound(name)
    error.reason = sentence
    return error


class ReadOnlyRepository(ModelRepositoryExtension):
    """Refuses to load and unload models, which KServe would do for every client."""

    async def load(self, model_name: str) -> None:
        raise InvalidInput(
            "models are loaded when the server starts, and stay; start it again to change them"
        )

    unload = load
