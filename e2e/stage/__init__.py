"""Puts the product on a cluster as a user would: the operator, then an example assistant, then a conversation."""
