"""My certificates: whoever opened a link sees those of its address, makes a new one, and ends one."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api import problems
from api.lane import in_lane
from api.pace import Pace
from api.pages import forms, render, visitor
from api.pages.desk import People, Session
from api.pages.errors import SessionChanged
from formats.errors import Malformed, Refusal, Unacceptable
from formats.mailbox import Mailbox
from services.certificates import CertificateView
from services.enrolments import REQUEST_OCTETS
from services.errors import AlreadyDelivered, AlreadyRevoked, CertificateNotFound, ChoiceUnknown, InProgress
from services.words import pages as words

# Certificates that one link makes in a minute, so that nobody fills the register at once.
MADE: Final = 10
CHAIN: Final = "application/pem-certificate-chain"
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """What each call below needs: who is asked, how pages are made, and the pace of making."""

    environment: Environment
    people: People
    making: Pace

    async def session(self, request: Request, fields: Mapping[str, str] | None = None) -> Session:
        """The session of this browser; SessionChanged if the form is of another one, as with two tabs."""
        found = await run_in_threadpool(
            self.people.desk.session, browser=visitor.browser(request), request_id=visitor.request_id(request)
        )
        if fields is not None and fields["of"] != found.enrolment_id:
            raise SessionChanged("the form is of another session than the one that is open")
        return found


def routes(environment: Environment, *, people: People) -> list[Route]:
    """The routes below /mine, each of them behind the session."""
    mine = Mine(environment=environment, people=people, making=Pace(per_minute=MADE, burst=MADE))

    async def show(request: Request) -> Response:
        return await _page(mine, await mine.session(request), done="done" in request.query_params)

    async def make_file(request: Request) -> Response:
        return await _make_file(request, mine)

    async def certify(request: Request) -> Response:
        return await _certify(request, mine)

    async def download(request: Request) -> Response:
        return await _download(request, mine)

    async def end(request: Request) -> Response:
        return await _end(request, mine)

    async def leave(request: Request) -> Response:
        return await _leave(request, mine)

    return [
        render.route("/mine", show),
        render.route("/mine/file", make_file, methods=["POST"]),
        render.route("/mine/request", certify, methods=["POST"]),
        render.route("/mine/end", end, methods=["POST"]),
        render.route("/mine/leave", leave, methods=["POST"]),
        render.route("/mine/certificates/{serial}.pem", download),
    ]


async def _page(
    mine: Mine,
    session: Session,
    *,
    status: int = 200,
    done: bool = False,
    handed_out: bool = False,
    faults: Mapping[str, str] | None = None,
) -> Response:
    """The page of a session; `faults` are texts by the form that they belong to."""
    desk = mine.people.desk
    return render.form_page(
        mine.environment,
        "mine.html",
        status=status,
        mailbox=session.mailbox.unicode,
        left=words.left(session.expires_at - desk.now()),
        of=session.enrolment_id,
        # One text for each form, which makes what it asks for once however often it is sent.
        once=secrets.token_urlsafe(16),
        once_request=secrets.token_urlsafe(16),
        certificates=await run_in_threadpool(desk.mine, session),
        words=words,
        done=done,
        handed_out=handed_out,
        faults=faults or {},
        request_kib=REQUEST_OCTETS // 1024,
    )


async def _make_file(request: Request, mine: Mine) -> Response:
    fields = await forms.read(request, names={"of", "once", "key", "format"})
    session = await mine.session(request, fields)
    if fields["key"] not in words.MAKERS or fields["format"] not in words.FORMATS:
        raise ChoiceUnknown("the form offers no such key or file")
    mine.making.take(session.enrolment_id)
    try:
        made = await in_lane(
            request,
            mine.people.desk.make_file,
            session,
            key=fields["key"],
            file_format=fields["format"],
            once=fields["once"],
        )
    except (AlreadyDelivered, InProgress) as refusal:
        return await _page(mine, session, status=problems.status_of(refusal), handed_out=True)
    return render.form_page(
        mine.environment,
        "file.html",
        mailbox=session.mailbox.unicode,
        passphrase=made.passphrase,
        file=base64.b64encode(made.pkcs12).decode("ascii"),
        name=file_name(session.mailbox, view=made.view, ending="p12"),
        view=made.view,
        words=words,
    )


async def _certify(request: Request, mine: Mine) -> Response:
    content, fields = await forms.read_file(request, file="request", limit=REQUEST_OCTETS, names={"of", "once"})
    session = await mine.session(request, fields)
    if not content:
        return await _page(mine, session, status=422, faults={"request": "Choose the file with your request first."})
    mine.making.take(session.enrolment_id)
    try:
        view = await run_in_threadpool(mine.people.desk.certify_request, session, request=content, once=fields["once"])
    except (Malformed, Unacceptable) as refusal:
        return await _page(mine, session, status=problems.status_of(refusal), faults={"request": _fault(refusal)})
    return render.form_page(
        mine.environment,
        "certified.html",
        mailbox=session.mailbox.unicode,
        view=view,
        chain=_chain(view),
        name=file_name(session.mailbox, view=view, ending="pem"),
        words=words,
    )


async def _download(request: Request, mine: Mine) -> Response:
    """One certificate of the session with its chain; CertificateNotFound for every other serial."""
    session = await mine.session(request)
    held = await run_in_threadpool(mine.people.desk.mine, session)
    view = next((one for one in held if one.serial == request.path_params["serial"]), None)
    if view is None or view.certificate is None:
        raise CertificateNotFound("there is no such certificate of this mailbox")
    name = file_name(session.mailbox, view=view, ending="pem")
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(_chain(view), media_type=CHAIN, headers=headers)


async def _end(request: Request, mine: Mine) -> Response:
    """End one for good; one that has ended is no fault, as after a double click."""
    fields = await forms.read(request, names={"of", "serial", "reason"})
    session = await mine.session(request, fields)
    if fields["reason"] not in words.REASONS:
        fault = "Choose why you end it. Nothing was ended."
        return await _page(mine, session, status=422, faults={fields["serial"]: fault})
    with suppress(AlreadyRevoked):
        await run_in_threadpool(mine.people.desk.end, session, serial=fields["serial"], reason=fields["reason"])
    return RedirectResponse("/mine?done", 303)


async def _leave(request: Request, mine: Mine) -> Response:
    session = await mine.session(request, await forms.read(request, names={"of"}))
    await run_in_threadpool(mine.people.desk.end_session, session)
    left = RedirectResponse("/", 303)
    visitor.forget(request, left)
    return left


def file_name(mailbox: Mailbox, *, view: CertificateView, ending: str) -> str:
    """A name for a file to save, of plain letters whatever the address holds."""
    local = _NOT_IN_A_NAME.sub("-", mailbox.local).strip("-.")[:40] or "certificate"
    return f"{local}-{view.serial[:8]}.{ending}"


def _chain(view: CertificateView) -> str:
    held = () if view.certificate is None else (view.certificate,)
    return "".join(one.pem for one in (*held, *view.chain))


def _fault(refusal: Refusal) -> str:
    return f"{words.sentence(refusal.detail)} {words.sentence(refusal.hint)}"
