"""Rendered rooms, drives and walks: a program draws frames with exact depth, nothing is downloaded."""

SPLITS = ("train", "test")  # a split's index is part of the random seed of its frames
