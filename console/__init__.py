"""What owners and other systems reach over HTTP: events of partner facts come in here."""
