"""How every file is opened, read and written: regular files only, within limits, whole or not at all.

Knows no format and no modality. `regular`: what may be opened. `budget`: how much memory decoding may take.
"""
