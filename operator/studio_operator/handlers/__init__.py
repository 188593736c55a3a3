"""All there is of kopf: it lists and watches, and hands every event to the intake. It never writes."""
