"""The verbs of `deixis data`: one file a verb, its help the docstring of its `run`."""

HELP = "Bring data in: read public sets, build region data, and look at samples, count them and check them."
