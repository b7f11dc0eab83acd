"""The region-data engine: annotations become questions and answers about regions."""
