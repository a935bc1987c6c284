"""Writes decision records: one document, in Markdown and as a page of HTML that needs nothing else and prints well."""
