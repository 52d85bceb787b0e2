"""Which collection belongs to a model, and whether the one that is there fits it. Nothing here talks to Qdrant."""

from __future__ import annotations

import hashlib
import re

from pipeline.errors import DimensionMismatch
from pipeline.types import EmbeddingModel

#: The names of a point's two vectors.
DENSE = "dense"
SPARSE = "sparse"

#: How its vectors are compared, in Qdrant's own spelling.
DISTANCE = "Cosine"


def alias_of(model: EmbeddingModel) -> str:
    """Return the alias of the model's collection: readable, unique for its key and safe in a URL."""
    slug = re.sub(r"[^a-z0-9]+", "-", f"{model.name}-{model.dims}".lower()).strip("-")[:60]
    return f"mobius-{slug}-{hashlib.sha256(model.key.encode()).hexdigest()[:8]}"


def require_fit(model: EmbeddingModel, dims: int | None, distance: str | None) -> None:
    """Return if a collection's dense vectors are this model's; ``dims`` is None where it has none of that name.

    Raises:
        DimensionMismatch: They are others.
    """
    if (dims, distance) == (model.dims, DISTANCE):
        return
    held = f"no vector named {DENSE}" if dims is None else f"{dims} dimensions ({distance})"
    raise DimensionMismatch(
        f"The collection behind {alias_of(model)} holds {held}, but {model.key} needs {model.dims} ({DISTANCE}); "
        "drop that alias and its collection and reconcile, or set the model that filled it."
    )
