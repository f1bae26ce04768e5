"""`lookalike systems`: the libraries of this user on this machine, and which of them are served now."""

from pydantic import BaseModel, ConfigDict

from lookalike.local.folders.library_folders import joined_by
from lookalike.local.folders.library_identity import owned_by
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, data_folder, known_folders
from lookalike.system.discovery import running_on, running_systems


class System(BaseModel):
    """One library and its data folder; `library` is null before its first start has ended."""

    model_config = ConfigDict(frozen=True)

    library: str | None
    # Of a library of several; empty for any other.
    folders: list[str] = []
    library_id: str | None
    data: str
    is_running: bool
    flower_url: str | None


def systems(settings: Settings) -> list[System]:
    """All that are known: running ones first, each group in the order of its libraries."""
    running = [DataFolder(system.data) for system in running_systems(settings)]
    folders = dict.fromkeys([*running, *known_folders(data_folder(settings))])
    found = [_system(folder) for folder in folders]
    return sorted(found, key=lambda system: (not system.is_running, system.library or ""))


def _system(folder: DataFolder) -> System:
    owned, running = owned_by(folder), running_on(folder)
    folders = [str(path) for path in joined_by(owned).folders.values()]
    return System(
        library=", ".join(folders) or owned.root,
        folders=folders,
        library_id=owned.id,
        data=str(folder.root),
        is_running=running is not None,
        flower_url=None if running is None else running.flower_url,
    )
