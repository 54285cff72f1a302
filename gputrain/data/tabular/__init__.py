"""Tables (CSV files or arrays) turned into model inputs, and the pieces for imbalanced targets.

read_csv, iter_csv       a CSV file as a Table of text cells, whole or in portions
TablePreparation         missing cells, categories and scaling, learned from the training rows alone
Labels                   a target column as class indices, and back
resample, decide         rare classes: more or fewer samples, or decisions by a cost matrix

>>> table = Table({"age": ["31", "", "54"], "sex": ["f", "m", "f"]})
>>> TablePreparation.fit(table, TableSettings()).input_names
('age', 'sex=f', 'sex=m', 'age is missing')
"""

from gputrain.data.tabular.checks import check_columns
from gputrain.data.tabular.csv_files import iter_csv, read_csv
from gputrain.data.tabular.imbalance import check_cost_matrix, decide, resample
from gputrain.data.tabular.labels import Labels
from gputrain.data.tabular.preparation import TablePreparation
from gputrain.data.tabular.settings import MISSING_VALUES, ColumnCheck, TableSettings
from gputrain.data.tabular.table import Table, as_table

__all__ = [
    "MISSING_VALUES",
    "ColumnCheck",
    "Labels",
    "Table",
    "TablePreparation",
    "TableSettings",
    "as_table",
    "check_columns",
    "check_cost_matrix",
    "decide",
    "iter_csv",
    "read_csv",
    "resample",
]
