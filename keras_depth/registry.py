"""A table of named things that answers an unknown name with the nearest one."""

from typing import TypeVar

from keras_depth.errors import InputError, unknown_name

T = TypeVar("T")


class Registry(dict[str, T]):
    """Names and what they stand for, in the order in which they were added.

    `registry[name]` raises InputError for an unknown name and says which is nearest.

    Args:
        kind: what a message calls an entry, such as "loss".
    """

    def __init__(self, kind: str, entries: dict[str, T] | None = None):
        super().__init__(entries or {})
        self.kind = kind

    def __getitem__(self, name: str) -> T:
        if not isinstance(name, str):  # a list has no hash, and a dict refuses it with a TypeError
            raise unknown_name(self.kind, name, self)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> T:
        raise unknown_name(self.kind, name, self)

    def add(self, name: str, entry: T) -> T:
        """Adds an entry, and returns it.

        Raises:
            InputError: the name is taken.
        """
        if name in self:
            raise InputError(f"{self.kind} {name!r} is registered already; choose another name")
        self[name] = entry
        return entry
