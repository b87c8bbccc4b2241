"""What shows and asks: Qt, and never torch."""
