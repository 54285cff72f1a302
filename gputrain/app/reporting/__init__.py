"""What came of a run: figures of merit on test data, pictures, and one page that shows it all."""

from gputrain.app.reporting.classification import ClassifierAssessment, Mistake, assess_classifier
from gputrain.app.reporting.page import write_html
from gputrain.app.reporting.pictures import draw_all, draw_range_test
from gputrain.app.reporting.plotting import MissingExtraError, has_plot
from gputrain.app.reporting.regression import RegressionAssessment, assess_regression
from gputrain.app.reporting.report import Report

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
