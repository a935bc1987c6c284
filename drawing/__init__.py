"""Draws what people would rather look at than read, for pages, letters, records and the terminal."""
