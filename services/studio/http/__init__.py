"""What every HTTP server of ours has in common: problems, request ids, limits, metrics, health, streams, the server."""
