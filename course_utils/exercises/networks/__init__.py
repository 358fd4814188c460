"""How networks are judged: by what they do, never by what their layers are called."""

from __future__ import annotations

from course_utils.exercises.networks.differences import network_difference
from course_utils.exercises.networks.observation import has_other_count, observe_network

__all__ = ["has_other_count", "network_difference", "observe_network"]
