"""What takes part in training, with Keras's names."""

from gputrain.callbacks.base import Callback
from gputrain.callbacks.container import CallbackList
from gputrain.callbacks.csv_logger import CSVLogger
from gputrain.callbacks.early_stopping import EarlyStopping
from gputrain.callbacks.functions import LambdaCallback
from gputrain.callbacks.history import History
from gputrain.callbacks.monitor import MonitorCallback
from gputrain.callbacks.nan import TerminateOnNaN
from gputrain.callbacks.progress_bar import ProgbarLogger

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "MonitorCallback",
    "ProgbarLogger",
    "TerminateOnNaN",
]
