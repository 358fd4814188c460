"""Grading: submissions are collected, executed apart from everything, judged, and reported."""

from course_utils.grading.records import CodeCell, Isolation, JudgedSubmission, Limits, RunnableNotebook

__all__ = ["CodeCell", "Isolation", "JudgedSubmission", "Limits", "RunnableNotebook"]
