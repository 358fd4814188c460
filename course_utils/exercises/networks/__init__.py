"""How networks are judged: by what they do, never by what their layers are called."""

from __future__ import annotations

from course_utils.exercises.networks.behaviour import has_other_count, observe_network
from course_utils.exercises.networks.changed_scores import changed_scores, listed
from course_utils.exercises.networks.first_difference import network_difference

__all__ = ["changed_scores", "has_other_count", "listed", "network_difference", "observe_network"]
