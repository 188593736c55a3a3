"""What a Studio and an Assistant are made of: one module per component, each with `objects(context)`.

Everything here is pure: from a context to manifests, which are plain dicts without anything the API server fills in.
"""
