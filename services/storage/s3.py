"""Objects in a bucket, through the blocking client `minio` behind threads of its own.

An upload goes straight on in parts of 10 MB, so memory is bounded and the local disk untouched.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any, BinaryIO, Literal, TypeVar, cast
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.credentials.providers import (
    ChainedProvider,
    EnvAWSProvider,
    IamAwsProvider,
    StaticProvider,
)
from minio.error import MinioException, S3Error
from minio.sse import Sse, SseKMS, SseS3

from domain.settings import S3Storage as S3Settings
from services.storage.base import CHUNK, NO_HEADERS, Chunks, Entry, NotFound, Storage, StorageError

PART = 10 * 1024 * 1024
LARGEST_COPY = 5 * 1024**3
THREADS = 32
_MISSING = {"NoSuchKey", "NoSuchObject", "NoSuchUpload"}
T = TypeVar("T")


class S3Storage(Storage):
    """One bucket, below a prefix."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = settings.bucket
        self._prefix = settings.root.strip("/") + "/" if settings.root.strip("/") else ""
        self._headers: Any = {"x-amz-acl": settings.acl} if settings.acl else None
        self._encryption = _encryption(settings)
        self._threads = ThreadPoolExecutor(min(THREADS, settings.max_sockets), "acta s3")
        self._client = _client(settings, settings.endpoint)
        self._public = _client(settings, settings.public_endpoint or settings.endpoint)

    async def write(self, path: str, chunks: Chunks) -> int:
        """Store an object, in parts as they come; an incomplete one is taken back."""
        feed = _Feed(chunks, asyncio.get_running_loop())
        try:
            await self._run(
                lambda: self._client.put_object(
                    self._bucket,
                    self._key(path),
                    cast("BinaryIO", feed),
                    -1,
                    part_size=PART,
                    num_parallel_uploads=1,
                    metadata=self._headers,
                    sse=self._encryption,
                )
            )
        except StorageError:
            if feed.failure is not None:
                raise feed.failure from None
            raise
        except asyncio.CancelledError:
            feed.stop()
            raise
        return feed.size

    async def read(self, path: str, start: int = 0, length: int | None = None) -> Chunks:
        """The bytes of an object."""
        if length == 0:
            return
        response = await self._run(
            lambda: self._client.get_object(self._bucket, self._key(path), offset=start, length=length or 0)
        )
        try:
            while chunk := await self._run(lambda: response.read(CHUNK)):
                yield chunk
        finally:
            # Closed, not given back: the rest of a large object is not worth reading.
            response.close()
            response.release_conn()

    async def stat(self, path: str) -> Entry | None:
        """Size and time of an object."""
        try:
            found = await self._run(lambda: self._client.stat_object(self._bucket, self._key(path)))
        except NotFound:
            return None
        modified = found.last_modified.timestamp() if found.last_modified else 0.0
        return Entry(path, found.size or 0, modified)

    async def delete(self, path: str) -> None:
        """Remove an object, and the parts of interrupted uploads to it."""
        await self._run(lambda: self._delete(self._key(path)))

    async def move(self, path: str, target: str) -> None:
        """Copy inside the service, then remove."""
        await self.copy(path, target)
        await self.delete(path)

    async def copy(self, path: str, target: str) -> None:
        """Copy inside the service."""
        entry = await self.stat(path)
        if entry is None:
            raise NotFound(path)
        await self._run(lambda: self._copy(self._key(path), self._key(target), entry.size))

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        """Objects by prefix."""
        found = await self._run(
            lambda: [*self._client.list_objects(self._bucket, prefix=self._key(prefix), recursive=True)]
        )
        for entry in found:
            name = (entry.object_name or "").removeprefix(self._prefix)
            modified = entry.last_modified.timestamp() if entry.last_modified else 0.0
            yield Entry(name, entry.size or 0, modified)

    async def presign(
        self, method: Literal["GET", "PUT"], path: str, seconds: int, headers: Mapping[str, str] = NO_HEADERS
    ) -> str:
        """A signed address, good for so many seconds."""
        answered: Any = {f"response-{name.lower()}": value for name, value in headers.items()}
        return await self._run(
            lambda: self._public.get_presigned_url(
                method,
                self._bucket,
                self._key(path),
                expires=timedelta(seconds=seconds),
                response_headers=answered or None,
            )
        )

    def _key(self, path: str) -> str:
        return self._prefix + path

    def _copy(self, source: str, target: str, size: int) -> None:
        if size >= LARGEST_COPY:
            parts = [ComposeSource(self._bucket, source)]
            self._client.compose_object(
                self._bucket, target, parts, sse=self._encryption, metadata=self._headers
            )
        else:
            place = CopySource(self._bucket, source)
            self._client.copy_object(
                self._bucket, target, place, sse=self._encryption, metadata=self._headers
            )

    def _delete(self, key: str) -> None:
        self._client.remove_object(self._bucket, key)
        # The package has no public call for what an upload that was cut off leaves behind.
        listed = self._client._list_multipart_uploads(self._bucket, prefix=key)
        for upload in listed.uploads:
            if upload.object_name == key and upload.upload_id:
                with suppress(S3Error):
                    self._client._abort_multipart_upload(self._bucket, key, upload.upload_id)

    async def _run(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work)
        except S3Error as error:
            if error.code in _MISSING:
                raise NotFound(str(error.code)) from error
            raise StorageError(f"{error.code}: {error.message}") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise StorageError(type(error).__name__) from error


class _Feed(io.RawIOBase):
    """Chunks of the event loop as a blocking file for one thread."""

    def __init__(self, chunks: Chunks, loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        self._left = b""
        self._stopped = False
        self.size = 0
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def stop(self) -> None:
        """Make the next read fail: nobody waits for the upload any more."""
        self._stopped = True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer only at the end."""
        parts, wanted = [], size
        while wanted:
            if not self._left:
                self._left = self._next()
                if not self._left:
                    break
            parts.append(self._left[:wanted])
            self._left = self._left[wanted:]
            wanted -= len(parts[-1])
        self.size += size - wanted
        return b"".join(parts)

    def _next(self) -> bytes:
        if self._stopped:
            raise OSError("the upload was cancelled")
        try:
            return asyncio.run_coroutine_threadsafe(self._take(), self._loop).result()
        except BaseException as error:
            self.failure = error
            raise OSError("the source failed") from error

    async def _take(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return b""


def _encryption(settings: S3Settings) -> Sse | None:
    if settings.encryption == "aws:kms":
        return SseKMS(settings.encryption_key or "", {})
    return SseS3() if settings.encryption else None


def _client(settings: S3Settings, endpoint: str) -> Minio:
    address = urlsplit(endpoint if "//" in endpoint else f"https://{endpoint}")
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(settings.connection_timeout / 1000, settings.socket_timeout / 1000),
        maxsize=min(THREADS, settings.max_sockets),
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
    )
    provider: Any
    if settings.key and settings.secret:
        provider = StaticProvider(settings.key, settings.secret.get_secret_value())
    else:
        provider = ChainedProvider([EnvAWSProvider(), IamAwsProvider()])
    client = Minio(
        endpoint=address.netloc,
        secure=address.scheme == "https",
        # Else it is asked for, which an address that only clients can reach would not answer.
        region=settings.region or ("us-east-1" if settings.public_endpoint else None),
        http_client=pool,
        credentials=provider,
    )
    if settings.force_path_style:
        client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    return client
