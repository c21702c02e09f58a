"""A real nginx before real servers of the page, with docs/nginx.conf as it lies there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.homes import PROJECT
from tests.served import Server, free_port, lent

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
CONFIGURATION = PROJECT / "docs" / "nginx.conf"
PORTS = "8501", "8502"  # where it expects the two servers
AROUND = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/digits.conf;
}}
"""


@contextmanager
def proxy(folder: Path, servers: tuple[Server, Server]) -> Iterator[Server]:
    """Lend an nginx before the servers; folder: an empty one for what it writes.

    Of docs/nginx.conf only the ports are others.
    """
    port, text = free_port(), CONFIGURATION.read_text("utf-8")
    for named, server in zip(PORTS, servers, strict=True):
        text = text.replace(named, server.address.rpartition(":")[2])
    text = text.replace("listen 80 ", f"listen 127.0.0.1:{port} ")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "digits.conf").write_text(text)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    process = subprocess.Popen([NGINX, "-e", "stderr", "-c", str(folder / "nginx.conf")])
    with lent(process, f"http://127.0.0.1:{port}") as nginx:
        yield nginx
