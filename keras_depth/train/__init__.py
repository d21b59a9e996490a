"""Trains recipes."""
