"""Content of assistants that is edited here: rules, archives, drafts, publications, and the starter."""
