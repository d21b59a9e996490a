"""How a network writes depth: metres go in, the network's target comes out, and back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_depth.errors import unknown_name


@dataclass(frozen=True)
class Encoding:
    """A pair of functions between metres and what a network is trained to output.

    Attributes:
        name: what recipes and architectures call it.
        encode: depth (B, h, w, 1) in metres -> target. Its value at depth 0, not measured, is
            finite and means nothing: the mask goes along beside it.
        decode: output (B, h, w, 1) -> depth in metres.
        description: one line for people.
    """

    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    description: str


def _unchanged(x):
    return x


_ENCODINGS = {
    encoding.name: encoding
    for encoding in [
        Encoding("metric", _unchanged, _unchanged, "the output is depth in metres"),
    ]
}


def names() -> list[str]:
    """Returns the names that `get` knows."""
    return list(_ENCODINGS)


def get(name: str) -> Encoding:
    """Returns the encoding `name`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _ENCODINGS:
        raise unknown_name("encoding", name, _ENCODINGS)
    return _ENCODINGS[name]
