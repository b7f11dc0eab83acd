"""Metrics as pure functions of predictions and truth, and their bootstrap intervals."""
