"""Everything that is drawn: answers, samples, and one panel per modality."""
