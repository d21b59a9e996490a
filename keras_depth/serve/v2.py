"""The Open Inference Protocol ("v2"), as JSON, as JSON with binary tensors, and as gRPC."""

import base64
import struct
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import numpy as np
import orjson

from keras_depth import depth_png
from keras_depth.errors import InputError
from keras_depth.serve import bodies, requests
from keras_depth.serve.requests import Options, Request, Spec

JSON_SIZE = "inference-header-content-length"  # the header that says where binary tensors begin
DATATYPES = {"uint8": "UINT8", "float32": "FP32"}
_CONTENTS = {"UINT8": "uint_contents", "FP32": "fp32_contents", "BYTES": "bytes_contents"}
_EXAMPLE = (
    '{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["..."]}]}, a JPEG or'
    " PNG file in base64"
)


@dataclass
class Tensor:
    """The input `image` of a request: its content in `data` or in `raw`."""

    datatype: str
    shape: list[int]
    data: Any = None  # numbers, or files: in JSON as base64
    raw: bytes | None = None


@dataclass
class Answer:
    """The parts of a request that its answer repeats or depends on.

    Attributes:
        model: the model's name.
        options: the request's parameters.
        id: the client's, or a new one.
        binary: write depth behind the JSON, not in it.
    """

    model: str
    options: Options
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    binary: bool = False


def decode(body: bytes, json_size: str | None, model: str, spec: Spec) -> Request:
    """Reads a REST request's body.

    Args:
        body: JSON, and behind it the tensors that have `binary_data_size`.
        json_size: the header JSON_SIZE: bytes of JSON; None: all of them.
        model: its name.
        spec: what the model takes.

    Returns:
        A request whose answer is (body, bytes of JSON in it or None for all).

    Raises:
        InputError: the request is not valid.
    """
    size = _read_size(json_size, len(body)) if json_size is not None else len(body)
    document = bodies.read_json(body[:size], _EXAMPLE)
    parameters = _parameters(document)
    binary = parameters.pop("binary_data_output", False)
    answer = Answer(model, requests.read_options(parameters))
    if document.get("id"):
        answer.id = str(document["id"])
    answer.binary = bool(_wants_binary(document.get("outputs") or [], binary))
    tensor = _read_tensor(_only_input(document.get("inputs")), body[size:])
    return _to_request(tensor, spec, answer, partial(_encode, answer=answer))


def decode_grpc(message: Any, spec: Spec) -> Request:
    """Reads a `ModelInferRequest`.

    Returns:
        A request whose answer is a `ModelInferResponse`, depth in `raw_output_contents`.

    Raises:
        InputError: the request is not valid.
    """
    parameters = {
        name: getattr(value, value.WhichOneof("parameter_choice") or "string_param")
        for name, value in message.parameters.items()
    }
    answer = Answer(message.model_name, requests.read_options(parameters))
    answer.id = message.id or answer.id
    _wants_binary([{"name": output.name} for output in message.outputs], False)
    given = _only_input([{"name": tensor.name, "message": tensor} for tensor in message.inputs])[
        "message"
    ]
    tensor = Tensor(given.datatype, list(given.shape))
    if message.raw_input_contents:
        tensor.raw = message.raw_input_contents[0]
    else:
        tensor.data = list(getattr(given.contents, _CONTENTS.get(given.datatype, "int_contents")))
    return _to_request(tensor, spec, answer, partial(_encode_grpc, answer=answer))


def _parameters(part: dict[str, Any]) -> dict[str, Any]:
    """Returns the parameters of a request, an input or an output."""
    parameters = part.get("parameters")
    if not isinstance(parameters, dict | None):
        raise InputError('parameters: give an object, for example {"format": "png16"}')
    return parameters or {}


def _read_size(text: Any, most: int) -> int:
    """Reads a number of bytes that the client gave, between 0 and `most`."""
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number <= most:
        raise InputError(f"{str(text)[:40]!r} bytes: give a whole number, here at most {most}")
    return number


def _wants_binary(outputs: Any, binary: Any) -> Any:
    """Returns whether depth is wanted in binary; refuses outputs that the model does not have."""
    for output in outputs if isinstance(outputs, list) else [None]:
        if not isinstance(output, dict) or output.get("name") != "depth":
            raise InputError('outputs: the model has one, {"name": "depth"}; or leave it out')
        binary = _parameters(output).get("binary_data", binary)
    return binary


def _only_input(inputs: Any) -> dict[str, Any]:
    """Returns the input `image`; refuses any other."""
    if (
        not isinstance(inputs, list)
        or len(inputs) != 1
        or not isinstance(inputs[0], dict)
        or inputs[0].get("name") != "image"
    ):
        raise InputError(f'inputs: give one, named "image"; for example {_EXAMPLE}')
    return inputs[0]


def _read_tensor(given: dict[str, Any], rest: bytes) -> Tensor:
    tensor = Tensor(str(given.get("datatype")), given.get("shape") or [], given.get("data"))
    if not isinstance(tensor.shape, list) or not all(type(side) is int for side in tensor.shape):
        raise InputError('image: "shape" is a list of whole numbers')
    if tensor.data is None:
        size = _parameters(given).get("binary_data_size")
        if size is None:
            raise InputError('image: has neither "data" nor the parameter "binary_data_size"')
        tensor.raw = rest[: _read_size(size, len(rest))]
    elif not isinstance(tensor.data, list):
        raise InputError('image: "data" is a list')
    elif tensor.datatype == "BYTES":
        named = [(text, f"image[{index}]") for index, text in enumerate(tensor.data)]
        tensor.data = [bodies.decode_base64(text, name) for text, name in named]
    return tensor


def _to_request(tensor: Tensor, spec: Spec, answer: Answer, encode: Any) -> Request:
    accepted = DATATYPES[spec.dtype]
    if tensor.datatype == "BYTES":
        files = list(_split_files(tensor.raw)) if tensor.raw is not None else tensor.data
        if prod(tensor.shape) != len(files):
            raise InputError(f"image: {len(files)} files, but shape {tensor.shape}")
        names = [f"image[{index}]" for index in range(len(files))]
        pictures = requests.decode_images(files, names)
        requests.check_stackable(pictures, answer.options)
        return Request(answer.options, encode, images=pictures)
    if tensor.datatype != accepted:
        raise InputError(
            f"image: datatype {tensor.datatype[:40]!r}; the model takes {accepted}, {spec}, or"
            " BYTES of JPEG or PNG files"
        )
    # The shape comes first: numbers are read only if the model takes their shape.
    requests.check_list(tensor.shape, "image", spec)
    if len(tensor.shape) != 4 or tuple(tensor.shape[1:]) != spec.shape:
        raise InputError(f"image: shape {tensor.shape[:8]}; the model takes [N, ...] of {spec}")
    if tensor.raw is not None:
        item = np.dtype(spec.dtype).itemsize
        numbers = np.frombuffer(tensor.raw, spec.dtype, len(tensor.raw) // item)
    else:
        numbers = requests.to_array(tensor.data, "image", spec)
    if numbers.size != prod(tensor.shape) or tensor.shape[0] < 0:
        raise InputError(
            f"image: {numbers.size} numbers, but shape {tensor.shape} has {prod(tensor.shape)}"
        )
    numbers = requests.check_numbers(numbers.reshape(tensor.shape), "image", spec)
    return Request(answer.options, encode, tensor=numbers)


def _split_files(raw: bytes) -> Iterator[bytes]:
    """Yields the files of a BYTES tensor: each follows its length in 4 bytes, little-endian."""
    offset = 0
    while offset < len(raw):
        if len(raw) - offset < 4:
            raise InputError("image: a length of 4 bytes before each file; some are missing")
        (size,) = struct.unpack_from("<I", raw, offset)
        offset += 4
        if size > len(raw) - offset:
            raise InputError(
                f"image: a file of {size} bytes, of which {len(raw) - offset} came; before each"
                " file stands its length, in 4 bytes, little-endian"
            )
        yield raw[offset : offset + size]
        offset += size


def _output(depths: Sequence[np.ndarray], options: Options) -> tuple[str, list[int], Any]:
    """Returns the output's datatype, shape and content: float32, or a list of PNG files.

    Raises:
        InputError: maps of several sizes: those of letterboxed pictures of several shapes.
    """
    if options.format == "png16":
        return "BYTES", [len(depths)], [depth_png.encode(depth) for depth in depths]
    if len({depth.shape for depth in depths}) > 1:
        raise requests.several_sizes()
    tensor = np.stack(depths)[..., None].astype(np.float32)
    return "FP32", list(tensor.shape), tensor


def _to_raw(content: Any) -> bytes:
    if isinstance(content, np.ndarray):
        return content.tobytes()
    return b"".join(struct.pack("<I", len(file)) + file for file in content)


def _encode(depths: Sequence[np.ndarray], answer: Answer) -> tuple[bytes, int | None]:
    datatype, shape, content = _output(depths, answer.options)
    output: dict[str, Any] = {"name": "depth", "datatype": datatype, "shape": shape}
    raw = b""
    if answer.binary:
        raw = _to_raw(content)
        output["parameters"] = {"binary_data_size": len(raw)}
    elif datatype == "BYTES":
        output["data"] = [base64.b64encode(file).decode() for file in content]
    else:
        output["data"] = content.reshape(-1)
    document = {
        "model_name": answer.model,
        "id": answer.id,
        "parameters": {"units": answer.options.units},
        "outputs": [output],
    }
    body = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return body + raw, len(body) if answer.binary else None


def _encode_grpc(depths: Sequence[np.ndarray], answer: Answer) -> Any:
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

    datatype, shape, content = _output(depths, answer.options)
    return pb.ModelInferResponse(
        model_name=answer.model,
        id=answer.id,
        parameters={"units": pb.InferParameter(string_param=answer.options.units)},
        outputs=[{"name": "depth", "datatype": datatype, "shape": shape}],
        raw_output_contents=[_to_raw(content)],
    )
