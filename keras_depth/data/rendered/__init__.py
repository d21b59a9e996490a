"""Rooms, drives and walks that a program draws, with exact depth; nothing is downloaded."""

SPLITS = ("train", "test")  # a split's index is part of the random seed of its frames
