"""Every object of the object store, key and bytes."""

from __future__ import annotations

from cli.erasing.needles import Needles
from cli.erasing.searched import Searched
from infra.clients.objects import ObjectsUnavailableError, open_objects
from infra.settings import Settings

PLACE = "Objects"


async def search_objects(settings: Settings, needles: Needles) -> Searched:
    """Keys and bytes as they are; what a picture shows is beyond us."""
    searched = Searched(PLACE, "objects")
    if settings.objects_url.startswith("memory:"):
        searched.could_not(PLACE, "they are in another process's memory")
        return searched
    try:
        async for key, data in open_objects(settings).everything():
            searched.look("an object", key.encode() + b"\n" + data, needles)
    except ObjectsUnavailableError as error:
        searched.could_not(PLACE, error)
    return searched
