"""Nothing sensitive leaves the batch in clear.

Keyed tokens stand for the values of patient keys (same value, same token, so "who looked at this patient" still works),
statement texts become shapes, and text nobody understood is masked lexically. The key lies in a file of its own
(mode 0600), apart from the data that a thief of a backup would have.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

import polars as pl

from monitor.errors import StartError
from parsers.events import KEYS_KEPT
from parsers.sql.masking import LONG_NUMBER, NUMBER, REST, mask

TOKEN_BYTES = 12  # 96 bits: no collision within a hospital's lifetime, short enough to read aloud in part
KEY_BYTES = 32


def load_key(path: Path) -> bytes:
    """The site's secret, made on first use. Raises StartError when the file is damaged, unusable or open to others."""
    try:
        return _load_key(path)
    except OSError as error:
        raise StartError(f"{path}: {os.strerror(error.errno or 0)}") from error


def _load_key(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return _make_key(path)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise StartError(f"{path}: readable by others; set its mode to 0600")
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise StartError(f"{path}: not a key of {KEY_BYTES} bytes; restore it from the backup of this site")
    return key


def _make_key(path: Path) -> bytes:
    for folder in (path.parent.parent, path.parent):  # `parents=True` would make them with the mode of any folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(KEY_BYTES)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(descriptor)
    temporary.rename(path)
    return key


def ephemeral_key() -> bytes:
    """A key that is forgotten: for runs that only report."""
    return secrets.token_bytes(KEY_BYTES)


class Protection:
    """Tokens and masks under one key. Pure apart from the key it holds."""

    def __init__(self, key: bytes) -> None:
        self._token_key = hmac.digest(key, b"token:patient_key", "sha256")
        self.shape_key = hmac.digest(key, b"shape", "sha256")
        # Added to every numeric patient key: spans and steps of enumerations survive, the numbers do not.
        self._shift = int.from_bytes(hmac.digest(key, b"shift", "sha256")[:5], "big")

    def token(self, value: str) -> str:
        """Same value, same token: HMAC-SHA-256 cut to 96 bits, 24 hex digits. Blanks around the value do not count."""
        text = value.strip().encode("utf-8", "surrogatepass")
        return hmac.digest(self._token_key, text, "sha256")[:TOKEN_BYTES].hex()

    def tokenise(self, events: pl.DataFrame) -> pl.DataFrame:
        """Replace patient_keys by tokens and shift patient_key_number. Values are hashed once each, not once an event."""
        keyed = events.select("event_id", pl.col("patient_keys").list.head(KEYS_KEPT)).drop_nulls()
        shifted = events.with_columns(pl.col("patient_key_number") + self._shift)
        if keyed.is_empty():
            return shifted
        values = keyed.explode("patient_keys").drop_nulls("patient_keys")
        unique = values["patient_keys"].unique()
        tokens = pl.DataFrame(
            {"patient_keys": unique, "token": [self.token(value) for value in unique]},
            schema={"patient_keys": pl.String, "token": pl.String},
        )
        listed = (
            values.join(tokens, on="patient_keys", how="left", maintain_order="left")
            .group_by("event_id", maintain_order=True)
            .agg(pl.col("token").alias("patient_keys"))
        )
        return (
            shifted.drop("patient_keys")
            .join(listed, on="event_id", how="left", maintain_order="left")
            .select(events.columns)
        )

    @staticmethod
    def shapes(shapes: pl.DataFrame) -> pl.DataFrame:
        """Shapes of texts that were not understood may still hold what looked like code: mask them lexically.

        Numbers as long as an identity card go from every name, also where the text was understood.
        """
        names = (
            pl.col(name).list.eval(pl.element().str.replace_all(LONG_NUMBER, NUMBER)) for name in ("reads", "writes")
        )
        plain = pl.col("shape").str.replace_all(LONG_NUMBER, NUMBER)
        return shapes.with_columns(
            pl.when(pl.col("understood") == "ast").then(plain).otherwise(mask(shapes["shape"])).alias("shape"), *names
        )

    @staticmethod
    def stored(events: pl.DataFrame) -> pl.DataFrame:
        """The columns that hold free text of a log, as they may rest on disk.

        A file or object name is evidence and stays; numbers as long as an identity card inside it do not.
        """
        names = [
            pl.col(name).str.replace_all(LONG_NUMBER, NUMBER)
            for name in ("path", "path2", "client_program", "database")
        ]
        # the serial number of a device tells which one it was
        device = (pl.col("action") == "device").fill_null(value=False)
        shown = pl.col("object_name").str.replace_all(LONG_NUMBER, NUMBER)
        names.append(pl.when(device).then("object_name").otherwise(shown))
        detail = mask(events["detail"]) if events["detail"].null_count() < events.height else events["detail"]
        return events.with_columns(*names, detail.alias("detail"))

    @staticmethod
    def rejects(rejects: pl.DataFrame) -> pl.DataFrame:
        """A reject may begin inside a literal that no quote shows: what is not ASCII, names of people too, goes as a whole."""
        if rejects.is_empty():
            return rejects
        plain = rejects["text"].str.replace_all(r"[^\x00-\x7F]+", REST)
        return rejects.with_columns(mask(plain).alias("text"))
