"""References of array platforms, and the arrays that raw files show."""
