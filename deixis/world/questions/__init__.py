"""Questions and answers about the signals of the world: one file per modality, and the wordings of all."""
