"""The conversation store as people see it: queries, annotations, deletion, dead letters."""
