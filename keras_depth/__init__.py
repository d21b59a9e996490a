"""Monocular depth estimation in Keras: five papers, from a row of a table to a robot."""
