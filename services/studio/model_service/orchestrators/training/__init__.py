"""The training orchestrator: which trainings exist, in which order, and what they made."""
