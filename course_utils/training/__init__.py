"""Training: recipes as data, a readable loop, its history, and what it costs."""

from course_utils.training.ablation import plot_ablation as plot_ablation
from course_utils.training.augmentation import Augmentation as Augmentation
from course_utils.training.epochs import EpochRecord as EpochRecord
from course_utils.training.evaluation import error_rate as error_rate
from course_utils.training.evaluation import evaluate as evaluate
from course_utils.training.evaluation import predict as predict
from course_utils.training.history import History as History
from course_utils.training.muon import Muon as Muon
from course_utils.training.networks import ARCHS as ARCHS
from course_utils.training.networks import SmallVGG as SmallVGG
from course_utils.training.recipes import RECIPES as RECIPES
from course_utils.training.recipes import Recipe as Recipe
from course_utils.training.recipes import recipe as recipe
from course_utils.training.results import Report as Report
from course_utils.training.results import report as report
from course_utils.training.schedules import Constant as Constant
from course_utils.training.schedules import DivideAt as DivideAt
from course_utils.training.schedules import DivideEvery as DivideEvery
from course_utils.training.schedules import Squeezed as Squeezed
from course_utils.training.schedules import Triangle as Triangle
from course_utils.training.speed import PLAIN as PLAIN
from course_utils.training.speed import Speed as Speed
from course_utils.training.trainer import fit as fit
from course_utils.training.whitening import whiten as whiten
