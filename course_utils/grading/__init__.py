"""Grading: submissions are collected, executed apart from everything, judged, and reported."""
