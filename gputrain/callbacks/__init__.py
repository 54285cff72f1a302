"""What takes part in training, with Keras's names."""

from typing import TYPE_CHECKING, Any

from gputrain.callbacks.backup import BackupAndRestore
from gputrain.callbacks.csv_logger import CSVLogger
from gputrain.callbacks.early_stopping import EarlyStopping
from gputrain.callbacks.functions import LambdaCallback
from gputrain.callbacks.json_lines_logger import JSONLinesLogger
from gputrain.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from gputrain.callbacks.model_checkpoint import ModelCheckpoint
from gputrain.callbacks.monitor import MonitorCallback
from gputrain.callbacks.nan import TerminateOnNaN
from gputrain.models.training.callback import Callback
from gputrain.models.training.callback_list import CallbackList
from gputrain.models.training.history import History
from gputrain.models.training.progbar_logger import ProgbarLogger
from gputrain.names import public

if TYPE_CHECKING:  # they stand above this room, in `gputrain.app.advice`; the package serves them here
    Advice: Any
    Advisor: Any

__all__ = [
    "Advice",
    "Advisor",
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "JSONLinesLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("callback", __name__, __all__)
