"""The Dockerfile's command works as it stands there, without a container."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.servers import free_port, wait_for

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_command_serves_on_port_asks_for_the_token_and_is_healthy(tmp_path: Path) -> None:
    command = re.findall(r'"([^"]+)"', re.search(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[1])  # type: ignore[index]
    assert command[0] == "simtom"
    port, token = free_port(), "a-token-of-some-length"
    environment = os.environ | {"PORT": str(port), "SIMTOM_TOKEN": token, "SIMTOM_HOME": str(tmp_path)}
    health = re.search(r'^HEALTHCHECK CMD python -c "(.*)"$', DOCKERFILE, re.MULTILINE)
    assert health is not None
    with subprocess.Popen([sys.executable, "-m", "simtom_pipeline", *command[1:]], env=environment) as server:
        try:
            wait_for(port)
            address = f"http://127.0.0.1:{port}"
            assert httpx.get(address + "/generators").status_code == 401
            asked = {"Authorization": f"Bearer {token}"}
            assert httpx.get(address + "/generators", headers=asked).status_code == 200
            check = [sys.executable, "-c", health[1].replace('\\"', '"')]
            assert subprocess.run(check, env=environment).returncode == 0
        finally:
            server.kill()
    assert subprocess.run(check, env=environment, capture_output=True).returncode != 0


def test_without_a_token_the_command_refuses(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "SIMTOM_TOKEN"} | {
        "SIMTOM_HOME": str(tmp_path)
    }
    done = subprocess.run(
        [sys.executable, "-m", "simtom_pipeline", "serve", "--host", "0.0.0.0"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--token" in done.stderr


def test_it_is_no_root_and_takes_what_is_locked() -> None:
    assert DOCKERFILE.index("USER simtom") < DOCKERFILE.index("CMD [")
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    for path in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE)[0].split():
        assert (ROOT / path).exists()
