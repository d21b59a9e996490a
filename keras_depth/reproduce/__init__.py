"""A paper's tables beside this code's own: plan -> rows, one after the other -> report."""
