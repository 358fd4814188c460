"""Figures that answer at once, in the reader's browser and without a kernel."""
