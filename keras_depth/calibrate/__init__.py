"""Calibrates a trained network: metres for a camera, from a tape measure or a few RGB-D frames."""
