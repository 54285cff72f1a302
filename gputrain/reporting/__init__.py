"""What came of a run: figures of merit on test data, pictures, and one page that shows it all."""

from gputrain.reporting.classification import ClassifierAssessment, Mistake, assess_classifier
from gputrain.reporting.page import write_html
from gputrain.reporting.pictures import draw_all, draw_range_test
from gputrain.reporting.plotting import MissingExtraError, has_plot
from gputrain.reporting.regression import RegressionAssessment, assess_regression
from gputrain.reporting.report import Report

__all__ = [
    "ClassifierAssessment",
    "MissingExtraError",
    "Mistake",
    "RegressionAssessment",
    "Report",
    "assess_classifier",
    "assess_regression",
    "draw_all",
    "draw_range_test",
    "has_plot",
    "write_html",
]
