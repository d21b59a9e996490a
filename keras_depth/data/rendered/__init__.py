"""Rendered rooms and drives: frames with exact depth that a program draws, nothing downloaded."""

SPLITS = ("train", "test")  # a split's index is part of the random seed of its frames
