"""The custom resources: their models, their checks, and the files generated from them."""
