"""The members of uvicorn that edge/server.py and web/server.py override are there, and are used as we assume.

When this fails after an upgrade of uvicorn, look at both before the pin in pyproject.toml is moved.
"""

import inspect

import uvicorn

from edge.server import _Server
from web.server import Server as GalleryServer

# Overridden member -> its parameters.
OVERRIDDEN = {
    "__init__": ["self", "config"],
    "startup": ["self", "sockets"],
    "capture_signals": ["self"],
    "main_loop": ["self"],
}


def test_exactly_these_members_are_overridden() -> None:
    plumbing = {"__module__", "__doc__", "__firstlineno__", "__static_attributes__"}
    ours = {name for name in vars(_Server) if hasattr(uvicorn.Server, name)} - plumbing

    assert ours == set(OVERRIDDEN)


def test_they_have_the_parameters_that_we_pass_on() -> None:
    found = {name: [*inspect.signature(getattr(uvicorn.Server, name)).parameters] for name in OVERRIDDEN}

    assert found == OVERRIDDEN
    assert inspect.iscoroutinefunction(uvicorn.Server.startup)
    assert inspect.iscoroutinefunction(uvicorn.Server.main_loop)
    # A context manager, as ours is: `contextmanager` wraps a generator function.
    assert inspect.isgeneratorfunction(inspect.unwrap(uvicorn.Server.capture_signals))


def test_the_gallery_overrides_what_uvicorn_calls() -> None:
    ours = {name for name in vars(GalleryServer) if hasattr(uvicorn.Server, name) and not name.startswith("__")}

    assert ours == {"main_loop", "handle_exit"}
    assert [*inspect.signature(uvicorn.Server.handle_exit).parameters] == ["self", "sig", "frame"]
    assert "signal.signal(sig, self.handle_exit)" in inspect.getsource(uvicorn.Server.capture_signals)


def test_serving_goes_through_them() -> None:
    serving = inspect.getsource(uvicorn.Server.serve) + inspect.getsource(uvicorn.Server._serve)  # noqa: SLF001

    assert "with self.capture_signals():" in serving
    assert "await self.startup(sockets=sockets)" in serving
    assert "await self.main_loop()" in serving


def test_all_that_its_own_loop_does_is_to_tick() -> None:
    server = uvicorn.Server(uvicorn.Config("app"))

    assert server.should_exit is False
    assert [*inspect.signature(uvicorn.Server.on_tick).parameters] == ["self", "counter"]
    assert "self.server_state.default_headers = " in inspect.getsource(uvicorn.Server.on_tick)
    assert [line for line in inspect.getsource(uvicorn.Server.main_loop).splitlines() if "await" in line] == [
        "        should_exit = await self.on_tick(counter)",
        "            await asyncio.sleep(0.1)",
        "            should_exit = await self.on_tick(counter)",
    ]
