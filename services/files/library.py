"""Files come in here: the object first, then row, event and checksum in one transaction.

Until that commits, the object is a removal that is waiting (`projections.files.tasks`): whatever happens in
between, there is no row without object, and no object without row for long.
"""

from __future__ import annotations

import fnmatch
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from domain.access.caller import SYSTEM
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR
from domain.errors import ContentTooLarge, Forbidden, InvalidPayload, RecordNotUnique, ServiceUnavailable
from domain.files.naming import allowed_type, disk_name, split_extension, title_of
from domain.files.transforms import TRANSFORMABLE
from domain.model import Model
from domain.settings_files import FilesSettings
from projections.database import Connection, Database
from projections.files import contents, tasks
from projections.files.contents import Content, Kept
from projections.files.versions import STORED, exchange
from projections.tables.item_writer import ItemWriter
from services.files.objects import INCOMING, Objects, keep_object
from services.files.upload import Measured, Upload, nothing
from services.images.pool import ImagePool
from services.storage.base import NotFound, Storage, StorageError

log = logging.getLogger("acta.files")
FILES = "directus_files"
OCTETS = "application/octet-stream"
INSPECTED = TRANSFORMABLE | {"image/gif"}
# What a caller needs the right to write, whether or not it was sent.
_CREATED = ("storage", "type", "title", "filename_download")
_KEPT = ("folder", "filename_disk", "title", "description", "metadata", "storage")
_DEFAULTS = ("width", "height", "metadata", "description", "tags", "title", "duration")


class Library:
    """Stores, replaces and inspects files."""

    def __init__(
        self,
        database: Database,
        writer: ItemWriter,
        objects: Objects,
        images: ImagePool,
        settings: FilesSettings,
    ) -> None:
        self._database = database
        self._writer = writer
        self._images = images
        self.objects = objects
        self.settings = settings

    async def store(self, command: Command, model: Model, upload: Upload) -> str:
        """Take in a new file; its id.

        Raises:
            Forbidden, InvalidPayload, RecordNotUnique, ContentTooLarge, ServiceUnavailable
        """
        if not command.rights.may(FILES, "create"):
            raise Forbidden.collection(FILES)
        self.check_type(upload)
        key, location = upload.key(), self._location(upload)
        path = upload.path(key)
        if "id" in upload.fields and await contents.exists(self._database, UUID(key)):
            raise RecordNotUnique(FILES, "id", value=key)
        async with self.objects.reserved(location, path) as task:
            if task is None:
                raise Forbidden()
            measured = await self._write(location, path, upload)
            content = Content(measured.sha256, measured.size, location, path)
            derived = await self._derived(upload, location, path)
            sent = await self._sent(upload, key, location)
            async with self._database.transaction() as connection:
                own = {"filename_disk": path, "filesize": content.size, "uploaded_on": _now(), **derived}
                await self._insert(command, model, connection, sent, own, content)
                await contents.add(connection, key, content)
                await keep_object(connection, task)
        return key

    async def replace(self, command: Command, model: Model, key: str, upload: Upload) -> None:
        """Give a file new contents; what it held before is kept by its checksum where the settings say so.

        Raises:
            Forbidden: also when there is no such file.
            InvalidPayload, ContentTooLarge, ServiceUnavailable
        """
        before = await contents.kept(self._database, UUID(key))
        if before is None or not command.rights.may(FILES, "update"):
            raise Forbidden()
        self.check_type(upload)
        sent = self._merged(before, upload, key)
        location, path = sent["storage"], sent["filename_disk"]
        incoming = INCOMING + uuid4().hex
        async with self.objects.reserved(location, incoming) as task:
            if task is None:
                raise Forbidden()
            measured = await self._write(location, incoming, upload)
            content = Content(measured.sha256, measured.size, location, path)
            derived = await self._derived(upload, location, incoming) if inspected(upload.type) else {}
            derived.pop("title", None)
            async with self._database.transaction() as connection:
                own = {"filesize": content.size, "uploaded_on": _now(), **derived}
                await self._update(command, model, connection, key, sent, own, content)
                keep = self.settings.keep_replaced
                ids = await exchange(connection, "swap", incoming, content, before, keep=keep)
                await keep_object(connection, task)
        await self.objects.settle(ids)

    async def bring_back(self, command: Command, model: Model, key: str, sha256: str) -> None:
        """Give a file contents again that it held before, with the type and the name it had then.

        Raises:
            Forbidden: when there is no such file, or it holds no such contents.
            ServiceUnavailable
        """
        before = await contents.kept(self._database, UUID(key))
        if before is None or not command.rights.may(FILES, "update"):
            raise Forbidden()
        async with self._database.connection() as connection:
            version = await contents.kept_version(connection, key, sha256)
        if version is None:
            raise Forbidden()
        name = version.filename_download or before.filename_download or key
        upload = Upload({"storage": version.location}, name, version.type or before.type or OCTETS, nothing())
        sent = self._merged(before, upload, key)
        content = Content(sha256, version.size, version.location, sent["filename_disk"])
        derived = await self._derived(upload, version.location, version.path)
        derived.pop("title", None)
        own = {"filesize": content.size, "uploaded_on": _now(), **derived}
        async with self._database.transaction() as connection:
            await self._update(command, model, connection, key, sent, own, content)
            keep = self.settings.keep_replaced
            ids = await exchange(connection, "copy", version.path, content, before, keep=keep)
        await self.objects.settle(ids)

    async def purge(self) -> None:
        """Have the contents of files removed that were deleted long enough ago."""
        await tasks.purge(self._database, self.settings.keep_deleted)

    async def inspect(self, location: str, path: str, media_type: str) -> dict[str, Any]:
        """What an image, sound or film says of itself, as fields of a file; empty for other types."""
        if not inspected(media_type):
            return {}
        try:
            if media_type not in INSPECTED:
                async with self.objects.as_excerpt(location, path) as source:
                    return await self._images.probe(str(source)) or {}
            entry = await self.objects.storage(location).stat(path)
            if entry is not None and entry.size > self._images.settings.memory:
                return {}
            async with self.objects.as_file(location, path) as source:
                found = await self._images.inspect(str(source))
        except StorageError as error:
            raise ServiceUnavailable("files", f"{error}") from error
        return {} if found is None else self._fields_of(found)

    def _fields_of(self, found: dict[str, Any]) -> dict[str, Any]:
        sections = found["metadata"]
        iptc = sections.get("iptc", {})
        fields = {
            "width": found["width"],
            "height": found["height"],
            "metadata": _allowed(sections, self.settings.metadata),
        }
        for name, source in (("description", "caption"), ("title", "headline"), ("tags", "keywords")):
            if iptc.get(source):
                fields[name] = iptc[source]
        return fields

    async def _derived(self, upload: Upload, location: str, path: str) -> dict[str, Any]:
        found = await self.inspect(location, path, upload.type)
        fields = {
            name: found[name]
            for name in _DEFAULTS
            if name in found and upload.fields.get(name) is None and not (name == "title" and upload.title)
        }
        if isinstance(fields.get("title"), str):
            fields["title"] = fields["title"][:255]
        return fields

    async def _sent(self, upload: Upload, key: str, location: str) -> dict[str, Any]:
        """The metadata whose writing needs the caller's rights."""
        sent = {name: value for name, value in upload.fields.items() if name != "filename_disk"}
        sent |= {"id": key, "storage": location, "type": upload.type, "filename_download": upload.name()}
        if sent.get("title") is None:
            sent["title"] = upload.title or title_of(upload.name())
        if "folder" not in sent:
            folder = await contents.default_folder(self._database)
            if folder is not None:
                sent["folder"] = folder
        return sent

    def _merged(self, before: Kept, upload: Upload, key: str) -> dict[str, Any]:
        """The metadata of a replacement: what is sent, over what is kept."""
        sent = {name: getattr(before, name) for name in _KEPT} | {
            name: value for name, value in upload.fields.items() if name != "id"
        }
        sent["filename_download"] = upload.name()
        sent["type"] = upload.type
        path = upload.path(key) if upload.fields.get("filename_disk") else before.filename_disk
        new = disk_name(key, upload.name(), upload.type)
        if path is None or split_extension(path)[1] != split_extension(new)[1]:
            path = new
        sent["filename_disk"] = path
        if self.objects.locations.get(str(sent["storage"])) is None:
            raise InvalidPayload(f'Location "{sent["storage"]}" doesn\'t exist.')
        return sent

    async def _write(self, location: str, path: str, upload: Upload) -> Measured:
        storage = self.objects.storage(location)
        try:
            if upload.placed is None:
                await storage.write(path, upload.stream(self.settings.max_upload_size))
            else:
                await self._take(storage, path, upload, upload.placed)
        except StorageError as error:
            log.warning("an upload to %s failed: %s", location, error)
            raise ServiceUnavailable("files", f"Couldn't save the file: {error}") from error
        upload.check()
        return upload.measured

    async def _take(self, storage: Storage, path: str, upload: Upload, placed: str) -> None:
        """Measure what lies in the storage already, where nobody else can change it any more."""
        try:
            await storage.move(placed, path)
        except NotFound:
            raise InvalidPayload("Nothing has been uploaded") from None
        upload.chunks = storage.read(path)
        async for _ in upload.stream(self.settings.max_upload_size):
            pass

    async def _insert(
        self,
        command: Command,
        model: Model,
        connection: Connection,
        sent: dict[str, Any],
        own: dict[str, Any],
        content: Content,
    ) -> None:
        noted = self.noting(command, content)
        if command.rights.admin:
            await self._writer.create(noted, model, FILES, [{**sent, **own}], connection=connection)
            return
        # An id that nobody asked for needs no right.
        limited = self.with_own_id(noted)
        await self._writer.create(limited, model, FILES, [sent], connection=connection)
        await self._writer.update(internal(noted), model, FILES, [sent["id"]], own, connection=connection)

    async def _update(
        self,
        command: Command,
        model: Model,
        connection: Connection,
        key: str,
        sent: dict[str, Any],
        own: dict[str, Any],
        content: Content,
    ) -> None:
        noted = self.noting(command, content)
        if await tasks.taken(connection, [tasks.Wanted(content.location, content.path, key)]):
            raise Forbidden()
        if command.rights.admin:
            done = await self._writer.update(
                noted, model, FILES, [key], {**sent, **own}, connection=connection
            )
        else:
            done = await self._writer.update(noted, model, FILES, [key], sent, connection=connection)
            await self._writer.update(internal(noted), model, FILES, [key], own, connection=connection)
        if not done:
            raise Forbidden()

    @staticmethod
    def noting(command: Command, content: Content) -> Command:
        """A command whose events tell the contents."""
        return command.noting(**{STORED: {"sha256": content.sha256, "size": content.size}})

    @staticmethod
    def with_own_id(command: Command) -> Command:
        """A command that may also write the id of a new file, which the caller did not choose."""
        rules = tuple(
            replace(rule, fields=rule.fields | {"id"}) if rule.fields is not None else rule
            for rule in command.rights.of(FILES, "create")
        )
        rights = replace(
            command.rights,
            key=f"{command.rights.key}/upload",
            rules={**command.rights.rules, (FILES, "create"): rules},
        )
        return replace(command, rights=rights)

    @staticmethod
    async def drop_parts(connection: Connection, file: str) -> None:
        """Have the parts of a resumable upload removed."""
        await tasks.remove_parts(connection, file)

    def _location(self, upload: Upload) -> str:
        name = str(upload.fields.get("storage") or self.objects.locations.default)
        if self.objects.locations.get(name) is None:
            raise InvalidPayload(f'Location "{name}" doesn\'t exist.')
        return name

    def check_size(self, size: int | None) -> None:
        """Refuse a size that is announced. Raises ContentTooLarge."""
        if size is not None and self.settings.max_upload_size and size > self.settings.max_upload_size:
            raise ContentTooLarge()

    def check_type(self, upload: Upload) -> None:
        """Refuse a type that the settings don't allow. Raises InvalidPayload."""
        if not allowed_type(upload.type, self.settings.mime_types):
            raise InvalidPayload("File is of invalid content type")


def inspected(media_type: str) -> bool:
    """Whether files of a type say something of themselves."""
    return media_type in INSPECTED or media_type.startswith(("audio/", "video/"))


def internal(command: Command) -> Command:
    """A command for what Acta writes by itself: without rights, activity or author."""
    return replace(command, caller=SYSTEM, rights=ADMINISTRATOR).noting(silent=True)


def _allowed(sections: dict[str, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    if "*" in wanted:
        return sections
    found: dict[str, Any] = {}
    for section, values in sections.items():
        for name, value in values.items():
            if any(fnmatch.fnmatchcase(f"{section}.{name}", pattern) for pattern in wanted):
                found.setdefault(section, {})[name] = value
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
