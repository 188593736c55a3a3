"""One module per resource; each command asks the API and prints."""
