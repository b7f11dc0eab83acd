"""Masks out: the pointing head, SAM and SAM 2 as mask decoders, and masks on the cells of a field."""
