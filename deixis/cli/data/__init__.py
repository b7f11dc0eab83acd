"""The verbs of `deixis data`: one file per verb; its help is the docstring of its `run`."""

HELP = "Read public datasets, build region data, and show, count and check samples."
