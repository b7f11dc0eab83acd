"""How every file is opened, read and written: regular files only, within limits, whole or not at all.

Knows no modality and no field. `regular`: what may be opened. `budget`: how much memory decoding may take. `json_text`,
`yaml_text`: values of strangers. `whole`: writing. `locks`: one process at a time. `full_disk`: where there is no room.
`state`: what a run stored for itself. `own`: what may be replaced.
"""
