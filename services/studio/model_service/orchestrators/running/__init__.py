"""The running orchestrator: which model of an assistant should run, and where its Service sends."""
