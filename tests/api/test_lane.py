import asyncio
import threading
from types import SimpleNamespace
from typing import Any

from api.lane import in_lane, lane


def test_calls_that_make_keys_take_turns_and_hold_no_thread_meanwhile() -> None:
    running, most, gate = 0, 0, threading.Event()
    lock = threading.Lock()

    def make_key(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(5)
        with lock:
            running -= 1
        return number

    async def burst() -> tuple[list[int], float]:
        limiter = lane()
        request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(lane=limiter)))
        waiting = [asyncio.ensure_future(in_lane(request, make_key, number)) for number in range(60)]
        await asyncio.sleep(0.1)
        assert limiter.borrowed_tokens == limiter.total_tokens
        # Everybody else still has all of the usual threads.
        assert await asyncio.to_thread(lambda: "served") == "served"
        gate.set()
        return await asyncio.gather(*waiting), limiter.total_tokens

    made, threads = asyncio.run(burst())
    assert made == list(range(60))
    assert most <= threads
