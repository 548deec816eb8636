"""PDFs written by hand: a catalogue, a tree of pages, nothing on them."""

import pytest

LETTER = "/MediaBox [0 0 612 792]"
# A standard security handler (ISO 32000-1, 7.6.3) with keys that belong to no password that anybody knows.
ENCRYPTION = f"<< /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >>"


def library():
    """pypdfium2; tests that need it are skipped where the extra `pdf` is missing."""
    return pytest.importorskip("pypdfium2")


def pdf(pages, inherited="", encrypted=False):
    """The bytes of a file whose pages have these entries; `inherited` are those of the tree's root."""
    kids = " ".join(f"{number} 0 R" for number in range(3, len(pages) + 3))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} {inherited} >>",
        *(f"<< /Type /Page /Parent 2 0 R {entries} >>" for entries in pages),
        *([ENCRYPTION] if encrypted else ()),
    ]
    data, places = bytearray(b"%PDF-1.7\n"), []
    for number, entries in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{entries}\nendobj\n".encode()
    table = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    key = f"/Encrypt {len(objects)} 0 R /ID [<00> <00>]" if encrypted else ""
    return bytes(
        data + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {key} >>\nstartxref\n{table}\n%%EOF\n".encode()
    )
