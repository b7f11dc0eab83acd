"""The report of a run: its numbers (`summary`), in a terminal and as an HTML page with drawn cases."""
