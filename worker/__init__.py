"""One process that runs rollouts: settings, connection, telemetry, registration, shutdown."""
