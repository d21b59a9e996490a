"""Architectures as tests need them: smallest sizes, outlines, and entries that a test makes up."""

import contextlib
from collections.abc import Iterator

import keras

from keras_depth.models import Architecture, get


@contextlib.contextmanager
def outlines() -> Iterator[None]:
    """Networks built within have counts and shapes, but no values, which take most of the time."""
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.utils.clear_session()  # which holds variables that wait for their values


def smallest_side(name, at_least=64):
    """Returns the shortest side of an image, of `at_least` pixels, that a network takes."""
    multiple, smallest = get(name).sides()
    return -(-max(at_least, smallest) // multiple) * multiple


def make_architecture(name, build, **changes):
    """Returns the entry of a network that a test made up; its recipe is one of jetson_fcnn."""
    fields = {
        "paper": "jetson_fcnn",
        "citation": "none",
        "description": "for tests",
        "recipe": "rooms",
        "parameters": (0, 0),
    }
    return Architecture(name=name, build=build, **{**fields, **changes})
