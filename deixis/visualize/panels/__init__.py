"""One drawing per modality, with regions overlaid."""
