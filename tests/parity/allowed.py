"""Where gputrain differs from Keras, and why; nothing else may. Read by the tests, and by whoever wonders.

A difference that is gone makes a test fail, so that this list stays true.
"""

from __future__ import annotations

from tests.parity.runners import Result
from tests.parity.table import Case

_RAGGED = {"ragged": "there are no ragged tensors"}
_LOW_RANK = "training and storing weights in fewer numbers is not offered"
_RENORM = "batch renormalization is not offered"
_STATE = "Keras passes its state on JAX only; on its other backends these take the data alone, as here"
_ADD_WEIGHT = {"overwrite_with_gradient": "no weight is set to its gradient here"}
_SORTED = {"from_sorted_ids": "sorted ids instead of scores are not offered"}
_NAME = {"name": "the default name is told in the signature; Keras makes the same name inside"}

# Class or function: parameters that differ.
PARAMETERS: dict[str, dict[str, str]] = {
    "Input": _RAGGED,
    "layers.Input": _RAGGED,
    "layers.InputLayer": _RAGGED,
    "ops.convert_to_tensor": {**_RAGGED, "sparse": "there are no sparse tensors"},
    "layers.Layer.add_weight": _ADD_WEIGHT,
    "Model.add_weight": _ADD_WEIGHT,
    "Sequential.add_weight": _ADD_WEIGHT,
    "Model.build": {"input_shape": "may be left out where the inputs are known"},
    "layers.Layer.compute_output_shape": {"input_shape": "Keras has *args here"},
    "Model.compute_output_shape": {"input_shape": "Keras has *args here"},
    **{
        f"{model}.{step}": {"state": _STATE}
        for model in ("Model", "Sequential")
        for step in ("train_step", "test_step", "predict_step")
    },
    "Variable": {
        "autocast": "what a variable is cast to is decided where it is read",
        "aggregation": "one device holds a variable",
        "synchronization": "one device holds a variable",
        "layout": "one device holds a variable",
        "name": "an unnamed variable is called so at once",
        "path": "given by the layer that owns the variable",
    },
    "metrics.Metric.add_variable": {
        "aggregation": "one device holds a variable",
        "initializer": "zeros unless said otherwise",
    },
    "layers.Dense": {
        "lora_rank": _LOW_RANK,
        "lora_alpha": _LOW_RANK,
        "quantization_config": _LOW_RANK,
    },
    "layers.BatchNormalization": {
        "renorm": _RENORM,
        "renorm_clipping": _RENORM,
        "renorm_momentum": _RENORM,
        "synchronized": "one device sees the whole batch",
    },
    "layers.AveragePooling2D": {"pool_size": "has the default of the other pooling layers"},
    "layers.AvgPool2D": {"pool_size": "has the default of the other pooling layers"},
    "metrics.SparseTopKCategoricalAccuracy": _SORTED,
    "metrics.sparse_top_k_categorical_accuracy": _SORTED,
    "optimizers.Optimizer.from_config": {"custom_objects": "an optimizer is made by its own class"},
    **{f"optimizers.{name}": _NAME for name in ("SGD", "Adam", "AdamW", "RMSprop")},
}

# Class: entries of Keras's config that differ.
CONFIG: dict[str, dict[str, str]] = {}

_SPARSEMAX = "Keras's rows do not sum to 1 where several numbers stay; ours follow Martins & Astudillo (2016)"

# Case: arrays that differ.
ARRAYS: dict[str, dict[str, str]] = {
    **{
        f"function: activations.sparsemax({axis}) 4x6 in -4..8": {
            "output 0": _SPARSEMAX,
            "gradient of input 0": _SPARSEMAX,
        }
        for axis in ("", "axis=0")
    },
    "function: ops.power() 3x4 1 float32 [2.0]": {
        "gradient of input 1": "NaN in Keras where the base is negative; here that element counts nothing",
    },
    **{
        f"plain function: utils.to_categorical({more}) 5 below 3": {
            "output 0": "float32, as all that a model takes; Keras has float64"
        }
        for more in ("", "num_classes=6")
    },
}


def without(case: Case, result: Result) -> Result:
    """A result but for what may differ."""
    arrays = {name: a for name, a in result.arrays.items() if name not in ARRAYS.get(case.id, {})}
    facts = dict(result.facts)
    if "config" in facts:
        gone = CONFIG.get(case.path, {})
        facts["config"] = {key: value for key, value in facts["config"].items() if key not in gone}
    return Result(arrays, facts)
