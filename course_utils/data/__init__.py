"""Datasets: ``load_dataset("mnist")`` works in a classroom, at home and without a network."""

from course_utils.data.dataset import Batches, Dataset, Split
from course_utils.data.embedded import photograph
from course_utils.data.load import load_dataset

__all__ = ["Batches", "Dataset", "Split", "load_dataset", "photograph"]
