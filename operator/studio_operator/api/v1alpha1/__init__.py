"""Version v1alpha1 of the custom resources `Assistant` and `Studio`.

pydantic models are the one source: the CRDs and the API reference are generated from them, and the same checks run
inside the reconcile. Defaults live here and not in the CRDs, so that what a user applied stays as it was written.
"""
