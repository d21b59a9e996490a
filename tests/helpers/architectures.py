"""Architectures as tests need them: their smallest sizes, and entries that a test makes up."""

from keras_depth.models import Architecture, get


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
