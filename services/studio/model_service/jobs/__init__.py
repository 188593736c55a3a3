"""Pure builders of the Jobs of trainings and runs."""
