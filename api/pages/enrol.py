"""The way in: an address is given, a link comes by letter, and its page opens the certificates of that address."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.pace import Pace
from api.pages import forms, render, visitor
from api.pages.desk import People
from api.pages.errors import CookieMissing
from formats.mailbox import Mailbox, MailboxError
from services.words import pages as words

# Of one network, which may be a lecture hall of people behind one address.
LINKS: Final = 30
OPENINGS: Final = 120


def routes(environment: Environment, *, people: People) -> list[Route]:
    """The routes of the form and of the link."""
    links = Pace(per_minute=LINKS, burst=LINKS)
    openings = Pace(per_minute=OPENINGS, burst=OPENINGS)

    async def form(_request: Request) -> Response:
        return _form(environment, people)

    async def ask(request: Request) -> Response:
        fields = await forms.read(request, names={"address"})
        links.take(visitor.network(request, people=people))
        return await _ask(request, environment, people, address=fields["address"].strip())

    async def link(request: Request) -> Response:
        return await _link(request, environment, people)

    async def enter(request: Request) -> Response:
        await forms.read(request, names=())
        openings.take(visitor.network(request, people=people))
        return await _enter(request, people)

    return [
        render.route("/enrol", form),
        render.route("/enrol", ask, methods=["POST"]),
        render.route("/enrol/{token}", link),
        render.route("/enrol/{token}/open", enter, methods=["POST"]),
    ]


def _form(environment: Environment, people: People, *, address: str = "", fault: str | None = None) -> Response:
    status = 422 if fault else 200
    return render.form_page(
        environment, "enrol.html", status=status, domains=people.mail_domains, address=address, fault=fault
    )


async def _ask(request: Request, environment: Environment, people: People, *, address: str) -> Response:
    """One answer for every address of the campus that can be read, and not before `patience` is over."""
    loop = asyncio.get_running_loop()
    due = loop.time() + people.patience
    try:
        if Mailbox.parse(address).domain not in people.mail_domains:
            # Which they are stands on the page: nobody is kept waiting for a letter that nobody writes.
            return _form(environment, people, address=address, fault=words.not_of_this_campus(people.mail_domains))
        await run_in_threadpool(people.desk.request_link, address=address, request_id=visitor.request_id(request))
    except MailboxError:
        example = f"alice@{people.mail_domains[0]}"
        fault = f"This is not a mail address, such as {example}." if address else "Enter your mail address."
        return _form(environment, people, address=address, fault=fault)
    await asyncio.sleep(max(0.0, due - loop.time()))
    return render.form_page(environment, "asked.html", domains=people.mail_domains, address=address)


async def _link(request: Request, environment: Environment, people: People) -> Response:
    """The page of a link: it uses nothing up, as mail scanners open every link, and says at once if it is used up.

    A browser that comes from another site, such as from webmail, does not send its cookie along; it is sent here once
    more from our own page, so that it keeps the secret that it has. Another site's word for that counts for nothing.
    """
    here = f"/enrol/{quote(request.path_params['token'], safe='')}"
    known = visitor.browser(request)
    is_foreign = request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
    if known is None and is_foreign:
        return render.form_page(environment, "arrived.html", here_again=f"{here}?here")
    token = request.path_params["token"]
    if await run_in_threadpool(people.desk.find_link, token=token, browser=known):
        return RedirectResponse("/mine", 303)  # the back button, a bookmark
    page = render.form_page(environment, "link.html", action=f"{here}/open")
    if known is None:
        visitor.remember(request, page, secret=people.desk.new_browser_secret())
    return page


async def _enter(request: Request, people: People) -> Response:
    browser = visitor.browser(request)
    if browser is None:
        raise CookieMissing("the browser sent no cookie")
    opened = await run_in_threadpool(
        people.desk.open_session,
        token=request.path_params["token"],
        browser=browser,
        request_id=visitor.request_id(request),
    )
    answer = RedirectResponse("/mine", 303)
    # Whoever had the earlier secret set in this browser, to share what it opens, does not know this one.
    visitor.remember(request, answer, secret=opened.secret)
    return answer
