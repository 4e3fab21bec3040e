"""The server under test: requests to it by operationId, held against the contract's schemas."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import orjson
from attrs import define, field

from tinker._codec.media_types import JSON, PROTOBUF
from tinker.conformance.contract import (
    RESULTS,
    properties,
    response_schema,
    routes,
    validator,
)
from tinker.conformance.exchange import Exchange
from tinker.conformance.outcomes import Failed, NotOffered, expect
from tinker_api import security

_PENDING = 200.0
"""Seconds for which a promise may be pending before a check gives up on it."""


class OutOfTime(Exception):
    """The time limit is reached."""


@define
class Server:
    http: httpx.Client
    deadline: float
    last: Exchange | None = None
    """The newest exchange: the evidence when a check fails."""
    untagged: dict[str, Exchange] = field(factory=dict)
    """Results without their tag, by operation."""
    misformed: dict[str, Exchange] = field(factory=dict)
    """Responses with strings that are not of their format, by operation."""

    def send(
        self,
        operation: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        key: bool = True,
        raw_path: bool = False,
        timeout: float = 60.0,
        path: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Send one request, and accept any response; `raw_path` leaves the colons of ids unquoted."""
        if time.monotonic() > self.deadline:
            raise OutOfTime
        method, template, _ = routes()[operation]
        safe = ":" if raw_path else ""
        url = template.format(
            **{name: quote(value, safe=safe) for name, value in (path or {}).items()}
        )
        sent = dict(headers or {})
        content = b""
        if isinstance(body, bytes):
            content = body
            sent.setdefault("content-type", PROTOBUF)
        elif body is not None:
            content = orjson.dumps(body)
            sent.setdefault("content-type", JSON)
        sent.setdefault("accept", JSON)
        request = self.http.build_request(
            method,
            url.removeprefix("/"),
            content=content or None,
            headers=sent,
            params=query,
            timeout=timeout,
        )
        if not key:
            request.headers.pop(security.HEADER, None)
        begun = time.monotonic()
        try:
            try:
                response = self.http.send(request)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                # Some servers close a connection after an error; a new connection tells the two apart.
                response = self.http.send(request)
        except httpx.TimeoutException:
            raise Failed(f"{operation}: no response within {timeout:.0f} s") from None
        except httpx.RequestError as error:
            raise Failed(f"{operation}: {type(error).__name__}: {error}") from None
        self.last = Exchange(
            operation,
            method,
            request.url.raw_path.decode(),
            dict(request.headers),
            content,
            response.status_code,
            dict(response.headers),
            response.content,
            time.monotonic() - begun,
        )
        return self.last

    def call(self, operation: str, body: Any = None, **options: Any) -> Any:
        """The response to a request that must succeed, validated against its schema."""
        exchange = self.send(operation, body, **options)
        self.offered(exchange)
        expect(
            200 <= exchange.status < 300,
            f"{operation}: expected a 2xx status, found {exchange.status}",
        )
        schema = response_schema(operation)
        if schema is None:
            return None
        response = exchange.json()
        self.fits(operation, schema, response)
        return response

    def offered(self, exchange: Exchange) -> None:
        """Stop the check if the server does not have the route."""
        if exchange.status in (404, 405, 501):
            detail = ""
            if exchange.media_type == JSON:
                body = exchange.json()
                detail = body.get("detail", "") if isinstance(body, dict) else ""
            if exchange.status != 404 or detail in ("Not Found", "Method Not Allowed", ""):
                raise NotOffered(
                    f"{exchange.status} for {' '.join(routes()[exchange.operation][:2])}"
                )

    def fits(self, operation: str, schema: str, body: Any) -> None:
        """Validate JSON. Tags that are missing, or null, are collected for a check of their own."""
        if isinstance(body, dict):
            for name, part in properties(schema).items():
                if "const" in part and body.get(name) is None:
                    if self.last is not None:
                        self.untagged.setdefault(operation, self.last)
                    body = {**body, name: part["const"]}
        for error in validator(schema).iter_errors(body):
            where = "/".join(str(part) for part in error.instance_path) or "the body"
            if error.schema_path and error.schema_path[-1] == "format":
                if self.last is not None:
                    place = re.sub(r"\d+", "n", where)
                    self.misformed.setdefault(f"{place} of {operation}", self.last)
                continue
            raise Failed(
                f"{operation}: expected a {schema}, but {where} is invalid: {error.message}"[:300]
            )

    def refused(
        self, operation: str, body: Any, statuses: tuple[int, ...], **options: Any
    ) -> Exchange:
        """A request that must be refused with one of these statuses and a `detail`."""
        exchange = self.send(operation, body, **options)
        expected = " or ".join(map(str, statuses))
        expect(
            exchange.status in statuses,
            f"{operation}: expected status {expected}, found {exchange.status}",
        )
        response = exchange.json()
        expect(
            isinstance(response, dict) and "detail" in response,
            f"{operation}: expected a `detail` in the body of the {exchange.status}, found none",
        )
        return exchange

    # ---- promises ---------------------------------------------------------------------------

    def poll(self, request_id: Any, **options: Any) -> Exchange:
        return self.send("retrieve_future", {"request_id": request_id}, **options)

    def settled(self, promise: Mapping[str, Any], **options: Any) -> Exchange:
        """The response that settles a promise: a result or a failure."""
        request_id = promise["request_id"]
        until = time.monotonic() + _PENDING
        while time.monotonic() < until:
            exchange = self.poll(request_id, **options)
            if exchange.status == 408:
                continue
            if exchange.status == 200 and exchange.media_type == JSON:
                body = exchange.json()
                if isinstance(body, dict) and body.get("type") == "try_again":
                    self.fits("retrieve_future", "TryAgainResponse", body)
                    continue
            return exchange
        raise Failed(f"the promise {request_id} was still pending after {_PENDING:.0f} s")

    def result(self, operation: str, promise: Mapping[str, Any], **options: Any) -> Any:
        """The JSON result of a promise, validated against its schema."""
        return self.parsed(operation, self.settled(promise, **options))

    def parsed(self, operation: str, exchange: Exchange) -> Any:
        """The JSON result in the response that settled a promise."""
        expect(
            exchange.status == 200,
            f"the result of {operation}: expected status 200, found {exchange.status}",
        )
        body = exchange.json()
        if isinstance(body, dict) and "error" in body:
            raise Failed(f"{operation} failed: {str(body['error'])[:200]}")
        self.fits(operation, RESULTS[operation], body)
        return body

    def do(self, operation: str, body: Mapping[str, Any], **options: Any) -> Any:
        """The result of an operation: its promise, then what settles it."""
        return self.result(operation, self.call(operation, body, **options))

    def fetch(self, url: str, byte_range: str = "") -> httpx.Response:
        """GET a signed URL: no credential goes there."""
        headers = {"range": byte_range} if byte_range else {}
        try:
            return httpx.get(url, headers=headers, follow_redirects=True, timeout=60)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            place = url.partition("?")[0][:100]  # its signature is a credential
            raise Failed(f"GET {place}: {type(error).__name__}: {error}") from None
