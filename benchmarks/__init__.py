"""Speed and memory, measured: one command each."""
