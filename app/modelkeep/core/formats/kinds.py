"""What an output is, judged by its name and its declared type. Knows nothing of its content."""

from __future__ import annotations

from modelkeep.core.values import Kind

_MODEL_SUFFIXES = frozenset(
    {
        "bin", "bst", "caffemodel", "cbm", "ckpt", "engine", "ggml", "gguf", "h5", "hdf5", "hef", "joblib",
        "keras", "llamafile", "mar", "mlmodel", "mlpackage", "model", "mnn", "nemo", "npz", "om", "onnx", "ort",
        "params", "pb", "pdiparams", "pdmodel", "pickle", "pkl", "plan", "pmml", "pt", "pt2", "pth", "ptl",
        "rknn", "safetensors", "skops", "tflite", "torchscript", "trt", "ubj", "weights",
    }
)  # fmt: skip
_METRICS_STEMS = ("metric", "score", "eval", "accuracy", "results")
_METRICS_SUFFIXES = frozenset({"json", "yaml", "yml", "toml", "csv", "tsv"})
_MODEL_FOLDERS = frozenset({"model", "models", "checkpoint", "checkpoints", "weights", "saved_model"})
_TYPES = {
    "model": Kind.MODEL,
    "dataset": Kind.DATASET,
    "data": Kind.DATASET,
    "metrics": Kind.METRICS,
    "metric": Kind.METRICS,
    "plots": Kind.METRICS,
}


def kind_of(path: str, type_: str, is_dir: bool) -> Kind:
    """The kind for icons and wording: the declared `type_` wins, then the name; a folder is a dataset.

    `path` is relative to the project; only its last component counts.
    """
    declared = _TYPES.get(type_.strip().lower())
    if declared is not None:
        return declared
    name = path.rpartition("/")[2].lower()
    stem, _, suffix = name.rpartition(".")
    if is_dir:
        return Kind.MODEL if name in _MODEL_FOLDERS or (stem and suffix in _MODEL_SUFFIXES) else Kind.DATASET
    if stem and suffix in _MODEL_SUFFIXES:
        return Kind.MODEL
    if suffix in _METRICS_SUFFIXES and any(stem.startswith(word) for word in _METRICS_STEMS):
        return Kind.METRICS
    return Kind.OTHER
