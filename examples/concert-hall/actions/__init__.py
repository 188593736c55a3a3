"""The custom actions of the concert hall, served by rasa-sdk on port 5055."""
