"""nginx with WebDAV, started by a test on loopback in a private folder, ended by its own process id."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import answers, end, free_port, need, wait_until

MODULE = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
JSON = (
    '\'{"ts":"$time_iso8601","ip":"$remote_addr","user":"$remote_user","method":"$request_method","uri":"$request_uri",\' '
    '\'"status":$status,"sent":$body_bytes_sent,"recv":$request_length,"dur":$request_time,"dest":"$http_destination",\' '
    '\'"ua":"$http_user_agent","completed":"$request_completion"}\''
)
CONFIG = """
load_module {module};
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  log_format full escape=json {json};
  access_log {folder}/combined.log combined;
  access_log {folder}/json.log full;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 20m;
  server {{
    listen 127.0.0.1:{port} sndbuf=64k;  # or a large file fits into the socket, and a client that goes away is not seen
    location / {{
      root {folder}/root; auth_basic his; auth_basic_user_file {folder}/users;
      dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS; create_full_put_path on;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    port: int
    folder: Path

    def curl(self, path: str, *options: str, user: str = "wang:secret") -> int:
        """The status of the answer."""
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "30", "-u", user, *options]
        done = subprocess.run([*command, f"http://127.0.0.1:{self.port}{path}"], capture_output=True, check=True)
        return int(done.stdout)


@contextmanager
def nginx(folder: Path) -> Iterator[Nginx]:
    need("/usr/sbin/nginx", MODULE, "curl", root=False)
    (folder / "root").mkdir(parents=True)
    (folder / "users").write_text("wang:{PLAIN}secret\n")
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(CONFIG.format(module=MODULE, folder=folder, port=port, json=JSON))
    command = ["/usr/sbin/nginx", "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: server.poll() is not None or answers(port), "nginx answers")
        yield Nginx(port, folder)
    finally:
        end(server)
