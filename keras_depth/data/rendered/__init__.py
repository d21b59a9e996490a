"""Rendered rooms and drives: frames with exact depth that a program draws, nothing downloaded."""

SPLITS = ("train", "test")  # the place of a split in here is part of its frames' random seed
