"""Parsers that several readers share: JSON streams, safe pickle and XML, tables, masks, boxes in text."""
