"""Where gputrain differs from Keras, and why; nothing else may. Read by the tests, and by whoever wonders.

A difference that is gone makes a test fail, so that this list stays true.
"""

from __future__ import annotations

from tests.parity.runners import Result
from tests.parity.table import Case

_STATE = "Keras passes its state on JAX only; on its other backends these take the data alone, as here"
_POOL = "has the default of the other pooling layers"

# Class or function: parameters that differ.
PARAMETERS: dict[str, dict[str, str]] = {
    "Model.build": {"input_shape": "may be left out where the inputs are known"},
    "layers.Layer.compute_output_shape": {"input_shape": "Keras has *args here"},
    "Model.compute_output_shape": {"input_shape": "Keras has *args here"},
    **{
        f"{model}.{step}": {"state": _STATE}
        for model in ("Model", "Sequential")
        for step in ("train_step", "test_step", "predict_step")
    },
    "metrics.Metric.add_variable": {"initializer": "zeros unless said otherwise"},
    **{
        f"layers.{name}{rank}D": {"pool_size": _POOL}
        for name in ("AveragePooling", "AvgPool")
        for rank in (1, 2, 3)
    },
}

_CONTRAST = (
    "a single factor counts both ways, as Keras's documentation has it; Keras only raises the contrast"
)
CONTRAST = "drawn layer: layers.RandomContrast(factor=0.5) 4000x2x2x1 all [100.0, 100.0, 100.0, 160.0]"

# Class, or a single case: entries of Keras's config that differ, beside the parameters above.
CONFIG: dict[str, dict[str, str]] = {
    CONTRAST: {"factor": _CONTRAST},
}

_SPARSEMAX = "Keras's rows do not sum to 1 where several numbers stay; ours follow Martins & Astudillo (2016)"

_BLIND = "a query that sees no value has no gradient by way of its scores; in Keras it has"
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
    "function: ops.sparsemax() 4x6 in -4..8": {
        "output 0": _SPARSEMAX,
        "gradient of input 0": _SPARSEMAX,
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
    f"layer: layers.Attention() [2x5x4, 2x6x4] call={{'mask': (None, {[[False] * 6]})}}": {
        "gradient of input 0": _BLIND,
        "gradient of input 1": _BLIND,
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

_KNOWN_SIZES = "shapes of symbolic outputs have the sizes that are known"

# A single case, or a module of programs: facts that differ.
FACTS: dict[str, dict[str, str]] = {
    **{
        f"layer: layers.EinsumDense({call}": {"output": _KNOWN_SIZES}
        for call in (
            "equation='abc,cd->abd', output_shape=(None, 6), bias_axes='d') 3x5x4",
            "equation='...x,xy->...y', output_shape=3, bias_axes='y') 2x3x5x4",
        )
    },
    "layer: layers.Bidirectional(layer=LSTM(units=3, name='inner', return_sequences=True), "
    "backward_layer=GRU(units=2, go_backwards=True, return_sequences=True, name='other')) 3x5x4": {
        "output": "3 and 2 units are 5, as promised; Keras promises 6, twice the first layer's"
    },
    "written_models": {"json": "some entries that Keras leaves out are written, and the other way round"},
}


def reasons() -> list[str]:
    """All reasons, each once."""
    tables = (*PARAMETERS.values(), *CONFIG.values(), *ARRAYS.values(), *FACTS.values())
    return list(dict.fromkeys(reason for table in tables for reason in table.values()))


def arrays(case: Case) -> dict[str, str]:
    """The arrays of a case that differ, with the reasons."""
    return {**ARRAYS.get(case.path, {}), **ARRAYS.get(case.id, {})}


def without(case: Case, result: Result) -> Result:
    """A result but for what may differ."""
    kept = {name: array for name, array in result.arrays.items() if name not in arrays(case)}
    differing = {**FACTS.get(case.path.partition(".")[0], {}), **FACTS.get(case.id, {})}
    facts = {key: value for key, value in result.facts.items() if key not in differing}
    if "config" in facts:
        gone = {**PARAMETERS.get(case.path, {}), **CONFIG.get(case.path, {}), **CONFIG.get(case.id, {})}
        facts["config"] = {key: value for key, value in facts["config"].items() if key not in gone}
    return Result(kept, facts)
