"""Sound and moving pictures made on the spot."""

from __future__ import annotations

import io
import struct
import wave


def sound(seconds: int) -> bytes:
    """Silence as WAV, 16,000 bytes a second."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000 * seconds))
    return target.getvalue()


def film(seconds: int, size: int = 1000) -> bytes:
    """MP4 with its index behind ``size`` bytes of pictures, as cameras write it."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = struct.pack(">IIIIIIH10x", 0, 0, 0, 1000, seconds * 1000, 0x10000, 0x100) + matrix
    mvhd += bytes(24) + struct.pack(">I", 2)
    tkhd = struct.pack(">IIIIII8xHHHH", 7, 0, 0, 1, 0, seconds * 1000, 0, 0, 0, 0) + matrix
    tkhd += struct.pack(">II", 320 << 16, 240 << 16)
    mdhd = struct.pack(">IIIIIHH", 0, 0, 0, 1000, seconds * 1000, 0x55C4, 0)
    hdlr = struct.pack(">II4s12x", 0, 0, b"vide") + b"video\0"
    entry = struct.pack(">6xH16xHHIIIH32xHh", 1, 320, 240, 0x480000, 0x480000, 0, 1, 24, -1)
    stsd = struct.pack(">II", 0, 1) + _box(b"mp4v", entry)
    frames = struct.pack(">IIII", 0, 1, seconds, 1000)
    places = struct.pack(">IIIII", 0, 1, 1, seconds, 1)
    sizes = struct.pack(">III", 0, size // seconds, seconds)
    tables = _box(b"stsd", stsd) + _box(b"stts", frames) + _box(b"stsc", places)
    tables += _box(b"stsz", sizes) + _box(b"stco", struct.pack(">III", 0, 1, 32))
    minf = _box(b"vmhd", struct.pack(">I8x", 1)) + _box(b"stbl", tables)
    mdia = _box(b"mdhd", mdhd) + _box(b"hdlr", hdlr) + _box(b"minf", minf)
    moov = _box(b"mvhd", mvhd) + _box(b"trak", _box(b"tkhd", tkhd) + _box(b"mdia", mdia))
    return _box(b"ftyp", b"isom\0\0\2\0isommp41") + _box(b"mdat", bytes(size)) + _box(b"moov", moov)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
