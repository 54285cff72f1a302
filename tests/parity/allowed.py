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
_NAME = {
    "name": "told in the signature, such as 'SGD' and 'adamw'; Keras makes 'sgd' and 'adam_w' of the class"
}

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

_CONTRAST = (
    "a single factor counts both ways, as Keras's documentation has it; Keras only raises the contrast"
)
CONTRAST = "drawn layer: layers.RandomContrast(factor=0.5) 4000x2x2x1 all [100.0, 100.0, 100.0, 160.0]"

_AVERAGES = [
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
]

# Class, or a single case: entries of Keras's config that differ, beside the parameters above.
CONFIG: dict[str, dict[str, str]] = {
    "layers.LayerNormalization": {
        "axis": "kept as it was given; Keras makes a list of it",
        "rms_scaling": "no argument of Keras's any more; there is RMSNormalization",
    },
    "layer: layers.Normalization(axis=None, mean=0.5, variance=4.0) 3x4": {
        "axis": "kept as it was given; Keras has an empty list"
    },
    **{
        f"optimizers.{name}": dict.fromkeys(
            _AVERAGES, "not offered yet: refused, so there is nothing to keep"
        )
        for name in ("SGD", "Adam", "AdamW", "RMSprop")
    },
    CONTRAST: {"factor": _CONTRAST},
}

_SPARSEMAX = "Keras's rows do not sum to 1 where several numbers stay; ours follow Martins & Astudillo (2016)"

_CROP = "the middle, of the shape that Keras promises, too; Keras gives the whole image"
_ADJUSTED = "counts samples; Keras counts the numbers of all outputs"

# A single case, or what several are about: arrays that differ.
ARRAYS: dict[str, dict[str, str]] = {
    **{
        f"function: activations.sparsemax({axis}) 4x6 in -4..8": {
            "output 0": _SPARSEMAX,
            "gradient of input 0": _SPARSEMAX,
        }
        for axis in ("", "axis=0")
    },
    "metrics.R2Score": {"output after a reset": "0 while there is no sample; Keras has NaN"},
    **{
        f"metric: metrics.R2Score(num_regressors=2) 53x4 53x4{weights}": {
            f"output after {start}": _ADJUSTED for start in (0, 20, 40)
        }
        for weights in ("", " 53 in 0.1..2.5")
    },
    "layer: layers.RandomCrop(height=4, width=3, seed=1) 2x5x7x4 training=False": {
        "output 0": _CROP,
        "gradient of input 0": _CROP,
    },
    CONTRAST: {
        "distribution: means and deviations": _CONTRAST,
        "distribution: quantiles": _CONTRAST,
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


def arrays(case: Case) -> dict[str, str]:
    """The arrays of a case that differ, with the reasons."""
    return {**ARRAYS.get(case.path, {}), **ARRAYS.get(case.id, {})}


def without(case: Case, result: Result) -> Result:
    """A result but for what may differ."""
    kept = {name: array for name, array in result.arrays.items() if name not in arrays(case)}
    facts = dict(result.facts)
    if "config" in facts:
        gone = {**PARAMETERS.get(case.path, {}), **CONFIG.get(case.path, {}), **CONFIG.get(case.id, {})}
        facts["config"] = {key: value for key, value in facts["config"].items() if key not in gone}
    return Result(kept, facts)
