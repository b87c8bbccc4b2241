"""What does the work: torch, and never Qt."""
