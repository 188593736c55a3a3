"""Object storage: the port that the services use, and its S3 implementation."""
