"""The command line of a Studio: `studio`, and the same program as `kubectl studio`.

It speaks to the back end's HTTP API alone; `commands` has one module per resource, I/O is in `client`, `sse`,
`identity`, `tokens` and `config`, and what decides (`login`, `project`, `merging`) is pure.
"""
