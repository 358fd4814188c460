"""What an epoch of each lab costs on this machine, beside the lecture's loop as it was."""

from course_utils.training.bench.turns import Bench as Bench
from course_utils.training.bench.turns import Row as Row
from course_utils.training.bench.turns import measure as measure
from course_utils.training.bench.variants import VARIANTS as VARIANTS
