"""Samples to look at: cards, a contact sheet of them (PNG), and a page (HTML) of them by task.

Everything draws what a sample holds and nothing else, so that a wrong sample looks wrong. Where a file is missing or
broken, or a region cannot lie on it, the card says so and the next card is drawn.
"""
