"""One worker process: settings, connection, telemetry, registration and shutdown."""
