"""What keeps passes coming: stores, work queue, slow pass, leadership, health. Knows nothing of what a pass does."""
