"""A log of birds that were seen."""
