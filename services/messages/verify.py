"""Verify a message: read it, gather trust for what it holds, judge."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from services import access, trust
from services.access import Principal
from services.context import Context
from services.trust import Given
from smime import verify as craft
from smime.message import read_message
from smime.report import Report

# A signed letter without attachments; hostile ones of any size may cost more than an event loop can spare.
INLINE_OCTETS: Final = 24 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The report, and the bytes that were really signed, if the message is signed at all."""

    report: Report
    signed_bytes: bytes | None


async def verify(context: Context, principal: Principal, *, data: bytes, given: Given) -> Verified:
    """Judge a message; own anchors, evidence, time or options need the scope messages:verify-custom."""
    access.allow(principal, "messages.verify")
    if given.is_custom:
        access.allow(principal, "messages.verify_custom")
    if len(data) <= INLINE_OCTETS and not given.is_custom:
        return judge(context, data, given)
    return await asyncio.to_thread(judge, context, data, given)


def check(context: Context, *, data: bytes) -> Verified:
    """Judge a message for anybody, by our own trust alone; nothing is recorded."""
    return judge(context, data, Given())


def judge(context: Context, data: bytes, given: Given) -> Verified:
    """Judge a message by the given trust, or by our own."""
    message = read_message(data, limit=context.settings.message_limit)
    opened = craft.read(message)
    report = craft.judge(opened, trust=trust.gather(context, opened, given=given))
    signed = craft.signed_bytes(opened) if opened.signers else None
    return Verified(report=report, signed_bytes=signed)
