"""What the operator and the workloads agree on: labels, names, and the messages of the model service.

Pure: pydantic and the standard library only, so that every image can carry it.
"""
