"""The vocabulary every other room speaks: frozen pydantic models and pure rules about them, no I/O, no Temporal."""
