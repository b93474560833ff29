"""Finds holes in a JPEG's data, which decoders fill with grey or noise and do not report.

An incomplete copy, a bad sector or a sparse file leaves zeros or other bytes in place of the image.
They show as a marker in the middle of the data, missing restart markers, or a run of zeros that no
encoder writes (ITU T.81, annexes B and F).
"""

import math
import re
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from storage.errors import InputError

SOI: Final = b"\xff\xd8"
SOF0, SOF1, SOF2, DHT, RST0, EOI, SOS, DRI, DNL = (
    *(0xC0, 0xC1, 0xC2, 0xC4, 0xD0, 0xD9, 0xDA, 0xDD, 0xDC),
)
BETWEEN_SCANS: Final = {DHT, EOI, SOS, 0xDB, DNL, DRI, *range(0xE0, 0xF0), 0xFE}
ZEROS: Final = bytes(64)
_SEGMENT: Final = re.compile(rb"\xff+([^\x00\xff])")


@dataclass(slots=True)
class _Header:
    """What the segments so far say about the next scan."""

    kind: int = 0
    frame: bytes = b""
    interval: int = 0
    zero_codes: dict[int, int] = field(default_factory=dict)
    """By a Huffman table's class and number, the symbol whose code is all zeros."""

    def read(self, marker: int, body: bytes) -> None:
        """Take in a segment."""
        if marker in (SOF0, SOF1, SOF2):
            self.kind, self.frame = marker, body
        elif marker == DRI:
            self.interval = int.from_bytes(body[:2])
        elif marker == DHT:
            while len(body) > 17:
                self.zero_codes[body[0]] = body[17]  # the first code of any table is all zeros
                body = body[17 + sum(body[1:17]) :]

    def restarts(self, markers: npt.NDArray[np.int64], data: bytes) -> int:
        """Count the restart markers, numbered 0 to 7 in turn, before any other marker."""
        if not self.interval:
            return 0
        for count, at in enumerate(markers):
            if data[at + 1] != RST0 + count % 8:
                return count
        return len(markers)

    def forbids_zeros(self, scan: bytes) -> bool:
        """Return whether a long run of zeros in a scan can only be a hole.

        Zeros may encode a flat part, and the raw bits that refine a progressive image may be zero.
        """
        if scan[-1] >> 4:
            return False
        for tables in scan[2 : 2 * scan[0] + 1 : 2]:
            end_of_block = self.zero_codes.get(0x10 | tables & 15, 0)
            if scan[-3] == 0 and self.zero_codes.get(tables >> 4, 0):
                return True
            if scan[-2] > 0 and (end_of_block & 15 or end_of_block == 0xF0):
                return True
        return False

    def row_of(self, n_restarts: int) -> int:
        """Return the first row of pixels after so many restart markers."""
        columns, rows = self._unit()
        width = int.from_bytes(self.frame[3:5])
        return n_restarts * self.interval // -(-width // columns) * rows

    def restarts_wanted(self) -> int:
        """Return how many restart markers a scan of the whole image has."""
        columns, rows = self._unit()
        height, width = (int.from_bytes(self.frame[at : at + 2]) for at in (1, 3))
        n_units = -(-width // columns) * -(-height // rows)
        return -(-n_units // self.interval) - 1 if self.interval else 0

    def _unit(self) -> tuple[int, int]:
        """Return the width and height in pixels of a minimum coded unit."""
        if self.frame[5] == 1:
            return 8, 8
        sampling = self.frame[7::3]
        return 8 * max(each >> 4 for each in sampling), 8 * max(each & 15 for each in sampling)


def refuse_hole(data: bytes, rows: float = math.inf) -> None:
    """Raise InputError if a hole may have damaged any of a JPEG's first `rows` rows."""
    damaged = damaged_from(data)
    if damaged is not None and damaged < rows:
        raise InputError("damaged: part of the image's data is missing; fetch the file again")


def damaged_from(data: bytes) -> int | None:
    """Return the first row of pixels that a hole may have damaged; None without a hole.

    Only restart markers show which rows are intact; without them, all may be damaged.
    """
    if not data.startswith(SOI):
        return None
    header, markers, at = _Header(), _markers(data), len(SOI)
    while found := _SEGMENT.match(data, at):
        marker, start = found[1][0], found.end()
        if marker == EOI:
            break
        at = start + int.from_bytes(data[start : start + 2])
        body = data[start + 2 : at]
        header.read(marker, body)
        if marker != SOS:
            continue
        markers = markers[markers >= at]
        n_restarts = header.restarts(markers, data)
        if n_restarts == len(markers) or not header.kind:
            break  # Pillow reports a missing end
        end = int(markers[n_restarts])
        zeros = data.find(ZEROS, at, end)
        if zeros >= 0 and header.forbids_zeros(body):
            return header.row_of(int(np.count_nonzero(markers < zeros)))
        is_only_scan = header.kind != SOF2 and body[0] == header.frame[5]
        if data[end + 1] not in ((EOI, DNL) if is_only_scan else BETWEEN_SCANS):
            return header.row_of(n_restarts)
        if is_only_scan and n_restarts < header.restarts_wanted():
            return 0  # eight missing in a row do not show where
        at = end
    return None


def _markers(data: bytes) -> npt.NDArray[np.int64]:
    """Return where markers are: a byte 255 before neither 0 nor another 255."""
    codes = np.frombuffer(data, np.uint8)
    at: npt.NDArray[np.int64] = np.flatnonzero(codes[:-1] == 0xFF)
    is_marker = (codes[at + 1] != 0) & (codes[at + 1] != 0xFF)
    return np.compress(is_marker, at)
