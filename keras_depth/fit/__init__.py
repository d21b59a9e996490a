"""Predicts the time and memory of a network on a board, from counts and published peaks."""
