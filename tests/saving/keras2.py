"""Files as Keras 2 wrote them, made by hand: what no Keras 3 writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Weights = Mapping[str, Mapping[str, np.ndarray]]


def write(
    path: Path,
    weights: Weights,
    model: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    optimizer: Mapping[str, np.ndarray] | None = None,
    version: str = "2.0.2",
    chunks: int = 1,
) -> Path:
    """Write a file.

    Args:
        path: of it.
        weights: arrays by the names of layers and weights, in their order.
        model: its config; without one the file has weights alone.
        training: what compile was given.
        optimizer: the state of the optimizer.
        version: of Keras.
        chunks: in how many attributes the names of the layers are.
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        group = file
        if model is not None:
            file.attrs["model_config"] = json.dumps(model).encode()
            group = file.create_group("model_weights")
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        names = [name.encode() for name in weights]
        if chunks == 1:
            group.attrs["layer_names"] = names
        else:
            for i, part in enumerate(np.array_split(np.array(names), chunks)):
                group.attrs[f"layer_names{i}"] = part
        for name, arrays in weights.items():
            _write_arrays(group.create_group(name), arrays)
        if optimizer is not None:
            _write_arrays(file.create_group("optimizer_weights"), optimizer)
    return path


def _write_arrays(group: Any, arrays: Mapping[str, np.ndarray]) -> None:
    group.attrs["weight_names"] = [name.encode() for name in arrays]
    for name, array in arrays.items():
        group.create_dataset(name, data=array)


def layer(kind: str, name: str, *inbound: Any, **arguments: Any) -> dict[str, Any]:
    """A layer of a model, with its calls."""
    config = {"name": name, "trainable": True, **arguments}
    return {"class_name": kind, "name": name, "config": config, "inbound_nodes": list(inbound)}


def dense(name: str, units: int, *inbound: Any, **arguments: Any) -> dict[str, Any]:
    """A Dense layer as Keras 2.0 described it."""
    scaling = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None, "dtype": "float32"}
    settings = {
        "units": units,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": {"class_name": "VarianceScaling", "config": scaling},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0099}},
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}},
        "bias_constraint": None,
    }
    return layer("Dense", name, *inbound, **settings, **arguments)


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    """A Sequential as until Keras 2.2: the list of its layers."""
    plain = [{key: item[key] for key in ("class_name", "config")} for item in layers]
    return {"class_name": "Sequential", "config": plain}


def functional(name: str, layers: list[dict[str, Any]], inputs: Any, outputs: Any) -> dict[str, Any]:
    """A functional model."""
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Model", "config": config}
