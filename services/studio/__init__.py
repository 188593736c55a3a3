"""The workloads of a Studio, and what the operator shares with them (`contract`, `kube`)."""
