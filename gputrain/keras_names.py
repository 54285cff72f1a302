"""Names of Keras that are not there, and those of older Keras: what to write instead.

Read where an error is worded; the page for those who come from Keras shows the same.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import NamedTuple


class Group(NamedTuple):
    """Names of Keras 3 that are not there, with one thing to say about them.

    Attributes:
        what: what they are, for people.
        instead: what to do.
        names: names by module or class of Keras, as "LSTM GRU" by "layers"; "" is the top.
    """

    what: str
    instead: str
    names: dict[str, str]


_BY_HAND = "Write it as a function of (y_true, y_pred) with keras.ops, and pass the function to compile()."
_HOST = "Compute it with NumPy, before the data goes into the model."

NOT_THERE: tuple[Group, ...] = (
    Group(
        "exporting models for other programs",
        'model.save("model.keras") keeps all of a model. Keras 3 reads the file and exports it: '
        'keras.models.load_model("model.keras").export("folder").',
        {"Model": "export", "saving": "KerasFileEditor", "": "export"},
    ),
    Group(
        "checkpoints of Orbax",
        "keras.callbacks.ModelCheckpoint saves models and weights, keras.callbacks.BackupAndRestore all "
        "state of a training.",
        {"callbacks": "OrbaxCheckpoint"},
    ),
    Group(
        "many features prepared at once",
        "Prepare tables with gputrain.tabular, or each feature with its layer: keras.layers.StringLookup, "
        "IntegerLookup, Discretization, Normalization, HashedCrossing ...",
        {"utils": "FeatureSpace"},
    ),
    Group(
        "bounding boxes",
        "Change boxes with NumPy before the training: layers move images alone.",
        {"utils": "bounding_boxes"},
    ),
    Group(
        "layers of other frameworks",
        "There is one engine. Write the layer with keras.ops.",
        {"layers": "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper"},
    ),
    Group(
        "models as estimators of scikit-learn",
        "Write a class with scikit-learn's fit() and predict() that calls the model's.",
        {"": "wrappers"},
    ),
    Group(
        "other initializers, constraints and regularizers",
        "keras.initializers.Identity and Orthogonal are there under these names. For others pass a function: "
        "an initializer of (shape, dtype), a constraint or a regularizer of the weight.",
        {
            "initializers": "IdentityInitializer OrthogonalInitializer",
            "constraints": "MinMaxNorm min_max_norm",
            "regularizers": "OrthogonalRegularizer orthogonal_regularizer",
        },
    ),
    Group(
        "other losses",
        _BY_HAND,
        {
            "losses": "CTC CategoricalGeneralizedCrossEntropy Circle Dice Tversky "
            "categorical_generalized_cross_entropy circle ctc dice tversky",
        },
    ),
    Group(
        "other metrics of counts",
        "Write a keras.metrics.Metric: update_state() adds to counts, result() computes the metric of them; "
        "docs/training.md shows a mean IoU. A function will not do: its mean over batches is another number.",
        {
            "metrics": "BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU PrecisionAtRecall RecallAtPrecision "
            "SensitivityAtSpecificity SpecificityAtSensitivity",
        },
    ),
    Group(
        "other metrics",
        _BY_HAND,
        {
            "metrics": "ConcordanceCorrelation PearsonCorrelation concordance_correlation "
            "pearson_correlation",
        },
    ),
    Group(
        "other optimizers",
        "SGD, Adam, AdamW and RMSprop are there, with schedules in keras.optimizers.schedules; or write an "
        "Optimizer of your own with update_step().",
        {
            "optimizers": "Adadelta Adafactor Adagrad Adamax Ftrl Lamb Lion MultiOptimizer Muon Nadam "
            "OptimizerMap ScheduleFreeAdamW",
        },
    ),
    Group("optimizers of Keras 2", "Import the optimizer from keras.optimizers.", {"optimizers": "legacy"}),
    Group(
        "inner methods of optimizers",
        "Make slots in build() with add_variable_from_reference(); train with apply_gradients() or fit().",
        {"optimizers.Optimizer": "add_variable scale_loss"},
    ),
    Group(
        "the state of an optimizer",
        "Take what it keeps of each weight by optimizer.slot_values(), and set it by set_slot_values(); "
        "gputrain.saving.state_tree(model) takes the state of a whole training, set_state_tree() sets it.",
        {"optimizers.Optimizer": "set_weights"},
    ),
    Group(
        "averages of weights",
        "Average model.get_weights() in on_train_batch_end() of a Callback of your own, and set the averages "
        "in on_train_end().",
        {"callbacks": "SwapEMAWeights", "optimizers.Optimizer": "finalize_variable_values"},
    ),
    Group(
        "other callbacks",
        "CSVLogger and JSONLinesLogger write what a training does, and a run of gputrain train has it in its "
        "report.html; or write a Callback of your own.",
        {"callbacks": "RemoteMonitor TensorBoard"},
    ),
    Group(
        "other data sets",
        "Load the files yourself and pass arrays to fit(); keras.datasets.mnist, fashion_mnist and the sets "
        "of scikit-learn are there.",
        {"datasets": "boston_housing california_housing cifar10 cifar100 imdb reuters"},
    ),
    Group(
        "data pipelines and images from files",
        "Pass arrays, a generator or a keras.utils.PyDataset to fit(); folders of images are read by recipes "
        "(docs/images.md), single ones by Pillow and numpy.asarray.",
        {
            "utils": "audio_dataset_from_directory image_dataset_from_directory text_dataset_from_directory "
            "timeseries_dataset_from_array split_dataset array_to_img img_to_array load_img save_img",
            "preprocessing": "image image_dataset_from_directory text_dataset_from_directory "
            "timeseries_dataset_from_array",
        },
    ),
    Group(
        "mixed precision and policies of dtypes",
        "Give layers a dtype, or all of them by keras.config.set_floatx().",
        {
            "": "mixed_precision dtype_policies DTypePolicy FloatDTypePolicy",
            "config": "dtype_policy set_dtype_policy",
            "layers.Layer": "dtype_policy input_dtype",
            "optimizers": "LossScaleOptimizer",
        },
    ),
    Group(
        "fewer bits",
        "Train and store weights as float32 or float16.",
        {
            "": "quantizers Quantizer",
            "layers.Layer": "quantization_mode quantize quantized_build quantized_call",
            "Model": "get_quantization_layer_structure",
        },
    ),
    Group("several devices", "One device trains a model; choose it with keras.config.", {"": "distribution"}),
    Group(
        "functions and calls without state",
        "Models keep their state; write train_step, or take gradients with gputrain.gradients.",
        {
            "": "StatelessScope",
            "layers.Layer": "stateless_call",
            "Model": "compute_loss_and_updates jax_state_sync stateless_compute_loss",
            "metrics.Metric": "stateless_reset_state stateless_result stateless_update_state",
            "optimizers.Optimizer": "stateless_apply",
            "ops": "jvp",
        },
    ),
    Group(
        "symbolic calls",
        "Call layers and keras.ops on keras.Input: keras.Model(inputs, outputs) is a function, a Layer of "
        "your own an operation, and compute_output_shape() tells shapes.",
        {"": "Function Operation SymbolicScope", "layers.Layer": "compute_output_spec symbolic_call"},
    ),
    Group(
        "the state of a model",
        "Take it by gputrain.saving.state_tree(model), and set it by set_state_tree(model, tree).",
        {"Model": "get_state_tree set_state_tree"},
    ),
    Group(
        "the functions of steps",
        "Leave the call out: steps are traced when they are needed. Override train_step, test_step or "
        "predict_step to change them.",
        {"Model": "make_predict_function make_test_function make_train_function"},
    ),
    Group(
        "recomputation",
        "Use a smaller batch_size; model.memory_plan() says what a step needs.",
        {"": "RematScope remat", "layers.Layer": "rematerialized_call"},
    ),
    Group(
        "names inside layers",
        "Name layers with name=.",
        {"": "name_scope", "backend": "get_uid"},
    ),
    Group(
        "metrics inside layers",
        "Make the metric an attribute of the layer, and call its update_state() in call().",
        {"layers.Layer": "add_metric"},
    ),
    Group(
        "settings of other engines",
        "Leave them out: there is one kind of attention, tracebacks are never filtered, and nothing unsafe "
        "is loaded.",
        {
            "config": "disable_flash_attention enable_flash_attention is_flash_attention_enabled "
            "disable_traceback_filtering enable_traceback_filtering is_traceback_filtering_enabled "
            "enable_unsafe_deserialization is_nnx_enabled",
        },
    ),
    Group("dtypes of results", "Read dtype of what the operation returns.", {"backend": "result_type"}),
    Group(
        "models that are not compiled",
        "Leave it out: every model is compiled. compile(run_eagerly=True) runs it operation by operation.",
        {"Model": "jit_compile"},
    ),
    Group(
        "limits and displays for all trainings",
        "Pass epochs, steps_per_epoch and verbose to fit(), evaluate() and predict().",
        {
            "config": "max_epochs max_steps_per_epoch set_max_epochs set_max_steps_per_epoch "
            "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled",
            "utils": "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled",
        },
    ),
    Group("bars of loops of your own", "Write for x in tqdm.tqdm(batches).", {"utils": "Progbar"}),
    Group(
        "pictures of models",
        "model.summary() shows the layers.",
        {"": "visualization", "utils": "model_to_dot plot_model"},
    ),
    Group(
        "knowledge distillation",
        "Write train_step; a teacher is a model that it calls.",
        {"": "distillation"},
    ),
    Group(
        "inner tools",
        "Use a dict in place of Config, and model.inputs for the inputs of a model.",
        {"": "legacy", "utils": "Config get_source_inputs legacy"},
    ),
    Group(
        "other random numbers",
        "keras.random has categorical, normal, randint, shuffle, truncated_normal and uniform; "
        "keras.layers.Dropout drops.",
        {"random": "beta binomial dropout gamma"},
    ),
    Group(
        "operations that sort or search",
        "keras.ops.argmax, max, take, where and searchsorted are there; sort with NumPy before or after.",
        {
            "ops": "argpartition argsort sort top_k unique nonzero median nanmedian percentile nanpercentile "
            "quantile nanquantile nanargmax nanargmin histogram unravel_index"
        },
    ),
    Group(
        "operations that scatter",
        "Write keras.ops.matmul with keras.ops.one_hot of the indices; keras.ops.slice_update sets a block.",
        {"ops": "scatter scatter_update segment_max segment_min segment_prod segment_sum fold unfold"},
    ),
    Group(
        "linear algebra beyond products",
        _HOST,
        {
            "ops": "cdist cholesky cholesky_inverse det eig eigh inv logdet lstsq lu_factor matrix_rank pinv "
            "qr slogdet solve solve_triangular svd corrcoef correlate"
        },
    ),
    Group(
        "other elementwise operations",
        "Compose it of those in keras.ops, or register an operation of your own: gputrain.ops.register_op.",
        {
            "ops": "arccos arcsin arctan cbrt i0 ldexp nextafter signbit gcd lcm bitwise_and "
            "bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor "
            "left_shift right_shift angle imag polar view view_as_complex view_as_real psnr"
        },
    ),
    Group(
        "other loops, windows and losses among the operations",
        "Loops: keras.ops.scan, fori_loop, map and cond. Windows: numpy.hanning and its neighbours. Patterns "
        "of axes: keras.ops.reshape and transpose.",
        {
            "ops": "associative_scan while_loop vectorize rearrange bartlett blackman hamming hanning kaiser "
            "ctc_decode ctc_loss"
        },
    ),
)

_MOVED = "That is not a public module of Keras 3. Import the name from {}."
_FORMER_LAYERS = (
    "advanced_activations convolutional convolutional_recurrent core embeddings local merge noise "
    "normalization pooling recurrent wrappers"
)
_AS_FIT = "Keras 3 has one method: model.{}() takes generators and sequences of batches, too."
_STEP = (
    "In train_step write gradients = gputrain.gradients(loss, self.trainable_variables) and "
    "self.optimizer.apply(gradients, self.trainable_variables)."
)
_NO_CONTENTS = (
    "It has no contents while a model is traced: compute with keras.ops, and return it from train_step, or "
    "show it with gputrain.ops.print."
)
_CLASSES = "Keras 3 has no {}(). Write model.predict(x).argmax(axis=-1), or model.predict(x) > 0.5."

# What older Keras had, or what is the inside of Keras, and what Keras 3 has instead.
FORMER: dict[str, str] = {
    "src": "That is the inside of Keras. Import the public name, as from keras.layers import Dense.",
    "api": "Import the public name, as from keras.layers import Dense.",
    "_tf_keras": "Import the public name, as from keras.layers import Dense.",
    "initializations": "It is keras.initializers.",
    "objectives": "It is keras.losses.",
    "initializers.normal": "It is keras.initializers.RandomNormal.",
    "initializers.uniform": "It is keras.initializers.RandomUniform.",
    "initializers.zero": "It is keras.initializers.Zeros.",
    "initializers.one": "It is keras.initializers.Ones.",
    "constraints.maxnorm": "It is keras.constraints.MaxNorm.",
    "constraints.nonneg": "It is keras.constraints.NonNeg.",
    "constraints.unitnorm": "It is keras.constraints.UnitNorm.",
    "regularizers.l1l2": "It is keras.regularizers.L1L2.",
    "regularizers.WeightRegularizer": "It is keras.regularizers.L1L2.",
    "regularizers.activity_l2": "It is keras.regularizers.L2.",
    "metrics.fbeta_score": "It is keras.metrics.FBetaScore.",
    "metrics.precision": "It is keras.metrics.Precision.",
    "metrics.recall": "It is keras.metrics.Recall.",
    "engine": _MOVED.format("keras or keras.layers"),
    **{f"layers.{name}": _MOVED.format("keras.layers") for name in _FORMER_LAYERS.split()},
    "utils.np_utils": "That is not a part of Keras 3. Use keras.utils.to_categorical.",
    "utils.vis_utils": "That is not a part of Keras 3. model.summary() shows the layers.",
    "utils.generic_utils": "That is not a part of Keras 3. Use keras.utils and keras.saving.",
    "utils.data_utils": _MOVED.format("keras.utils"),
    "utils.multi_gpu_model": "That is not a part of Keras 3. One device trains a model.",
    "utils.OrderedEnqueuer": "That is not a part of Keras 3. Pass the sequence of batches to fit().",
    "models.model_from_yaml": "That is not a part of Keras 3. Use keras.models.model_from_json.",
    "callbacks.callbacks": _MOVED.format("keras.callbacks"),
    "layers.Merge": "That is not a part of Keras 3. Use Add, Concatenate, Multiply and their neighbours.",
    "layers.merge": "That is not a part of Keras 3. Use keras.layers.add, concatenate, multiply and others.",
    "layers.MaxoutDense": "That is not a part of Keras 3. Use Dense, Reshape and keras.ops.max.",
    "layers.Highway": "That is not a part of Keras 3. Use Dense, Multiply and Add.",
    "layers.CuDNNLSTM": "It is keras.layers.LSTM.",
    "layers.CuDNNGRU": "It is keras.layers.GRU.",
    "layers.experimental": _MOVED.format("keras.layers"),
    "layers.ThresholdedReLU": "That is not a part of Keras 3. Use keras.activations.relu with threshold=.",
    "layers.LocallyConnected1D": "That is not a part of Keras 3. Use Conv2D.",
    "layers.LocallyConnected2D": "That is not a part of Keras 3. Use Conv2D.",
    "layers.DenseFeatures": "That is not a part of Keras 3. Prepare tables with gputrain.tabular.",
    "Model.fit_generator": _AS_FIT.format("fit"),
    "Model.evaluate_generator": _AS_FIT.format("evaluate"),
    "Model.predict_generator": _AS_FIT.format("predict"),
    "Model.predict_classes": _CLASSES.format("predict_classes"),
    "Model.predict_proba": "Keras 3 calls it model.predict().",
    "Model.to_yaml": "Keras 3 has model.to_json().",
    "Model.reset_states": "Keras 3 calls it reset_state(), of layers that have one.",
    "Model.uses_learning_phase": "Pass training=True or training=False to the call.",
    "Model.updates": "State is updated by itself. Assign to variables made with add_weight(trainable=False).",
    "Model.targets": "Pass the targets to fit() as y; train_step has them in its data.",
    "Model.zero_grad": f"Gradients are made anew each time. {_STEP}",
    "Model.parameters": "Read model.trainable_variables.",
    "Model.state_dict": "Use model.get_weights() and model.set_weights().",
    "Model.load_state_dict": "Use model.get_weights() and model.set_weights().",
    "Model.eval": "Pass training=False to the call.",
    "GradientTape": _STEP,
    "KerasTensor.backward": _STEP,
    **dict.fromkeys(("KerasTensor.numpy", "KerasTensor.item", "KerasTensor.tolist"), _NO_CONTENTS),
    "KerasTensor.eval": _NO_CONTENTS,
    "KerasTensor.detach": "It is keras.ops.stop_gradient.",
    "KerasTensor.get_shape": "Read x.shape.",
    "KerasTensor._keras_mask": "The mask that a layer gives for x is layer.compute_mask(x).",
    "losses.Reduction": 'Write reduction="sum_over_batch_size", "sum" or "none".',
    "preprocessing.sequence.TimeseriesGenerator": "That is not a part of Keras 3. Cut windows with NumPy, in "
    "a generator or a keras.utils.PyDataset that fit() takes.",
    "preprocessing.image.ImageDataGenerator": "That is not a part of Keras 3. Change images by layers of the "
    "model, such as keras.layers.RandomFlip; folders of images are read by recipes (docs/images.md).",
    "preprocessing.text": "That is not a part of Keras 3. Use keras.layers.TextVectorization, which splits "
    "and numbers words, or keras.layers.Hashing, which numbers them without a vocabulary.",
    **{
        f"{room}.{short}": f"It is keras.{room}.{long}."
        for room in ("losses", "metrics")
        for shorts, long in (
            ("mse MSE", "mean_squared_error"),
            ("mae MAE", "mean_absolute_error"),
            ("mape MAPE", "mean_absolute_percentage_error"),
            ("msle MSLE", "mean_squared_logarithmic_error"),
            ("bce BCE", "binary_crossentropy"),
            ("kld KLD", "kl_divergence"),
            ("logcosh", "log_cosh"),
        )
        for short in shorts.split()
    },
    "layers.Layer.get_updates_for": "State is updated by itself.",
    "layers.Layer.add_update": "Assign to a variable made with add_weight(trainable=False) in call().",
    "layers.Layer.output_shape": "Read layer.output.shape.",
    "layers.Layer.input_shape": "Read layer.input.shape.",
    "layers.Layer.inbound_nodes": "Read layer.input and layer.output.",
    "layers.Layer.get_output_at": "Read layer.output.",
    "layers.Layer.get_input_at": "Read layer.input.",
    "metrics.Metric.reset_states": "Keras 3 calls it reset_state().",
    "optimizers.Optimizer.get_weights": "Read optimizer.variables; numpy() gives the contents of each.",
    "optimizers.Optimizer.weights": "Read optimizer.variables.",
    "optimizers.Optimizer.zero_grad": f"Gradients are made anew each time. {_STEP}",
    "optimizers.Optimizer.step": _STEP,
    "optimizers.Optimizer.lr": "Keras 3 calls it learning_rate.",
    "optimizers.Optimizer.decay": "Use keras.optimizers.schedules.InverseTimeDecay as the learning_rate.",
    "optimizers.Optimizer.get_updates": "Use apply(gradients, variables).",
    "optimizers.Optimizer.get_gradients": "Use gputrain.gradients(target, sources).",
    "optimizers.Optimizer.minimize": "Use gputrain.gradients(target, sources) and apply_gradients().",
    "backend.tf": "There is no TensorFlow below. Use keras.ops.",
    "backend.variable": "It is keras.Variable.",
    "backend.placeholder": "It is keras.Input.",
    "backend.constant": "It is keras.ops.convert_to_tensor.",
    "backend.int_shape": "Read x.shape.",
    "backend.eval": "It is keras.ops.convert_to_numpy.",
    "backend.get_value": "It is keras.ops.convert_to_numpy.",
    "backend.batch_get_value": "Write [keras.ops.convert_to_numpy(x) for x in variables].",
    "backend.set_value": "Write variable.assign(value); for an optimizer, optimizer.learning_rate = value.",
    "backend.batch_set_value": "Write variable.assign(value) for each, or model.set_weights(values).",
    "backend.update": "Write variable.assign(value).",
    "backend.update_add": "Write variable.assign_add(value).",
    "backend.update_sub": "Write variable.assign_sub(value).",
    "backend.function": "Write keras.Model(inputs, outputs) and call predict().",
    "backend.gradients": "It is gputrain.gradients, inside train_step.",
    "backend.learning_phase": "Give call() an argument training.",
    "backend.set_learning_phase": "Pass training=True or training=False to the call.",
    "backend.in_train_phase": "Give call() an argument training, and use Python's if.",
    "backend.in_test_phase": "Give call() an argument training, and use Python's if.",
    "backend.set_session": "There are no sessions. Leave it out.",
    "backend.get_session": "There are no sessions. Leave it out.",
    "backend.manual_variable_initialization": "There are no sessions. Leave it out.",
    "backend.set_image_dim_ordering": 'It is keras.backend.set_image_data_format("channels_last").',
    "backend.image_dim_ordering": "It is keras.backend.image_data_format.",
    "backend.set_image_dim_order": 'It is keras.backend.set_image_data_format("channels_last").',
    "backend.batch_dot": "It is keras.ops.einsum, or keras.layers.dot.",
    "backend.batch_flatten": "Write keras.ops.reshape(x, (x.shape[0], -1)).",
    "backend.permute_dimensions": "It is keras.ops.transpose.",
    "backend.pow": "It is keras.ops.power.",
    "backend.l2_normalize": "It is keras.ops.normalize.",
    "backend.cast_to_floatx": "Write keras.ops.cast(x, keras.config.floatx()).",
    "backend.random_normal": "It is keras.random.normal.",
    "backend.random_uniform": "It is keras.random.uniform.",
    "backend.random_normal_variable": "Write keras.Variable(keras.random.normal(shape)).",
    "backend.random_uniform_variable": "Write keras.Variable(keras.random.uniform(shape)).",
    "backend.random_binomial": "Write keras.random.uniform(shape) < p.",
    "backend.truncated_normal": "It is keras.random.truncated_normal.",
    "backend.dropout": "It is keras.layers.Dropout.",
    "backend.gather": "Write keras.ops.take(x, indices, axis=0).",
    "backend.count_params": "Write variable.shape, or model.count_params().",
    "backend.print_tensor": "It is gputrain.ops.print.",
    "backend.rnn": "It is keras.ops.scan.",
    "backend.foldl": "It is keras.ops.scan.",
    "backend.map_fn": "It is keras.ops.map.",
    "backend.switch": "It is keras.ops.where, or keras.ops.cond.",
    "backend.conv1d": "It is keras.ops.conv.",
    "backend.conv2d": "It is keras.ops.conv.",
    "backend.conv3d": "It is keras.ops.conv.",
    "backend.pool2d": "It is keras.ops.max_pool, or keras.ops.average_pool.",
    "backend.bias_add": "Write x + bias.",
    "backend.spatial_2d_padding": "It is keras.ops.pad.",
    "backend.resize_images": "It is keras.ops.image.resize.",
    "backend.reverse": "It is keras.ops.flip.",
    "backend.is_sparse": "There are no sparse tensors.",
    "backend.is_tensor": "It is keras.ops.is_tensor.",
    "backend.repeat_elements": "It is keras.ops.repeat.",
    "backend.arange": "It is keras.ops.arange.",
    "backend.hard_sigmoid": "It is keras.activations.hard_sigmoid.",
    "backend.name_scope": "Name layers with name=.",
}


# What scripts take from TensorFlow itself, by its path below tensorflow; "" is all the rest.
TENSORFLOW: dict[str, str] = {
    "": "Of TensorFlow there is tf.keras alone. Use keras.ops, or NumPy.",
    "python": "That is the inside of TensorFlow. Write from tensorflow.keras... or from keras...",
    "contrib": "That was of TensorFlow 1. Write import keras.",
    "compat": "There is no TensorFlow below. Write import keras.",
    "random.set_seed": "Write keras.utils.set_random_seed(seed).",
    "set_random_seed": "Write keras.utils.set_random_seed(seed).",
    "random": "Use keras.random.",
    "data": "Pass NumPy arrays, a generator or a keras.utils.PyDataset to fit().",
    "image": "Use keras.ops.image, and layers such as keras.layers.RandomFlip.",
    "io": "Read files with Python and NumPy.",
    "nn": "Use keras.ops and keras.activations.",
    "math": "Use keras.ops.",
    "linalg": "Use keras.ops.",
    "function": "Leave it out: every model is compiled.",
    "GradientTape": _STEP,
    "config": "gputrain doctor says which device computes; keras.config chooses it.",
    "device": "Write keras.device.",
    "test": "gputrain doctor says which device computes.",
    "distribute": "One device trains a model. Leave it out.",
    "Session": "There are no sessions. Leave it out.",
    "ConfigProto": "There are no sessions. Leave it out.",
    "get_logger": "Leave it out.",
    "autograph": "Leave it out.",
    "__version__": "keras.__version__ is there.",
    "constant": "Write keras.ops.convert_to_tensor.",
    "convert_to_tensor": "Write keras.ops.convert_to_tensor.",
    "Variable": "Write keras.Variable.",
    "Tensor": "Write keras.KerasTensor.",
    "TensorSpec": "Write keras.Input.",
    "placeholder": "Write keras.Input.",
    "concat": "Write keras.ops.concatenate.",
    "reduce_sum": "Write keras.ops.sum.",
    "reduce_mean": "Write keras.ops.mean.",
    "reduce_max": "Write keras.ops.max.",
    "reduce_min": "Write keras.ops.min.",
    "reduce_prod": "Write keras.ops.prod.",
    "reduce_all": "Write keras.ops.all.",
    "reduce_any": "Write keras.ops.any.",
    "reduce_logsumexp": "Write keras.ops.logsumexp.",
    "pow": "Write keras.ops.power.",
    "clip_by_value": "Write keras.ops.clip.",
    "gather": "Write keras.ops.take(x, indices, axis=0).",
    "float16": 'Write "float16".',
    "float32": 'Write "float32".',
    "float64": 'Write "float64".',
    "int32": 'Write "int32".',
    "int64": 'Write "int64".',
    "bool": 'Write "bool".',
    "uint8": 'Write "uint8".',
    "string": "There are no strings in arrays of a device.",
}


def is_operation_of_tensorflow(path: str) -> bool:
    """Return whether a name stands where TensorFlow has its operations, and nothing else is said of it."""
    root, _, own = path.partition(".")
    groups = ("", "nn", "math", "linalg")
    return root == "tensorflow" and own not in TENSORFLOW and own.rpartition(".")[0] in groups


# Rooms of Keras that TensorFlow has a second time, beside tensorflow.keras.
_ROOMS_IN_TENSORFLOW = ("initializers", "layers", "losses", "metrics", "optimizers")


def _tensorflow(parts: list[str]) -> str:
    """What to do about a name of TensorFlow."""
    if parts[:1] and parts[0] in _ROOMS_IN_TENSORFLOW:
        path = ".".join(parts)
        return instead_of(f"keras.{path}") or f"Write tf.keras.{path}."
    for count in range(len(parts), 0, -1):
        found = TENSORFLOW.get(".".join(parts[:count]))
        if found is not None:
            return found
    return TENSORFLOW[""]


@cache
def _instead() -> dict[str, str]:
    """What to do about each name, by its path below keras in small letters."""
    found = {path.lower(): text for path, text in FORMER.items()}
    for group in NOT_THERE:
        for room, names in group.names.items():
            found.update({f"{room}.{name}".lstrip(".").lower(): group.instead for name in names.split()})
    return found


def instead_of(path: str) -> str | None:
    """Return what to do about a name such as "keras.layers.LSTM", or one in a module that is not there.

    None where there is nothing to say.
    """
    root, *parts = path.split(".")
    if root == "tensorflow":
        if parts[:1] != ["keras"]:
            return _tensorflow(parts)
        del parts[0]
    if parts[:1] == ["ops"] and len(parts) == 3:  # Keras has its operations a second time, by group
        parts = [parts[0], parts[2]]
    for count in range(len(parts), 0, -1):
        found = _instead().get(".".join(parts[:count]).lower())
        if found is not None:
            return found
    for cls, base in (("Sequential", "Model"), ("Model", "layers.Layer")):
        if parts[:1] == [cls]:
            return instead_of(f"keras.{base}.{'.'.join(parts[1:])}")
    return None


# Arguments of Keras 1 and 2, and what Keras 3 calls them; the first of several that a call takes.
ARGUMENTS: dict[str, str] = {
    "nb_epoch": "epochs",
    "nb_filter": "filters",
    "nb_row": "kernel_size=(rows, columns)",
    "nb_col": "kernel_size=(rows, columns)",
    "filter_length": "kernel_size",
    "kernel_dim1": "kernel_size",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "dim_ordering": "data_format",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "init": "kernel_initializer initializer embeddings_initializer gamma_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "forget_bias_init": "unit_forget_bias",
    "bias": "use_bias",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer",
    "activity_l2": "activity_regularizer=keras.regularizers.L2(...)",
    "output_dim": "units",
    "p": "rate",
    "sigma": "stddev",
    "alpha": "negative_slope alpha",
    "theta": "threshold",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "length": "n",
    "consume_less": "implementation",
    "input": "inputs",
    "output": "outputs",
    "lr": "learning_rate",
    "decay": "learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)",
    "schedule_decay": "learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)",
    "epsilon": "min_delta",
    "samples_per_epoch": "steps_per_epoch=samples_per_epoch // batch_size",
    "nb_val_samples": "validation_steps=nb_val_samples // batch_size",
    "val_samples": "steps=val_samples // batch_size",
    "nb_classes": "num_classes",
    "depth": "num_classes",
    "l": "l1 l2",
    "m": "max_value",
    "keep_dims": "keepdims",
    "perm": "axes",
    "y": "x",
    "generator": "x",
}
_READ_AHEAD = (
    "Leave it out: batches are read ahead by a thread where that helps (config.set_read_ahead), and a "
    "keras.utils.PyDataset has workers of its own."
)
_OF_KERAS_2 = "That was of Keras 2. Leave it out."
# Those that Keras 3 does without, and what to do.
DROPPED: dict[str, str] = {
    "weights": "Call layer.set_weights(weights) once the layer is built.",
    "workers": _READ_AHEAD,
    "nb_worker": _READ_AHEAD,
    "use_multiprocessing": _READ_AHEAD,
    "pickle_safe": _READ_AHEAD,
    "max_queue_size": _READ_AHEAD,
    "max_q_size": _READ_AHEAD,
    "sample_weight_mode": "Leave it out: sample_weight of shape (N, steps) weighs each step.",
    "target_tensors": "Leave it out: fit takes the targets as y.",
    "show_accuracy": 'Write metrics=["accuracy"] in compile().',
    "class_mode": "The loss says it.",
    "mode": "That was of Keras 1. Leave it out.",
    "reset_metrics": "Leave it out: each call is alone. Average what the calls return.",
    "virtual_batch_size": _OF_KERAS_2,
    "fused": _OF_KERAS_2,
    "implementation": _OF_KERAS_2,
    "experimental_run_tf_function": "That was of TensorFlow. Leave it out.",
    "distribute": "That was of TensorFlow. Leave it out.",
}


def argument_of_old(name: str, known: Collection[str]) -> str | None:
    """Return what to write for an argument of Keras 1 or 2, where the call takes that; None for others.

    Args:
        name: the argument that is not known.
        known: those that are.
    """
    text = ARGUMENTS.get(name, "")
    if "=" in text:
        return f"Write {text}." if text.partition("=")[0] in known else None
    found = next((now for now in text.split() if now in known), None)
    return DROPPED.get(name) if found is None else f"Keras 3 calls it {found}."
