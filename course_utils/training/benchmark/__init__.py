"""What an epoch of each lab costs on this machine, beside the lecture's loop as it was."""

from course_utils.training.benchmark.turns import Benchmark as Benchmark
from course_utils.training.benchmark.turns import Measurement as Measurement
from course_utils.training.benchmark.turns import measure as measure
from course_utils.training.benchmark.variants import VARIANTS as VARIANTS
