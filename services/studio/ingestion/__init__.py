"""Event ingestion: from the topics of Kafka, and from what engines did not publish, into the conversation store."""
