"""What the API takes and gives: JSON in snake_case, times in RFC 3339 (UTC), sizes in bytes."""
