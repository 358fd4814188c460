"""Isolation: what the machine offers to keep a submission apart, and kernels that run behind it.

`inside` runs on the kernel's side and imports nothing of the course but the edition; the rest is
the grader's.
"""

from __future__ import annotations

from course_utils.grading.sandbox.isolation_level import probe_isolation
from course_utils.grading.sandbox.sandbox import Sandbox

__all__ = ["Sandbox", "probe_isolation"]
