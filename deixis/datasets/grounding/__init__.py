"""Readers of referring and grounding sets: expressions, phrases and regions in dialogues."""
