"""TensorFlow Serving's REST protocol: {"instances": [...]} in, {"predictions": [...]} out."""

import base64
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson

from keras_depth import depth_png
from keras_depth.errors import InputError, unknown_name
from keras_depth.serve import bodies, requests
from keras_depth.serve.requests import Options, Request, Spec

_EXAMPLE = '{"instances": [{"b64": "..."}]}, a JPEG or PNG file in base64'
_ANSWERS = {"instances": "predictions", "inputs": "outputs"}  # row by row, and by columns


def decode(body: bytes, spec: Spec) -> Request:
    """Reads a request's body.

    Args:
        body: JSON. The rows of "instances", or the column "inputs", are nested lists (H, W, 3), or
            {"b64": "..."} of a JPEG or PNG; either may be the value of {"image": ...}.
        spec: what the model takes.

    Raises:
        InputError: the request is not valid.
    """
    document = bodies.read_json(body, _EXAMPLE)
    for key in document:
        if key not in (*_ANSWERS, "parameters", "signature_name"):
            raise unknown_name("key", key[:40], (*_ANSWERS, "parameters"))
    requests.check_signature(document.get("signature_name"))
    form = [key for key in _ANSWERS if key in document]
    if len(form) != 1:
        raise InputError(f'give one of "instances" and "inputs"; for example {_EXAMPLE}')
    options = requests.read_options(document.get("parameters", {}))
    encode = partial(_encode, key=_ANSWERS[form[0]], options=options)
    return _to_request(_read_rows(document[form[0]], form[0]), form[0], spec, options, encode)


def decode_file(body: bytes, parameters: Any, as_file: bool, spec: Spec) -> Request:
    """Reads a request whose body is a picture.

    Args:
        body: a JPEG, PNG, PPM, BMP, WEBP or TIFF file.
        parameters: as in JSON, {"size": "network"}.
        as_file: answer with a 16-bit PNG file of millimetres alone, not with JSON.
        spec: what the model takes.

    Raises:
        InputError: the request is not valid.
    """
    options = requests.read_options(parameters)
    encode: Any = partial(_encode, key="predictions", options=options)
    if as_file:
        encode = _encode_file
    return Request(options, encode, images=requests.decode_images([body], ["the body"]))


def _read_rows(values: Any, key: str) -> list[Any]:
    """Returns the instances of either form, each a nested list or {"b64": ...}."""
    if key == "inputs":
        values = _unwrap(values, key)
    if not isinstance(values, list):
        raise InputError(f"{key}: give a list of pictures; for example {_EXAMPLE}")
    if key == "instances":
        values = [_unwrap(value, f"instances[{index}]") for index, value in enumerate(values)]
    return values


def _unwrap(value: Any, name: str) -> Any:
    """Returns the value of the input "image". It is the only input, so its name may be left out."""
    if not isinstance(value, dict) or "b64" in value:
        return value
    if list(value) != ["image"]:
        raise InputError(f'{name}: give the input "image", and no other')
    return value["image"]


def _to_request(rows: list[Any], key: str, spec: Spec, options: Options, encode: Any) -> Request:
    encoded = [isinstance(row, dict) for row in rows]
    if rows and not any(encoded):
        tensor = requests.check_numbers(requests.to_array(rows, key, spec), key, spec)
        return Request(options, encode, tensor=tensor)
    if not all(encoded):
        raise InputError(f"{key}: numbers beside files; send them in two requests")
    requests.check_count(len(rows))
    names = [f"{key}[{index}]" for index in range(len(rows))]
    files = []
    for row, name in zip(rows, names, strict=True):
        if list(row) != ["b64"]:
            raise InputError(f'{name}: give {{"b64": "..."}} alone')
        files.append(bodies.decode_base64(row["b64"], name))
    return Request(options, encode, images=requests.decode_images(files, names))


def _encode(depths: Sequence[np.ndarray], key: str, options: Options) -> bytes:
    """Encodes the answer: for each image nested lists (h, w, 1), or {"b64": PNG}."""
    if options.format == "png16":
        files = [base64.b64encode(depth_png.encode(depth)).decode() for depth in depths]
        answers: list[Any] = [{"b64": file} for file in files]
    else:
        answers = [np.ascontiguousarray(depth[..., None], np.float32) for depth in depths]
    return orjson.dumps(
        {key: answers, "parameters": {"format": options.format, "units": options.units}},
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _encode_file(depths: Sequence[np.ndarray]) -> bytes:
    return depth_png.encode(depths[0])
