"""Ways to attack a gallery: each yields the statuses of what it sent, which is to be refused."""

import base64
from collections.abc import Iterator
from pathlib import Path

from tests.programs.attack.target import Status, Target, bomb, image

OUT = ("../secret", "..%2fsecret", "%2e%2e%2fsecret", "/etc/passwd", "%2fetc%2fpasswd", "a%00.jpg", "%ff%fe.jpg")
NAMES = (
    "../out.exe",
    "..\\..\\out",
    ".bashrc",
    "con/../../x",
    "\u202egpj.exe",
    "x" * 5000,
    "",
    ".jpg",
    "a.php",
)
POSTS = {
    "search": b'{"examples": [{"image": {"path": %s}}]}',
    "retry": b'{"paths": [%s]}',
    "duplicates": b'{"folder": %s}',
    "verdicts": b'{"a": %s, "b": "b.jpg", "verdict": "keep-both"}',
    "pause": b'{"for_s": %s}',
}


def hosts(target: Target) -> Iterator[Status]:
    """A name that another site has lead here."""
    own = f"{target.host}:{target.port}"
    for host in (
        "evil.example",
        f"{own}.evil.example",
        f"evil.example@{own}.evil.example",
        "2130706433",
        "[::1",
        "",
        "a b",
    ):
        yield target.raw(f"GET /api/v1/status HTTP/1.1\nHost: {host}\n\n")
    yield target.raw(f"GET /api/v1/status HTTP/1.1\nHost: {own}\nHost: evil.example\n\n")
    yield target.raw("GET /api/v1/status HTTP/1.0\n\n")
    yield target.raw("GET http://evil.example/api/v1/status HTTP/1.1\nHost: evil.example\n\n")


def pages(target: Target) -> Iterator[Status]:
    """Pages of other sites, which read and send."""
    for origin in ("http://evil.example", "null", f"http://{target.host}:1"):
        for path in ("status", "images", "openapi.json"):
            yield target.http.get(f"/api/v1/{path}", headers={"origin": origin}).status_code
        for path in (*POSTS, "images", "resume"):
            yield target.http.post(f"/api/v1/{path}", headers={"origin": origin}, files={"image": b""}).status_code
    for mode in ("no-cors", "cors", "navigate"):
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": "image"}
        yield target.http.get("/api/v1/status", headers=headers).status_code


def requests(target: Target) -> Iterator[Status]:
    """Requests that two servers could read in two ways, and that are too long."""
    post = f"POST /api/v1/retry HTTP/1.1\nHost: {target.host}\nContent-Type: application/json\n"
    for lengths in (
        "Content-Length: 2\nContent-Length: 3",
        "Content-Length: -1",
        "Content-Length: +2",
        "Content-Length: 0x2",
    ):
        yield target.raw(f"{post}{lengths}\n\n", b"{}")
    yield target.raw(f"{post}Content-Length: 99999999999\n\n")
    yield target.raw(f"{post}Transfer-Encoding: gzip, chunked\n\n", b"0\r\n\r\n")
    yield target.raw(f"{post}Transfer-Encoding: chunked\n\n", b"zz\r\n")
    yield target.raw(f"{post}Content-Length : 2\n\n", b"{}")
    yield target.raw(f"GET /{'a' * 200_000} HTTP/1.1\nHost: {target.host}\n\n")
    yield target.raw(f"GET /api/v1/status HTTP/1.1\nHost: {target.host}\nX: {'a' * 200_000}\n\n")
    yield target.raw(f"TRACE /api/v1/status HTTP/1.1\nHost: {target.host}\n\n")
    yield target.raw("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n")


def paths(target: Target) -> Iterator[Status]:
    """Paths that lead out of the library or of the page's folder."""
    for path in OUT:
        for route in ("/api/v1/files/", "/api/v1/thumbnails/", "/api/v1/images/", "/static/"):
            yield target.raw(f"GET {route}{path} HTTP/1.1\nHost: {target.host}\n\n")
        for query in (f"job=x&protect={path}", f"job={path}", f"job=x&keep=in:{path}"):
            yield target.raw(f"GET /api/v1/duplicates/plan?{query} HTTP/1.1\nHost: {target.host}\n\n")


def bodies(target: Target) -> Iterator[Status]:
    """JSON that is deep, large, no text, or right but for one value."""
    for route, right in POSTS.items():
        for body in (
            b"[" * 100_000,
            b'{"a":' * 100_000,
            *(
                right % value
                for value in (b'"\\ud800"', b'"a\\u0000b"', b'"../x"', b"NaN", b"1e999", b"9" * 10_000, b"[{}]")
            ),
            right % (b"[" + b"{}," * 2_500_000 + b"{}]"),
            b'"' + bytes(1000) + b'"',
            b"\xff\xfe{}",
            b"\x1f\x8b\x08\x00" + bytes(100),
        ):
            headers = {"content-type": "application/json"}
            yield target.http.post(f"/api/v1/{route}", content=body, headers=headers).status_code


def forms(target: Target) -> Iterator[Status]:
    """Forms with many parts, long heads, and without an end."""
    part = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="a.jpg"\r\n\r\nx\r\n'
    for route in ("images", "search"):
        for kind, body in (
            ("multipart/form-data", part % b"image" + b"--b--\r\n"),
            ("multipart/form-data; boundary=b", (part % b"image") * 5_000 + b"--b--\r\n"),
            ("multipart/form-data; boundary=b", part % (b"n" * 1_000_000) + b"--b--\r\n"),
            ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: y\r\n" * 100_000 + b"\r\n--b--\r\n"),
            ("multipart/form-data; boundary=b", part % b"image"),
            (f"multipart/form-data; boundary={'b' * 100_000}", b""),
            ("application/x-www-form-urlencoded", b"image=x"),
            ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
        ):
            yield target.http.post(f"/api/v1/{route}", content=body, headers={"content-type": kind}).status_code


def uploads(target: Target) -> Iterator[Status]:
    """Files that are no pictures, too large, of another kind than their name says, or that would be over another."""
    good = image("JPEG")
    for name in NAMES:
        yield target.upload((name, good))
    for folder in ("..", "../..", "/etc", "a/../..", "nowhere", "x\x00"):
        yield target.upload(("new.jpg", good), folder=folder)
    known = target.http.get("/api/v1/images", params={"limit": 1, "status": "indexed"}).json()["files"][0]["path"]
    yield target.upload((Path(known).name, good), folder=str(Path(known).parent).strip("."))
    yield target.upload(("twice.jpg", good), ("twice.jpg", good))
    for name, content in (
        ("bomb.png", bomb(34_000, 36_000)),
        ("wide.png", bomb(2**31 - 1, 1)),
        ("page.jpg", b"<html><script>alert(1)</script>"),
        ("vector.png", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        ("other.png", good),
        ("script.jpg", b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file"),
        ("empty.jpg", b""),
        ("zeros.jpg", bytes(30_000_000)),
        ("cut.jpg", good[: len(good) // 2]),
        ("zip.png", base64.b64decode("UEsDBBQAAAAIAA==")),
    ):
        yield target.upload((name, content))


WAYS = (hosts, pages, requests, paths, bodies, forms, uploads)
