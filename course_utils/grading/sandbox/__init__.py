"""The sandbox: how strictly this machine can isolate submissions, and kernels that run so isolated.

The modules in `inside` run on the kernel's side and import only the redacted course; the others are the
grader's.
"""

from __future__ import annotations

from course_utils.grading.sandbox.isolation_level import probe_isolation
from course_utils.grading.sandbox.sandbox import Sandbox

__all__ = ["Sandbox", "probe_isolation"]
