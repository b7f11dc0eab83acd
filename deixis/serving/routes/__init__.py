"""The paths of the API, a file per group."""
