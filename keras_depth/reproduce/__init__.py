"""Compares a paper's tables with results of this code: plan, then each row, then the report."""
