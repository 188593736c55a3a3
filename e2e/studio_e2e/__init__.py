"""What the end-to-end suite and the benchmarks need of a real cluster: spaces, assistants, chat, faults, diagnosis."""
