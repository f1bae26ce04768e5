"""`lookalike service`: writes, shows and removes the unit of a library. systemd itself is asked for nothing."""

import os
import pwd
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import Misconfigured, NotRunning
from lookalike.library.address import absolute
from lookalike.local.folders.library_folders import folder_of
from lookalike.local.service.unit import Library, Manager, Service, is_for, name_for
from lookalike.settings import Settings

UNIT_MODE = 0o644
SYSTEM_UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True)
class Placed:
    """A unit's file, and the commands that a person types next."""

    file: Path
    next: tuple[str, ...]


def service_of(
    settings: Settings,
    named: Sequence[Library],
    manager: Manager,
    *,
    name: str | None = None,
    run_as: str | None = None,
) -> Service:
    """The service that runs `up` on these folders, or on a bucket. Raises Misconfigured."""
    libraries = tuple(dict.fromkeys(map(_usable, named)))
    first, *others = libraries
    folders = [each for each in others if isinstance(each, Path)]
    if len(folders) < len(others) or (others and not isinstance(first, Path)):
        raise Misconfigured("A bucket is a library by itself: name it alone.")
    if manager == "user":
        if run_as is not None:
            raise Misconfigured("A service of a user runs as that user: leave out --run-as, or add --system.")
        # The same that `lookalike up` of this user takes, with the index that may be there.
        data: Path | None = folder_of(first, settings, folders).root
        user = None
    else:
        data = None if settings.data is None else Path(os.path.abspath(settings.data.expanduser()))  # noqa: PTH100
        user = _user(run_as, first)
    service = Service(
        name=name or name_for(first),
        libraries=libraries,
        data=data,
        # -P: nothing is imported from the working folder.
        program=(sys.executable, "-P", "-m", "lookalike"),
        user=user,
    )
    service.text()
    return service


def install(service: Service, into: Path | None) -> Placed:
    """Writes the unit, in place of one for the same folders. Raises Misconfigured."""
    folder = into or units_folder(service.manager)
    file = folder / service.file
    if file.exists() and not is_for(_read(file), service.libraries):
        raise Misconfigured(f"{file} is there and for something else: choose another name with --name.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.new")
        fresh.write_text(service.text(), "utf-8")
        fresh.chmod(UNIT_MODE)
        fresh.replace(file)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be written ({error.strerror}). {_remedy(service.manager)}") from error
    control = _control(service.manager)
    start = (f"{control} daemon-reload", f"{control} enable --now {service.file}")
    # Otherwise it ends when the user logs out.
    linger = ("loginctl enable-linger",) if service.manager == "user" else ()
    return Placed(file, (*start, *linger))


def uninstall(named: Sequence[Library], manager: Manager, into: Path | None, name: str | None = None) -> Placed:
    """Removes the unit of these folders; its data folder stays. Raises NotRunning, Misconfigured."""
    folder = into or units_folder(manager)
    candidates = [folder / f"{name}.service"] if name else sorted(folder.glob("lookalike-*.service"))
    # They need not be there any more.
    known = [absolute(each) for each in named]
    file = next((file for file in candidates if file.exists() and is_for(_read(file), known)), None)
    if file is None:
        told = ", ".join(map(str, known))
        raise NotRunning(f"There is no service for {told} in {folder}: `lookalike service install` makes one.")
    enabled = [link for link in folder.glob(f"*.wants/{file.name}") if link.is_symlink()]
    if enabled:
        control = _control(manager)
        raise Misconfigured(f"{file.name} is enabled: first run `{control} disable --now {shlex.quote(file.name)}`.")
    try:
        file.unlink()
    except OSError as error:
        raise Misconfigured(f"{file} cannot be removed ({error.strerror}). {_remedy(manager)}") from error
    return Placed(file, (f"{_control(manager)} daemon-reload",))


def units_folder(manager: Manager) -> Path:
    """Where systemd looks for the units that an administrator or a user writes."""
    if manager == "system":
        return SYSTEM_UNITS
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _usable(named: Library) -> Library:
    library = absolute(named)
    if isinstance(library, Path) and not library.is_dir():
        raise Misconfigured(f"{library} is no folder: name the one with the images.")
    return library


def _user(given: str | None, library: Library) -> str:
    """Who it runs as. Raises Misconfigured for an unknown user, and for root unless it is named."""
    if given is None and not isinstance(library, Path):
        raise Misconfigured("A bucket has no owner here: name a user of this machine with --run-as.")
    try:
        found = pwd.getpwuid(Path(library).stat().st_uid) if given is None else pwd.getpwnam(given)
    except KeyError:
        who = f"There is no user {given!r}" if given else f"The owner of {library} has no name"
        raise Misconfigured(f"{who}: name a user who may read it with --run-as.") from None
    if given is None and found.pw_uid == 0:
        raise Misconfigured(f"{library} is root's, who need not run this: name a user who may read it with --run-as.")
    return found.pw_name


def _control(manager: Manager) -> str:
    return "systemctl --user" if manager == "user" else "sudo systemctl"


def _remedy(manager: Manager) -> str:
    return "Run it with sudo, or leave out --system." if manager == "system" else "Name another folder with --into."


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace")
