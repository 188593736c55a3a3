"""Projected service-account tokens: reading one's own, verifying others' without asking the API server each time."""
