"""The operator's I/O: the API server and the orchestrators, behind the ports of the reconcile."""
