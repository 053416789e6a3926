"""Order, what is asked for with a certificate: a PKCS#10 request with its wishes in the query, or one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from api import bodies, problems, strict_json
from api.bodies import JSON
from api.errors import ParameterTwice, UnknownParameter, UnsupportedMediaType
from api.inflow import inflow_of
from api.samples import CSR
from api.site import site_of
from services.certificates import Order

PKCS10: Final = "application/pkcs10"

Profile = Annotated[str, Field(max_length=64, description="`mailbox`, `person` or `role`", examples=["mailbox"])]
Use = Annotated[str, Field(max_length=64, description="`dual`, `sign` or `encrypt`", examples=["dual"])]
Days = Annotated[int, Field(description="How many days it is to be valid; the profile bounds it", examples=[397])]
Person = Annotated[
    str,
    Field(min_length=1, max_length=255, description="The person's identifier at the campus", examples=["s1234567"]),
]


class PersonName(BaseModel):
    """The name of a person in a certificate; the campus itself is added from the settings."""

    model_config = ConfigDict(extra="forbid")

    given_name: str | None = Field(default=None, max_length=64, examples=["Alice"])
    surname: str | None = Field(default=None, max_length=64, examples=["Chan"])
    pseudonym: str | None = Field(default=None, max_length=128)
    title: str | None = Field(default=None, max_length=64)
    serial_number: str | None = Field(default=None, max_length=64)
    common_name: str | None = Field(default=None, max_length=64, examples=["Alice Chan"])


class Wishes(BaseModel):
    """What both ways of asking in JSON share."""

    model_config = ConfigDict(extra="forbid")

    profile: Profile = "mailbox"
    use: Use = "dual"
    mailboxes: list[str] | None = Field(
        default=None, description="The addresses to certify", examples=[["alice@campus.example"]]
    )
    person: Person | None = None
    subject: PersonName | None = Field(default=None, description="The person's name, for the profile `person` only")
    days: Days | None = None

    def order(self, request: bytes | None) -> Order:
        """The order as the services take it."""
        return Order(
            request=request,
            profile=self.profile,
            use=self.use,
            mailboxes=None if self.mailboxes is None else tuple(self.mailboxes),
            person=self.person,
            subject=None if self.subject is None else self.subject.model_dump(exclude_none=True),
            days=self.days,
        )


class CertificateOrder(Wishes):
    """An order for a certificate of a key that the caller holds."""

    csr: str = Field(min_length=1, description="The PKCS#10 request as PEM", examples=[CSR])


class KeyOrder(Wishes):
    """An order for a certificate together with its key, which is made here, handed over once and not kept."""

    key: str = Field(
        default="rsa3072",
        max_length=64,
        description="`rsa3072`, `rsa2048`, `rsa4096`, `p256` or `p384`",
        examples=["rsa3072"],
    )
    format: str = Field(
        default="modern",
        max_length=64,
        description="`modern` (AES-256), or `compatible` (3DES) for programs that read nothing newer",
        examples=["modern"],
    )


class QueryWishes(BaseModel):
    """What may stand in the query beside a PKCS#10 body."""

    model_config = ConfigDict(extra="forbid")

    profile: Profile = "mailbox"
    use: Use = "dual"
    mailbox: list[str] | None = Field(
        default=None,
        description="The address to certify, may be repeated; the default are the addresses in the request",
        examples=[["alice@campus.example"]],
    )
    days: Days | None = None


@dataclass(frozen=True, slots=True)
class OrderBody:
    """The body of an order in either form."""

    async def read(self, request: Request) -> Order:
        """The order in this request, of at most 64 KiB."""
        match bodies.media_type(request):
            case "application/pkcs10":
                wishes = _in_query(request)
                return Order(
                    request=await inflow_of(request).read(),
                    profile=wishes.profile,
                    use=wishes.use,
                    mailboxes=None if wishes.mailbox is None else tuple(wishes.mailbox),
                    days=wishes.days,
                )
            case "application/json":
                _refuse_query(request)
                members = strict_json.read_object(await inflow_of(request).read())
                order = strict_json.read_model(CertificateOrder, members)
                return order.order(order.csr.encode())
        raise _unsupported(request)

    def content(self) -> dict[str, dict[str, Any]]:
        """Both forms."""
        octets = {"type": "string", "minLength": 1, "description": "PKCS#10 as DER or PEM"}
        return {
            PKCS10: {"schema": octets, "example": CSR},
            JSON: {"schema": bodies.reference(CertificateOrder)},
        }

    def parameters(self) -> dict[str, dict[str, Any]]:
        """The wishes beside a PKCS#10 body."""
        properties: dict[str, dict[str, Any]] = QueryWishes.model_json_schema()["properties"]
        return properties

    def models(self) -> tuple[type[BaseModel], ...]:
        """The model of the JSON form."""
        return (CertificateOrder,)


def _in_query(request: Request) -> QueryWishes:
    values: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name == "mailbox":
            values.setdefault(name, []).append(value)
        elif name in values:
            raise ParameterTwice(f"the parameter {name[:40]!r} is given twice", pointers=(f"/{name[:40]}",))
        else:
            values[name] = value
    _refuse_unknown(values)
    try:
        return QueryWishes.model_validate(values)
    except ValidationError as error:
        raise problems.invalid(error.errors(include_url=False, include_input=False)) from None


def _refuse_unknown(values: Mapping[str, object]) -> None:
    for name in values:
        if name not in QueryWishes.model_fields:
            raise UnknownParameter(
                f"this call knows no parameter {name[:40]!r}; known are {', '.join(QueryWishes.model_fields)}",
                pointers=(f"/{name[:40]}",),
            )


def _refuse_query(request: Request) -> None:
    for name in request.query_params:
        raise UnknownParameter(
            f"with {JSON}, {name[:40]!r} is a member of the object, not a parameter", pointers=(f"/{name[:40]}",)
        )


def _unsupported(request: Request) -> UnsupportedMediaType:
    """The refusal that shows the line which works: `curl -d` sends a form and eats line ends."""
    address = f"{site_of(request).public_url}{request.url.path}"
    return UnsupportedMediaType(
        f"this call takes {PKCS10} or {JSON}; for a file: curl --data-binary @request.pem "
        f"-H 'Content-Type: {PKCS10}' -H 'Authorization: Bearer ms_live_...' {address}"
    )
