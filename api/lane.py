"""Lane, the few threads for calls that make keys: an RSA key takes a core for a second.

They wait for their turn on the event loop and hold no thread meanwhile, so that a burst of them delays nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

Given = ParamSpec("Given")
Made = TypeVar("Made")


def lane() -> CapacityLimiter:
    """As many threads as there are cores but one, at least one."""
    return CapacityLimiter(max(1, (os.cpu_count() or 1) - 1))


async def in_lane(request: Request, call: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Made:
    """Run a service call that makes keys, when it is its turn."""
    limiter: CapacityLimiter = request.app.state.lane
    return await to_thread.run_sync(partial(call, *given, **named), limiter=limiter)
