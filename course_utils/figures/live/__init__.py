"""Figures that respond at once, in the browser and without a kernel."""
