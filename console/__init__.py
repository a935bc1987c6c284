"""What owners and other systems reach over HTTP: events of partner facts come in here."""

LOOPBACK = "127.0.0.1:8320"
"""Where it listens unless told otherwise."""
