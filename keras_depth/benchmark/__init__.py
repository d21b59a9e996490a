"""Measures networks: time, memory, multiplications, and one runtime beside another."""
