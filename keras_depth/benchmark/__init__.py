"""Measures models: time, memory and MACs, and compares runtimes."""
