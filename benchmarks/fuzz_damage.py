"""Damage inside of containers: they are unpacked, what they hold is changed, and they are packed again."""

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

Change = Callable[[bytes], bytes]


def in_zip(data: bytes, change: Change, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(parts))
    parts[name] = change(parts[name])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return stream.getvalue()


def in_gzip(data: bytes, change: Change, rng: random.Random) -> bytes:
    return gzip.compress(change(gzip.decompress(data)), 1, mtime=0)


def in_png(data: bytes, change: Change, rng: random.Random) -> bytes:
    """Damage one chunk, and make its checksum right again."""
    chunks, at = [], 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    chosen = rng.randrange(len(chunks))
    kind, body = chunks[chosen]
    changed = zlib.compress(change(zlib.decompress(body))) if kind == b"IDAT" and rng.random() < 0.5 else change(body)
    chunks[chosen] = (kind, changed)
    packed = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks]
    return data[:8] + b"".join(packed)


def in_glb(data: bytes, change: Change, rng: random.Random) -> bytes:
    """Damage the JSON, and make the lengths right again."""
    size = int.from_bytes(data[12:16], "little")
    text = change(data[20 : 20 + size])
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    return data[:8] + struct.pack("<II", 20 + len(text) + len(rest), len(text)) + data[16:20] + text + rest


def in_draco(data: bytes, change: Change, rng: random.Random) -> bytes:
    """Damage what Draco packed, which is all of the buffer, or the JSON."""
    if rng.random() < 0.3:
        return in_glb(data, change, rng)
    at = 28 + int.from_bytes(data[12:16], "little")
    body = change(data[at:])
    head = data[:8] + struct.pack("<I", at + len(body)) + data[12 : at - 8]
    return head + struct.pack("<I", len(body)) + b"BIN\0" + body


def in_safetensors(data: bytes, change: Change, rng: random.Random) -> bytes:
    size = int.from_bytes(data[:8], "little")
    text = change(data[8 : 8 + size])
    return struct.pack("<Q", len(text)) + text + data[8 + size :]
