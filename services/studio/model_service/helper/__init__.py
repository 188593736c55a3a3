"""What runs beside the engine in the Jobs: it fetches, verifies, stores and reports, so that the engine need not."""
