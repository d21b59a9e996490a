"""Encoders of the papers' networks, and their published weights."""
