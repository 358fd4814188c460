"""Grading: submissions are collected, executed apart from everything, judged, and reported."""

from course_utils.grading.grades import JudgedSubmission
from course_utils.grading.records import CodeCell, Isolation, Limits, RunnableNotebook

__all__ = ["CodeCell", "Isolation", "JudgedSubmission", "Limits", "RunnableNotebook"]
