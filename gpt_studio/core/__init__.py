"""What a person wants and what happened: plain frozen values and arithmetic, standard library only."""
