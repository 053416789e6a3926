"""Bodies, what a call takes: JSON that becomes a model; messages come in three ways (api/submission)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel
from starlette.requests import Request

from api import strict_json
from api.errors import UnsupportedMediaType
from api.inflow import inflow_of

M = TypeVar("M", bound=BaseModel)

JSON = "application/json"


@runtime_checkable
class DocumentedBody(Protocol):
    """A body that describes itself; `Depends(body.read)` puts it into a call, and api/description finds it there."""

    def content(self) -> dict[str, dict[str, Any]]:
        """The OpenAPI media type objects, by media type."""

    def parameters(self) -> dict[str, dict[str, Any]]:
        """The JSON schemas of what may stand in the query instead, by name."""

    def models(self) -> tuple[type[BaseModel], ...]:
        """The models that `content` refers to as #/components/schemas/NAME."""


@dataclass(frozen=True, slots=True)
class JsonBody(Generic[M]):
    """A JSON object of at most 64 KiB that becomes `model`; give the model `extra="forbid"`."""

    model: type[M]

    async def read(self, request: Request) -> M:
        """The body of this request; authenticate first, so that strangers learn nothing of what is wrong with it."""
        if media_type(request) != JSON:
            raise UnsupportedMediaType(f"this call takes {JSON}")
        return strict_json.read_model(self.model, strict_json.read_object(await inflow_of(request).read()))

    def content(self) -> dict[str, dict[str, Any]]:
        """One media type."""
        return {JSON: {"schema": reference(self.model)}}

    def parameters(self) -> dict[str, dict[str, Any]]:
        """None."""
        return {}

    def models(self) -> tuple[type[BaseModel], ...]:
        """The one model."""
        return (self.model,)


def reference(model: type[BaseModel]) -> dict[str, str]:
    """How an OpenAPI document refers to a model."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def media_type(request: Request) -> str:
    """The media type of the body, lower-case and without parameters; empty where none is given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
