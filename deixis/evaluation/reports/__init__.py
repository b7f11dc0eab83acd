"""Reports of a run: summary, terminal table, HTML page."""
