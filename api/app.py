"""The application around a Context."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from starlette.routing import Route

from api import ocsp, status
from api.assembly import Parts, assemble
from api.desk import ServiceDesk
from api.envelope import Envelope
from api.pages.desk import People
from api.pages.home import Home
from api.routers import ROUTERS
from api.site import Site
from formats.errors import Refusal
from services import founding, jobs, publication, start
from services import status as published
from services.context import Context
from services.words import first_steps


def create_app(context: Context, *, titles: Mapping[str, str]) -> Envelope:
    """The ASGI application; it runs the timetable of jobs while it serves, and closes the context when it ends."""
    settings = context.settings
    site = Site(
        public_url=settings.public_url,
        titles=titles,
        message_octets=settings.message_limit,
        rate_limit=settings.rate_limit,
        trusted_proxies=settings.trusted_proxies,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        timetable = jobs.Timetable(context)
        timetable.start()
        try:
            yield
        finally:
            await asyncio.to_thread(timetable.stop)
            start.close_context(context)

    return assemble(
        Parts(
            site=site,
            routers=ROUTERS,
            context=context,
            is_ready=lambda: is_ready(context),
            home=lambda: home(context),
            people=people(context),
            status_routes=status_routes(context),
            lifespan=lifespan,
        )
    )


def is_ready(context: Context) -> bool:
    """Whether every endpoint answers: the database does, and there are a CRL and an OCSP delegate."""
    try:
        return publication.is_ready(context)
    except Refusal as refusal:
        structlog.get_logger("api").warning("not_ready", problem=refusal.code)
        return False


def home(context: Context) -> Home:
    """What the page at / shows; in the demo its lines name the file with the first API key, wherever that is."""
    campus = context.issuers.campus
    key_file = str(founding.admin_key_file(context.settings).resolve()) if campus.demo else founding.ADMIN_KEY
    return Home(
        campus_name=campus.campus_name,
        demo=campus.demo,
        mail_domains=campus.mail_domains,
        root_name=context.issuers.root.subject,
        root_sha256=context.issuers.root.sha256,
        lines=first_steps.lines(
            context.settings.public_url, key_file=key_file, domain=campus.mail_domains[0], is_demo=campus.demo
        ),
        help_url=context.settings.help_url,
    )


def people(context: Context) -> People:
    """The pages with forms, answered by the services."""
    settings = context.settings
    return People(
        desk=ServiceDesk(context),
        mail_domains=context.issuers.campus.mail_domains,
        demo=context.issuers.campus.demo,
        trusted_proxies=settings.trusted_proxies,
        help_url=settings.help_url,
        help_email=settings.help_email,
    )


def status_routes(context: Context) -> list[Route]:
    """CRLs, issuer certificates and OCSP at the addresses inside the certificates."""

    def crl_of(authority_id: str) -> published.CrlRow:
        with context.database.read(timeout=1.0) as read:
            return published.crl(read, authority_id, at=context.clock())

    def issuer_of(authority_id: str) -> bytes:
        with context.database.read(timeout=1.0) as read:
            return published.authority(read, authority_id).certificate.der

    def answer_to(authority_id: str, request: bytes) -> publication.OcspAnswer:
        return publication.answer_ocsp(context, authority_id, request)

    return [
        *status.routes(crl_of=crl_of, issuer_of=issuer_of, clock=context.clock),
        *ocsp.routes(answer_to=answer_to, clock=context.clock),
    ]
