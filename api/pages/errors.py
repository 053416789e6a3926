"""What the pages for people refuse by themselves.

Malformed    CookieMissing
Forbidden    FormFromElsewhere
Conflict     SessionChanged
"""

from __future__ import annotations

from formats.errors import Conflict, Forbidden, Malformed


class CookieMissing(Malformed):
    """The browser did not send back the cookie that the page of the link had set."""

    code = "cookie_missing"
    hint = "allow cookies for this site, and open the link in the letter again"


class FormFromElsewhere(Forbidden):
    """The form was not sent from a page of this site, or the browser does not say so."""

    code = "form_from_elsewhere"
    hint = "open the page on this site and send its form from there"


class SessionChanged(Conflict):
    """The form is of another address than the one whose certificates are open in this browser now."""

    code = "session_changed"
    hint = "load the page of your certificates again, and look which address it is for"
