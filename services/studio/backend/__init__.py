"""The back end: the API of the web client and of the command line, /api/v1, and of the operator, /internal/v1."""
