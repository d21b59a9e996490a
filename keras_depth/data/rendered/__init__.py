"""Rooms and drives that a program draws: frames with exact depth and no download."""
