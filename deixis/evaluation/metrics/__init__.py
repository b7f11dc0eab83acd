"""Metrics as pure functions of predictions and ground truth, and their bootstrap confidence intervals."""
