"""The region-data engine: annotations become questions and answers of many kinds, each part a file."""
