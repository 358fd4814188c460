"""What an epoch of each lab costs on this machine, compared with the lecture's original loop."""

from course_utils.training.benchmark.turns import Benchmark as Benchmark
from course_utils.training.benchmark.turns import Measurement as Measurement
from course_utils.training.benchmark.turns import measure as measure
from course_utils.training.benchmark.variants import VARIANTS as VARIANTS
