"""An S3 for tests: moto's server in a thread. It speaks S3's protocol over a socket, so what asks
it is the client that asks Amazon; how well Amazon keeps things it can't show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

TIMEOUT_S = 10


@dataclass(frozen=True)
class S3:
    """A server that answers at this address."""

    endpoint: str

    def settings(self, bucket: str) -> dict[str, Any]:
        """The settings that name a folder in a bucket of this server."""
        return s3_settings(self.endpoint, bucket)

    def new_bucket(self) -> str:
        """The name of a bucket with nothing in it."""
        stated = self.settings("")
        bounds = Config(connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S)
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=stated["objects_region"],
            aws_access_key_id=stated["objects_access_key"],
            aws_secret_access_key=stated["objects_secret_key"].get_secret_value(),
            config=bounds,
        )
        name = f"pictures-{uuid4().hex}"
        client.create_bucket(Bucket=name)
        client.close()
        return name


def s3_settings(endpoint: str, bucket: str) -> dict[str, Any]:
    """What names a folder in a bucket of an S3 that is not Amazon's."""
    return {
        "objects_url": f"s3://{bucket}/mesh",
        "objects_endpoint": endpoint,
        "objects_region": "us-east-1",
        "objects_access_key": "key",
        "objects_secret_key": SecretStr("secret"),
    }


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server on a free port, stopped at the end."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()
