"""Grading: submissions are collected, executed apart from everything, judged, and reported."""

from course_utils.grading.work import Attempt, Isolation, Limits, Piece, Work

__all__ = ["Attempt", "Isolation", "Limits", "Piece", "Work"]
