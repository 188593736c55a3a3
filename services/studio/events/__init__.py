"""The event broker as the services see it: the login, topics and rights. Records are read in `studio.ingestion`."""
