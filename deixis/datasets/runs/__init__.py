"""Runs over data sets of any size: cut into units, done by processes or a cluster, gone on with after a stop."""
