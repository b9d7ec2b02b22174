"""A bucket of one's own on the loopback interface, as far as S3's documents say what the storage uses of it.

Every request must be signed (AWS Signature Version 4, in a header or in the URL) with ``SECRET``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

ACCESS, SECRET, REGION, BUCKET = "AKIDEXAMPLE", "a-secret-of-the-tests", "us-east-1", "clips"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
PAGE = 3  # keys in one page of a listing


@dataclass
class SmallBucket:
    port: int = 0
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    uploads: dict[str, tuple[dict[int, bytes], dict[str, str]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: bool = False

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
        }


@contextmanager
def small_bucket() -> Iterator[SmallBucket]:
    bucket = SmallBucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket}))
    bucket.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    bucket: SmallBucket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 5

    def log_message(self, format: str, *args: object) -> None:
        self.bucket.requests.append(f"{self.command} {self.path}")

    def handle_request(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if self.bucket.broken:
            self._answer(500, b"<Error><Code>InternalError</Code></Error>")
        elif not self._signed(query):
            self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        elif bucket != BUCKET:
            self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif not key:
            self._whole_bucket(query, body)
        elif "uploads" in query or "uploadId" in query:
            self._upload(key, query, body)
        else:
            self._object(key, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815

    def _object(self, key: str, body: bytes) -> None:
        objects = self.bucket.objects
        if self.command == "PUT":
            objects[key] = (body, self._attributes())
            self._answer(200, headers={"ETag": _etag(body)})
        elif self.command == "DELETE":
            objects.pop(key, None)
            self._answer(204)
        elif key not in objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            content, attributes = objects[key]
            headers = {"ETag": _etag(content), "Last-Modified": formatdate(usegmt=True), **attributes}
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if asked:
                start, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
                headers["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
                content = content[start : last + 1]
            self._answer(206 if asked else 200, content, headers)

    def _upload(self, key: str, query: dict[str, str], body: bytes) -> None:
        uploads = self.bucket.uploads
        if "uploads" in query:
            upload = str(len(self.bucket.requests))
            uploads[upload] = ({}, self._attributes())
            self._answer(
                200,
                f'<InitiateMultipartUploadResult xmlns="{NAMESPACE}"><Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key>'
                f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>".encode(),
            )
        elif self.command == "PUT":
            uploads[query["uploadId"]][0][int(query["partNumber"])] = body
            self._answer(200, headers={"ETag": _etag(body)})
        elif self.command == "POST":
            parts, attributes = uploads.pop(query["uploadId"])
            content = b"".join(parts[number] for number in sorted(parts))
            self.bucket.objects[key] = (content, attributes)
            self._answer(
                200,
                f'<CompleteMultipartUploadResult xmlns="{NAMESPACE}"><ETag>{escape(_etag(content))}</ETag>'
                "</CompleteMultipartUploadResult>".encode(),
            )
        else:
            del uploads[query["uploadId"]]
            self._answer(204)

    def _whole_bucket(self, query: dict[str, str], body: bytes) -> None:
        if "delete" in query:
            keys = [
                element.text or ""
                for element in ElementTree.fromstring(body).iter()
                if element.tag.endswith("Key")
            ]
            for key in keys:
                self.bucket.objects.pop(key, None)
            deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
            self._answer(200, f'<DeleteResult xmlns="{NAMESPACE}">{deleted}</DeleteResult>'.encode())
            return
        after, prefix = query.get("continuation-token", ""), query.get("prefix", "")
        keys = sorted(key for key in self.bucket.objects if key.startswith(prefix) and key > after)
        common = []
        if query.get("delimiter") == "/":  # all folders on each page: their listing need not be cut
            deeper = [key for key in keys if "/" in key.removeprefix(prefix)]
            common = sorted({prefix + key.removeprefix(prefix).split("/")[0] + "/" for key in deeper})
            keys = [key for key in keys if key not in deeper]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{now}</LastModified><ETag>&quot;x&quot;</ETag>"
            f"<Size>{len(self.bucket.objects[key][0])}</Size></Contents>"
            for key in keys[:PAGE]
        )
        listed += "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in common
        )
        more = f"<NextContinuationToken>{keys[PAGE - 1]}</NextContinuationToken>" if len(keys) > PAGE else ""
        self._answer(
            200,
            f'<ListBucketResult xmlns="{NAMESPACE}"><Name>{BUCKET}</Name><KeyCount>{len(keys[:PAGE])}</KeyCount>'
            f"<MaxKeys>{PAGE}</MaxKeys><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{listed}"
            "</ListBucketResult>".encode(),
        )

    def _signed(self, query: dict[str, str]) -> bool:
        """AWS Signature Version 4: "Authenticating Requests" in the S3 API reference."""
        if "X-Amz-Signature" in query:
            credential, names = query["X-Amz-Credential"], query["X-Amz-SignedHeaders"]
            signature, moment, payload = query["X-Amz-Signature"], query["X-Amz-Date"], "UNSIGNED-PAYLOAD"
            until = _moment(moment) + timedelta(seconds=int(query["X-Amz-Expires"]))
        else:
            pattern = r"AWS4-HMAC-SHA256 Credential=(.+?), ?SignedHeaders=(.+?), ?Signature=(\w+)"
            found = re.fullmatch(pattern, self.headers.get("Authorization", ""))
            if not found:
                return False
            credential, names, signature = found.groups()
            moment, payload = self.headers["x-amz-date"], self.headers["x-amz-content-sha256"]
            until = _moment(moment) + timedelta(minutes=15)
        access, scope = credential.split("/", 1)
        given = sorted((name, value) for name, value in query.items() if name != "X-Amz-Signature")
        canonical = "\n".join(
            [
                self.command,
                urlsplit(self.path).path,
                "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in given),
                *(f"{name}:{self.headers[name].strip()}" for name in names.split(";")),
                "",
                names,
                payload,
            ]
        )
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{SECRET}".encode()
        for word in scope.split("/"):
            key = hmac.digest(key, word.encode(), "sha256")
        right = hmac.new(key, text.encode(), "sha256").hexdigest()
        return access == ACCESS and right == signature and datetime.now(UTC) < until

    def _attributes(self) -> dict[str, str]:
        return {
            name: self.headers[name]
            for name in ("Content-Type", "Content-Disposition")
            if name in self.headers
        }

    def _answer(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
