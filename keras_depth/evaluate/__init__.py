"""Scores networks, and depth maps of other programs, under a named protocol."""
