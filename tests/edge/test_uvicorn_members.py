"""The members of uvicorn that edge/server.py overrides or sets are there, and uvicorn uses them as we assume.

When this fails after an upgrade of uvicorn, look at edge/server.py before the pin in pyproject.toml is moved.
"""

import inspect

import uvicorn

from edge.server import _Server

# Overridden member -> its parameters.
OVERRIDDEN = {
    "__init__": ["self", "config"],
    "startup": ["self", "sockets"],
    "capture_signals": ["self"],
}


def test_exactly_these_members_are_overridden() -> None:
    plumbing = {"__module__", "__doc__", "__firstlineno__", "__static_attributes__"}
    ours = {name for name in vars(_Server) if hasattr(uvicorn.Server, name)} - plumbing

    assert ours == set(OVERRIDDEN)


def test_they_have_the_parameters_that_we_pass_on() -> None:
    found = {name: [*inspect.signature(getattr(uvicorn.Server, name)).parameters] for name in OVERRIDDEN}

    assert found == OVERRIDDEN
    assert inspect.iscoroutinefunction(uvicorn.Server.startup)
    # A context manager, as ours is: `contextmanager` wraps a generator function.
    assert inspect.isgeneratorfunction(inspect.unwrap(uvicorn.Server.capture_signals))


def test_serving_goes_through_them() -> None:
    serving = inspect.getsource(uvicorn.Server.serve) + inspect.getsource(uvicorn.Server._serve)  # noqa: SLF001

    assert "with self.capture_signals():" in serving
    assert "await self.startup(sockets=sockets)" in serving


def test_a_flag_ends_it() -> None:
    server = uvicorn.Server(uvicorn.Config("app"))

    assert server.should_exit is False
    assert "self.should_exit" in inspect.getsource(uvicorn.Server.on_tick)
