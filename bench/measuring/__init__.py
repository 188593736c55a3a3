"""What the benchmarks share: goals, results, figures computed from Kubernetes objects, and the scenarios."""
