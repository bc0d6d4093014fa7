"""Settings of files and assets."""

from typing import Annotated, Literal

from pydantic import Field

from domain.settings_types import UNITS, Duration, Group, Limit, Names, Size

METADATA_DEFAULT = (
    "ifd0.Make",
    "ifd0.Model",
    "exif.FNumber",
    "exif.ExposureTime",
    "exif.FocalLength",
    "exif.ISOSpeedRatings",
)


class FilesSettings(Group):
    """Uploads, imports and exports; durations in seconds, sizes in bytes, None is no limit."""

    max_upload_size: Size | None = Field(None, alias="FILES_MAX_UPLOAD_SIZE")
    max_upload_concurrency: Limit = Field(None, alias="FILES_MAX_UPLOAD_CONCURRENCY")
    mime_types: Names = Field(("*/*",), alias="FILES_MIME_TYPE_ALLOW_LIST", min_length=1)
    delete_original_on_move: bool = Field(False, alias="FILES_DELETE_ORIGINAL_ON_MOVE")
    metadata: Names = Field(METADATA_DEFAULT, alias="FILE_METADATA_ALLOW_LIST")
    keep_replaced: bool = Field(True, alias="ACTA_FILES_KEEP_REPLACED")
    keep_deleted: Duration = Field(0, alias="ACTA_FILES_KEEP_DELETED")
    tus: bool = Field(False, alias="TUS_ENABLED")
    tus_chunk_size: Size = Field(10 * UNITS["mb"], alias="TUS_CHUNK_SIZE")
    tus_expiration: Duration = Field(600, alias="TUS_UPLOAD_EXPIRATION")
    import_deny: Names = Field(("0.0.0.0", "169.254.169.254"), alias="IMPORT_IP_DENY_LIST")
    exports: int = Field(4, alias="EXPORT_MAX_CONCURRENCY", ge=1)


class AssetsSettings(Group):
    """Serving and transforming files; durations in seconds, sizes in bytes and pixels."""

    cache_ttl: Duration = Field(30 * 86_400, alias="ASSETS_CACHE_TTL")
    cache_revalidate: bool = Field(False, alias="ASSETS_CACHE_REVALIDATE")
    max_concurrent: int = Field(25, alias="ASSETS_TRANSFORM_MAX_CONCURRENT", ge=1)
    max_dimension: int = Field(6000, alias="ASSETS_TRANSFORM_IMAGE_MAX_DIMENSION", ge=1)
    max_operations: int = Field(5, alias="ASSETS_TRANSFORM_MAX_OPERATIONS", ge=0)
    timeout: Annotated[Duration, Field(ge=1, le=3600)] = Field(7.5, alias="ASSETS_TRANSFORM_TIMEOUT")
    sensitivity: Literal["none", "truncated", "error", "warning"] = Field(
        "warning", alias="ASSETS_INVALID_IMAGE_SENSITIVITY_LEVEL"
    )
    processes: int = Field(0, alias="ACTA_IMAGE_PROCESSES", ge=0)
    memory: Size = Field(2 * UNITS["gb"], alias="ACTA_IMAGE_MEMORY")


class ImportSettings(Group):
    """Imports of items: how long one may take (seconds), how many at once, errors told, bytes of a file."""

    timeout: Duration = Field(3600, alias="IMPORT_TIMEOUT")
    concurrency: int = Field(20, alias="IMPORT_MAX_CONCURRENCY", ge=1)
    errors: int = Field(1000, alias="MAX_IMPORT_ERRORS", ge=1)
    largest: Size = Field(512 * UNITS["mb"], alias="IMPORT_MAX_FILE_SIZE")
