"""The simulation of consensus as a command: `scripts/simulate`."""
